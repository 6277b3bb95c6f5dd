//! A world: every service as it ships, on real stores, with topics, a provider and time that do
//! what the proofs say.
//!
//! | noun | module |
//! |---|---|
//! | how far a handler is, and what goes wrong with its calls | [`calls`] |
//! | the stores, as the handlers see them | [`ports`] |
//! | SQLite and DynamoDB | [`grounds`] |
//! | what customers wish, and what begins and ends | [`jobs`] |
//! | the topics | [`queues`] |
//! | the payment provider, and mail | [`outside`] |
//! | stories of customers, and what goes wrong at one place | [`scenario`] |
//! | everything at random, from a seed | [`schedule`] |
//! | whether it ended well | [`verdict`] |
//!
//! Nothing sleeps and nothing is left to the machine: see [`stand_still`].

pub mod calls;
pub mod grounds;
pub mod jobs;
pub mod outside;
pub mod ports;
pub mod queues;
pub mod scenario;
pub mod schedule;
pub mod verdict;

use std::sync::Arc;
use std::time::Duration;

use billing_service::service::BillingService;
use booking_gateway::desk::{Acceptance, BookingDesk, Secret};
use booking_gateway::gateway::{Cancellation, Gateway};
use booking_gateway::idempotency::IdempotencyKey;
use booking_gateway::order::{Order, Status};
use booking_gateway::updates::OrderUpdates;
use email_service::service::EmailService;
use shared::consumer::{Consumer, Delivery, Service};
use shared::entropy::{Entropy, SeededEntropy};
use shared::flight::FlightId;
use shared::ids::OrderId;
use shared::time::{Clock, ManualClock, Timestamp};
use shared::topic::{Topic, Topics};
use ticket_service::service::TicketService;

use calls::{Progress, Site, Task};
use jobs::{Beginning, Customer, Done, Job};
use outside::{Bank, Outbox};
use ports::Stores;
use queues::{Message, Queues};

/// When every world begins.
pub fn beginning() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

/// Longer than anything waits, ten of them.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Runs a proof with tokio's clock standing still, so that no timeout of a handler can depend on
/// how fast the machine is. It would run ahead whenever the runtime has nothing to do, such as while
/// SQLite's thread works; but never while a blocking task runs, so one does.
#[expect(clippy::expect_used, clippy::missing_panics_doc, reason = "tests only")]
pub fn stand_still<T>(proof: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let (over, waits) = std::sync::mpsc::channel::<()>();
        let anchor = tokio::task::spawn_blocking(move || waits.recv());
        let result = proof.await;
        drop(over);
        let _ = anchor.await;
        result
    })
}

/// One world.
pub struct World {
    /// Its time.
    pub clock: Arc<ManualClock>,
    /// Its topics.
    pub queues: Queues,
    /// The payment provider.
    pub bank: Bank,
    /// The mails.
    pub outbox: Outbox,
    /// What the stores hold, without anything going wrong.
    pub stores: Stores,
    /// Its customers.
    pub customers: Vec<Customer>,
    /// Its one flight.
    pub flight_id: FlightId,
    /// What [`World::next_check`] found.
    next_check: Option<Option<Timestamp>>,
    desk: BookingDesk,
    updates: Arc<Consumer<OrderUpdates>>,
    tickets: Arc<Consumer<TicketService>>,
    billing: Arc<Consumer<BillingService>>,
    email: Arc<Consumer<EmailService>>,
}

