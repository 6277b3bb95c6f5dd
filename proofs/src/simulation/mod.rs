//! A simulation: every service as it ships, on real stores, with topics, a payment provider and a clock
//! that a proof controls.
//!
//! | noun | module |
//! |---|---|
//! | a handler at work, stopped before each of its port calls | [`task`] |
//! | the stores of SQLite and of DynamoDB | [`store_pool`] |
//! | what customers want, and what begins and ends | [`job`] |
//! | the topics | [`topics`] |
//! | the payment provider | [`provider`] |
//! | the mailer | [`mailer`] |
//! | whether it ended well | [`invariants`] |
//!
//! Nothing sleeps, and nothing depends on the machine: see [`with_paused_time`].

pub mod invariants;
pub mod job;
pub mod mailer;
pub mod provider;
pub mod store_pool;
pub mod task;
pub mod topics;

use std::sync::Arc;
use std::time::Duration;

use billing_service::provider::{ProviderName, Providers};
use booking_gateway::accept::Acceptance;
use booking_gateway::deadline::DeadlinePolicy;
use booking_gateway::gateway::Cancellation;
use booking_gateway::idempotency::IdempotencyKey;
use booking_gateway::order::{Order, Status};
use booking_gateway::store::{Check, From, OrderStore};
use job::{Customer, Job, JobResult, Setup};
use mailer::RecordingMailer;
use messaging::clock::{Clock, ManualClock};
use messaging::entropy::SeededEntropy;
use messaging::store::StoreError;
use protocol::flight::FlightId;
use protocol::ids::OrderId;
use protocol::manage::ManageSecrets;
use protocol::secret::Secret;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use provider::FaultyProvider;
use system::{Ports, Services, Settings, Stores};
use task::{Progress, Site, Task};
use topics::{QueuedMessage, SimulatedTopics};

use crate::fault::Fault;
use crate::fixtures::{self, start};
use crate::stores::intercepted;

/// How long a consumer may take for a batch. Time is paused, so this is never reached.
const CONSUME_TIME: Duration = Duration::from_secs(25);

/// Later than anything waits for.
fn end_of_time() -> Timestamp {
    start() + Duration::from_secs(10 * 365 * 24 * 60 * 60)
}

/// Runs a proof with tokio's clock paused, so that no timeout of a handler depends on how fast the
/// machine is. A paused clock runs ahead while the runtime has nothing to do, such as while SQLite's
/// thread works; it never does while a blocking task runs. So one runs as long as the proof does.
#[expect(clippy::expect_used, clippy::missing_panics_doc, reason = "tests only")]
pub fn with_paused_time<T>(proof: impl Future<Output = T>) -> T {
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

/// The checks that are due, of every shard up to `limit`, the most overdue first.
pub async fn all_due(
    orders: &dyn OrderStore,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Check>, StoreError> {
    let mut due = Vec::new();
    for shard in 0..orders.shards() {
        due.extend(orders.due(shard, now, From::Oldest(None), limit).await?);
    }
    due.sort();
    Ok(due)
}

/// The services on ports that a proof controls, and their customers.
pub struct Simulation {
    /// The time.
    pub clock: Arc<ManualClock>,
    /// The topics.
    pub topics: SimulatedTopics,
    /// The payment provider.
    pub provider: FaultyProvider,
    /// The mailer.
    pub mailer: RecordingMailer,
    /// The stores, for a proof to look into: no call waits or goes wrong here.
    pub stores: Stores,
    /// The customers.
    pub customers: Vec<Customer>,
    /// The one flight.
    pub flight_id: FlightId,
    /// The reconciler does not run before.
    pub reconciler_absent_until: Timestamp,
    /// [`Simulation::next`] lets no time pass beyond this.
    pub horizon: Timestamp,
    services: Services,
    /// What [`Simulation::next_check`] found.
    next_check: Option<Option<Timestamp>>,
}

impl Simulation {
    /// A simulation on those stores, which hold nothing unsettled. The number makes its ids differ from
    /// those of other simulations on the same stores.
    #[expect(clippy::expect_used, reason = "tests only")]
    async fn new(stores: Stores, number: u64, setup: Setup) -> Self {
        let Setup { capacity, departs_in, purchases, deadline, seed } = setup;
        let flight_id = FlightId::parse(&format!("OS-{number}")).expect("a flight's id");
        let flight = fixtures::flight(flight_id.clone(), capacity, departs_in);
        stores.tickets.put_flight(&flight).await.expect("the flight is stored");
        let clock = Arc::new(ManualClock::at(start()));
        let topics = SimulatedTopics::new(clock.clone());
        let (provider, mailer) = (FaultyProvider::default(), RecordingMailer::default());
        let ports = Ports {
            stores: intercepted(&stores),
            providers: Providers::only(ProviderName::SIMULATED, Arc::new(provider.clone())),
            mailer: Arc::new(mailer.clone()),
            topics: Arc::new(topics.clone()),
            clock: clock.clone(),
            entropy: Arc::new(SeededEntropy::new(seed)),
            limiter: None,
        };
        let id_secret = Secret::new(&number.to_le_bytes().repeat(4)).expect("32 bytes");
        let manage = ManageSecrets { current: id_secret.clone(), previous: None };
        let deadlines = DeadlinePolicy { deadline, ..DeadlinePolicy::default() };
        let services = Services::new(&ports, Settings { id_secret, manage, public_url: None, deadlines });
        let customer = |purchase| Customer { purchase, order: None, cancel_answered: false };
        let customers = purchases.into_iter().map(customer).collect();
        let (next_check, reconciler_absent_until, horizon) = (None, start(), end_of_time());
        Self {
            reconciler_absent_until,
            horizon,
            clock,
            topics,
            provider,
            mailer,
            stores,
            customers,
            flight_id,
            services,
            next_check,
        }
    }

    /// Begins a job; `None` if there is nothing to do. The messages of a `duplicate` can be received by
    /// another consumer at the same time.
    pub fn begin(&self, job: &Job, duplicate: bool) -> Option<Task<JobResult>> {
        match job {
            Job::Order(customer) => Some(self.order(*customer)),
            Job::Cancel(customer) => self.customers[*customer].order.map(|order| self.cancel(order)),
            Job::Deliver(topic, ids) => self.deliver(*topic, ids, duplicate),
            Job::Reconcile => {
                let gateway = self.services.gateway().clone();
                Some(Task::new(async move {
                    let _ = gateway.reconcile(CONSUME_TIME).await;
                    JobResult::Reconciled
                }))
            }
        }
    }

    fn deliver(&self, topic: Topic, ids: &[u64], duplicate: bool) -> Option<Task<JobResult>> {
        let batch: Vec<_> = ids.iter().filter_map(|id| self.topics.receive(*id, duplicate)).collect();
        if batch.is_empty() {
            return None;
        }
        let (consumer, topics) = (self.services.consumer(topic).clone(), self.topics.clone());
        Some(Task::new(
            async move { JobResult::Consumed(consumer.consume(&batch, CONSUME_TIME, &topics).await) },
        ))
    }

    #[expect(clippy::expect_used, reason = "tests only")]
    fn order(&self, customer: usize) -> Task<JobResult> {
        let purchase = &self.customers[customer].purchase;
        let request =
            fixtures::request(self.flight_id.clone(), purchase.seats, purchase.card, purchase.expected);
        let key = IdempotencyKey::parse(format!("customer-{customer}").as_bytes()).expect("a key");
        let acceptor = self.services.acceptor.clone();
        Task::new(async move {
            match acceptor.accept(request, Some(&key), None, None).await {
                Ok(Acceptance::Accepted(order)) => JobResult::Ordered(order.id),
                Ok(Acceptance::KeyReused | Acceptance::Limited(_)) | Err(_) => JobResult::NoAnswer,
            }
        })
    }

    fn cancel(&self, order: OrderId) -> Task<JobResult> {
        let gateway = self.services.gateway().clone();
        Task::new(async move {
            match gateway.cancel(order, None).await {
                Ok(Cancellation::Cancelling(_) | Cancellation::Refused(..)) => JobResult::CancelAnswered,
                Ok(Cancellation::Unknown) | Err(_) => JobResult::NoAnswer,
            }
        })
    }

    /// Takes in the result of a job; `None` if it died.
    pub fn end(&mut self, job: &Job, result: Option<&JobResult>, duplicate: bool) {
        // A command does not reach the gateway's records.
        if !matches!(job, Job::Deliver(topic, _) if topic.carries_commands()) {
            self.next_check = None;
        }
        match (job, result) {
            (Job::Order(customer), Some(JobResult::Ordered(order))) => {
                self.customers[*customer].order = Some(*order);
            }
            (Job::Cancel(customer), Some(JobResult::CancelAnswered)) => {
                self.customers[*customer].cancel_answered = true;
            }
            (Job::Deliver(_, ids), result) => {
                for id in ids {
                    let redeliver = match result {
                        Some(JobResult::Consumed(failed)) => failed.contains(&id.to_string()),
                        _ => true,
                    };
                    if !redeliver {
                        self.topics.acknowledge(*id);
                    } else if !duplicate {
                        self.topics.redeliver(*id);
                    }
                }
            }
            _ => {}
        }
    }

    /// Does a job from beginning to end; `choose` says what goes wrong with each call.
    pub async fn perform(&mut self, job: &Job, choose: &mut impl FnMut(Site) -> Option<Fault>) {
        let Some(mut task) = self.begin(job, false) else { return };
        let mut progress = task.run().await;
        loop {
            match progress {
                Progress::Waits(sites) => progress = task.resume(0, choose(sites[0])).await,
                Progress::Done(result) => return self.end(job, Some(&result), false),
                Progress::Died => return self.end(job, None, false),
            }
        }
    }

    /// All orders that customers know of and that exist.
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

    /// The status of a customer's order.
    pub async fn status(&self, customer: usize) -> Option<Status> {
        let order = self.stores.orders.get(self.customers[customer].order?).await.ok()??;
        Some(order.state.status())
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// When the reconciler has its next check. To ask takes as long as all the rest of a scenario, so
    /// the answer is kept until a job ends that may change it.
    async fn next_check(&mut self) -> Option<Timestamp> {
        if let Some(known) = self.next_check {
            return known;
        }
        let unsettled = self.orders().await.iter().any(|order| !order.state.is_settled());
        let mut next = None;
        if unsettled {
            let orders = self.stores.orders.as_ref();
            next = all_due(orders, end_of_time(), 1).await.ok().and_then(|checks| Some(checks.first()?.at));
        }
        *self.next_check.insert(next)
    }

    /// What happens next by itself: the oldest messages that can be received are delivered, or else time
    /// passes. `None` at rest, or if nothing happens before the horizon. A topic is not consumed before the time that `stopped_until` answers.
    pub async fn next(
        &mut self,
        batch: usize,
        stopped_until: impl Fn(Topic) -> Option<Timestamp>,
    ) -> Option<Job> {
        loop {
            let now = self.now();
            let consumed =
                |message: &&QueuedMessage| stopped_until(message.topic).is_none_or(|until| until <= now);
            let ready = self.topics.ready();
            if let Some(first) = ready.iter().find(consumed) {
                let of_topic = ready.iter().filter(|message| message.topic == first.topic);
                let ids = of_topic.take(batch).map(|message| message.id).collect();
                return Some(Job::Deliver(first.topic, ids));
            }
            let check = self.next_check().await.map(|at| at.max(self.reconciler_absent_until));
            if check.is_some_and(|at| at <= now) {
                return Some(Job::Reconcile);
            }
            let messages = self.topics.messages();
            let visible = messages.iter().map(|message| {
                stopped_until(message.topic).map_or(message.visible_at, |until| until.max(message.visible_at))
            });
            let next = visible.chain(check).min().filter(|next| *next <= self.horizon)?;
            self.clock.advance(next.since(now));
        }
    }
}