impl World {
    /// A world on those stores, which hold nothing unsettled. Worlds of different numbers may share
    /// them, one after another.
    #[expect(clippy::expect_used, reason = "tests only")]
    async fn new(stores: Stores, number: u64, begins: Beginning) -> Self {
        let Beginning { capacity, wishes, deadline, seed } = begins;
        let flight_id = FlightId::parse(&format!("OS-{number}")).expect("a flight's id");
        stores.tickets.put_flight(&jobs::flight(&flight_id, capacity)).await.expect("the flight is stored");
        let clock = Arc::new(ManualClock::at(beginning()));
        let queues = Queues::new(clock.clone());
        let (bank, outbox) = (Bank::default(), Outbox::default());
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(seed));
        let exposed = stores.exposed();
        let topics: Arc<dyn Topics> = Arc::new(queues.clone());
        let gateway = Gateway { orders: exposed.orders, topics, clock: clock.clone() };
        let desk = BookingDesk {
            gateway: gateway.clone(),
            entropy: entropy.clone(),
            // Other ids in each world.
            secret: Secret::new(&number.to_le_bytes().repeat(4)).expect("32 bytes"),
            deadline,
        };
        let tickets = TicketService { store: exposed.tickets, clock: clock.clone() };
        let billing = BillingService {
            store: exposed.payments,
            provider: Arc::new(bank.clone()),
            clock: clock.clone(),
        };
        let email = EmailService { store: exposed.mails, mailer: Arc::new(outbox.clone()) };
        let customers = wishes.into_iter().map(|wish| Customer { wish, order: None, told: false }).collect();
        Self {
            customers,
            flight_id,
            next_check: None,
            desk,
            updates: Arc::new(Consumer::new(OrderUpdates(gateway), entropy.clone())),
            tickets: Arc::new(Consumer::new(tickets, entropy.clone())),
            billing: Arc::new(Consumer::new(billing, entropy.clone())),
            email: Arc::new(Consumer::new(email, entropy)),
            clock,
            queues,
            bank,
            outbox,
            stores,
        }
    }

    /// Begins something; `None` if there is nothing to begin. Of a `twin` the messages can be
    /// received by another at the same time.
    pub fn begin(&self, job: &Job, twin: bool) -> Option<Task<Done>> {
        match job {
            Job::Order(customer) => Some(self.order(*customer)),
            Job::Cancel(customer) => self.customers[*customer].order.map(|order| self.cancel(order)),
            Job::Deliver(topic, ids) => {
                let batch: Vec<_> = ids.iter().filter_map(|id| self.queues.receive(*id, twin)).collect();
                (!batch.is_empty()).then(|| match topic {
                    Topic::Tickets => self.consume(&self.tickets, batch),
                    Topic::OrderUpdates => self.consume(&self.updates, batch),
                    Topic::Billing => self.consume(&self.billing, batch),
                    Topic::Email => self.consume(&self.email, batch),
                })
            }
            Job::Reconcile => {
                let gateway = self.desk.gateway.clone();
                Some(Task::new(async move {
                    let _ = gateway.reconcile(1).await;
                    Done::Reconciled
                }))
            }
        }
    }

    fn consume<S: Service + 'static>(&self, consumer: &Arc<Consumer<S>>, batch: Vec<Delivery>) -> Task<Done> {
        let (consumer, topics) = (consumer.clone(), self.queues.clone());
        let time = Duration::from_secs(25);
        Task::new(async move { Done::Consumed(consumer.consume(&batch, time, &topics).await) })
    }

    #[expect(clippy::expect_used, reason = "tests only")]
    fn order(&self, customer: usize) -> Task<Done> {
        let (desk, request) =
            (self.desk.clone(), jobs::request(&self.flight_id, &self.customers[customer].wish));
        let key = IdempotencyKey::parse(format!("customer-{customer}").as_bytes()).expect("a key");
        Task::new(async move {
            match desk.accept(request, Some(&key), None).await {
                Ok(Acceptance::Accepted(order)) => Done::Ordered(order.id),
                Ok(Acceptance::KeyReused) | Err(_) => Done::NoAnswer,
            }
        })
    }

    fn cancel(&self, order: OrderId) -> Task<Done> {
        let gateway = self.desk.gateway.clone();
        Task::new(async move {
            match gateway.cancel(order).await {
                Ok(Cancellation::Cancelling(_) | Cancellation::Refused(..)) => Done::Told,
                Ok(Cancellation::Unknown) | Err(_) => Done::NoAnswer,
            }
        })
    }

    /// Takes in what came of a job; `None` if it died.
    pub fn end(&mut self, job: &Job, done: Option<&Done>, twin: bool) {
        if !matches!(job, Job::Deliver(Topic::Tickets | Topic::Billing | Topic::Email, _)) {
            self.next_check = None;
        }
        match (job, done) {
            (Job::Order(customer), Some(Done::Ordered(order))) => {
                self.customers[*customer].order = Some(*order);
            }
            (Job::Cancel(customer), Some(Done::Told)) => self.customers[*customer].told = true,
            (Job::Deliver(_, ids), done) => {
                for id in ids {
                    let again = match done {
                        Some(Done::Consumed(again)) => again.contains(&id.to_string()),
                        _ => true,
                    };
                    if !again {
                        self.queues.acknowledge(*id);
                    } else if !twin {
                        self.queues.give_back(*id);
                    }
                }
            }
            _ => {}
        }
    }

    /// Does a job from beginning to end; `choose` says what goes wrong with each call.
    pub async fn perform(&mut self, job: &Job, choose: &mut impl FnMut(Site) -> Option<calls::Fault>) {
        let Some(mut task) = self.begin(job, false) else { return };
        let mut progress = task.run().await;
        loop {
            match progress {
                Progress::Waits(sites) => progress = task.let_go(0, choose(sites[0])).await,
                Progress::Done(done) => return self.end(job, Some(&done), false),
                Progress::Died => return self.end(job, None, false),
            }
        }
    }

    /// All orders that exist, of whatever customers know.
    pub async fn orders(&self) -> Vec<Order> {
        let mut orders = Vec::new();
        for customer in &self.customers {
            if let Some(id) = customer.order
                && let Ok(Some(order)) = self.stores.orders.get(id).await
            {
                orders.push(order);
            }
        }
        orders
    }

    /// Where a customer's order stands.
    pub async fn status(&self, customer: usize) -> Option<Status> {
        let order = self.stores.orders.get(self.customers[customer].order?).await.ok()??;
        Some(order.state.status())
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// When the reconciler has something to look at next. To ask costs as much as all the rest of a
    /// story, so what was found is kept until something ends that may change it.
    async fn next_check(&mut self) -> Option<Timestamp> {
        if let Some(known) = self.next_check {
            return known;
        }
        let unsettled = self.orders().await.iter().any(|order| !order.state.is_settled());
        let mut next = None;
        if unsettled {
            let checks = self.stores.orders.due(beginning() + 10 * YEAR, 1).await;
            next = checks.ok().and_then(|checks| checks.first().map(|check| check.at));
        }
        *self.next_check.insert(next)
    }

    /// What happens next when nobody meddles: the oldest messages that can be received, or else
    /// time passes. `None` at rest. A topic that is `away` is not consumed.
    pub async fn next(&mut self, batch: usize, away: impl Fn(Topic) -> Option<Timestamp>) -> Option<Job> {
        loop {
            let now = self.clock.now();
            let here = |message: &&Message| away(message.topic).is_none_or(|until| until <= now);
            let ready = self.queues.ready();
            if let Some(first) = ready.iter().find(here) {
                let of_topic = ready.iter().filter(|message| message.topic == first.topic);
                let ids = of_topic.take(batch).map(|message| message.id).collect();
                return Some(Job::Deliver(first.topic, ids));
            }
            let check = self.next_check().await;
            if check.is_some_and(|at| at <= now) {
                return Some(Job::Reconcile);
            }
            let messages = self.queues.messages();
            let visible = messages.iter().map(|message| {
                away(message.topic).map_or(message.visible_at, |until| until.max(message.visible_at))
            });
            let next = visible.chain(check).min()?;
            self.clock.advance(next.since(now));
        }
    }
}
