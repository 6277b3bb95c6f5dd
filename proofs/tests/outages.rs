//! Outages of a day, in simulated time: how many messages an order has meanwhile, and how soon it moves
//! on when the outage is over.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use booking_gateway::order::Order;
use proofs::fault::Fault;
use proofs::fixtures::{CARD_DECLINED, CARD_THAT_PAYS, DEPARTS_IN, start};
use proofs::port_call::PortCall;
use proofs::simulation::invariants::violations;
use proofs::simulation::job::{Job, Purchase, Setup};
use proofs::simulation::store_pool::{Backend, StorePool};
use proofs::simulation::topics::QueuedMessage;
use proofs::simulation::{Simulation, all_due, with_paused_time};
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use protocol::topic::Topic;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// How soon each order moves on after an outage: a delayed copy is at most 15 minutes away, and the
/// reconciler's next look a minute.
const MOVES_WITHIN: Duration = Duration::from_secs(16 * 60);

/// The most messages of one command that an order has in a topic which is not consumed for a day: the
/// first, and one of each check.
const MOST_IN_A_STOPPED_TOPIC: usize = 14;

/// Something that is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    /// The payment provider, for a day.
    Provider,
    /// The consumer of a topic, for a day.
    Consumer(Topic),
    /// The orders' store applies writes, and its replies to them are lost, for a day.
    RepliesOfTheOrders,
    /// The orders' store, for the consumer of order-updates and the reconciler, for a day. Before it went away
    /// it applied one write of each update, and its reply was lost.
    Orders,
    /// The consumer of billing, for a day; and each command that the reconciler sends is lost once.
    EachResend,
    /// The reconciler, for six hours; and the first send of each order is lost.
    Reconciler,
}

impl Outage {
    fn end(self) -> Timestamp {
        start() + if self == Outage::Reconciler { 6 * HOUR } else { 24 * HOUR }
    }

    fn stops(self, topic: Topic) -> bool {
        match self {
            Outage::Consumer(stopped) => stopped == topic,
            Outage::EachResend => topic == Topic::Billing,
            Outage::Provider | Outage::RepliesOfTheOrders | Outage::Orders | Outage::Reconciler => false,
        }
    }
}

/// What customers do, and after how many minutes.
fn requests() -> Vec<(Timestamp, Job)> {
    let at = |minutes: u32, job| (start() + MINUTE * minutes, job);
    vec![
        at(0, Job::Order(0)),
        at(3, Job::Order(1)),
        at(40, Job::Order(2)),
        at(130, Job::Cancel(1)),
        at(200, Job::Order(3)),
        at(359, Job::Order(4)),
    ]
}

/// A run through one outage.
struct Run {
    outage: Outage,
    simulation: Simulation,
    /// The orders of which the reconciler's last send was lost.
    lost: BTreeSet<OrderId>,
    /// The last message whose `time` was looked at.
    looked_at: u64,
    /// The most unexpired messages of one command of an order.
    most_unexpired: usize,
    /// The most messages of one command of an order in a topic.
    most: usize,
}

/// A message's own attributes.
struct Attributes {
    expires: Option<Timestamp>,
    time: Timestamp,
    attempt: u64,
}

fn attributes(message: &QueuedMessage) -> Attributes {
    let event: serde_json::Value = serde_json::from_str(&message.body).unwrap();
    let time = |name: &str| event[name].as_str().map(|time| time.parse().unwrap());
    Attributes {
        expires: time("expirytime"),
        time: time("time").unwrap(),
        attempt: event["attempt"].as_u64().unwrap_or(0),
    }
}

impl Run {
    fn is_over(&self) -> bool {
        self.simulation.now() >= self.outage.end()
    }

    /// Performs a job, with what goes wrong in this outage. A message that was tried must be handled; one that
    /// was never tried and has expired must not.
    async fn perform(&mut self, job: &Job) {
        let (outage, over, now) = (self.outage, self.is_over(), self.simulation.now());
        let lose = *job == Job::Reconcile && self.loses_resends().await;
        let delivered = match job {
            Job::Deliver(_, ids) => {
                self.simulation.topics.messages().into_iter().find(|one| one.id == ids[0])
            }
            Job::Order(_) | Job::Cancel(_) | Job::Reconcile => None,
        };
        let first = delivered.as_ref().is_some_and(|message| attributes(message).attempt == 0);
        let mut calls = 0;
        let choose = &mut |call: PortCall| {
            calls += 1;
            let writes_orders = matches!(
                call,
                PortCall::ORDER_STORE_CREATE | PortCall::ORDER_STORE_UPDATE | PortCall::ORDER_STORE_POSTPONE
            );
            let reads_orders = matches!(
                call,
                PortCall::ORDER_STORE_GET | PortCall::ORDER_STORE_GET_MANY | PortCall::ORDER_STORE_DUE
            );
            let sends = call == PortCall::TOPICS_SEND;
            let by_customer = matches!(job, Job::Order(_) | Job::Cancel(_));
            match outage {
                _ if over => None,
                Outage::RepliesOfTheOrders if writes_orders => Some(Fault::ReplyLost),
                Outage::Orders if writes_orders && !by_customer => Some(Fault::ReplyLost),
                Outage::Orders if reads_orders && !by_customer && !first => Some(Fault::FailsBefore),
                Outage::EachResend if sends && lose => Some(Fault::FailsBefore),
                Outage::Reconciler if sends && by_customer => Some(Fault::FailsBefore),
                _ => None,
            }
        };
        self.simulation.perform(job, &mut |site| choose(site.call)).await;
        if let Job::Order(customer) = job {
            self.find_order_of(*customer).await;
        }
        if let Some(message) = delivered {
            let Attributes { expires, attempt, .. } = attributes(&message);
            let tried = attempt > 0 || message.deliveries > 0;
            let expired = expires.is_some_and(|expires| expires <= now);
            let handled = calls > 0;
            assert_eq!(handled, tried || !expired, "{outage:?}: {} of attempt {attempt}", message.name());
        }
        self.count_messages().await;
    }

    /// A customer whose answer was lost is none the less waited for.
    async fn find_order_of(&mut self, customer: usize) {
        let far = start() + 1000 * HOUR;
        let unsettled = all_due(self.simulation.stores.orders.as_ref(), far, 100).await.unwrap();
        let customers = &mut self.simulation.customers;
        let known: BTreeSet<_> = customers.iter().filter_map(|customer| customer.order).collect();
        let unknown = unsettled.into_iter().map(|check| check.order).find(|order| !known.contains(order));
        customers[customer].order = customers[customer].order.or(unknown);
    }

    /// Whether what the reconciler sends now is lost: every other send of an order is.
    async fn loses_resends(&mut self) -> bool {
        let due = all_due(self.simulation.stores.orders.as_ref(), self.simulation.now(), 100).await.unwrap();
        let due: BTreeSet<_> = due.into_iter().map(|check| check.order).collect();
        let lose = !due.is_subset(&self.lost);
        self.lost.retain(|order| !due.contains(order));
        if lose {
            self.lost.extend(due);
        }
        lose
    }

    async fn count_messages(&mut self) {
        let (outage, now) = (self.outage, self.simulation.now());
        let mut unexpired: BTreeMap<_, usize> = BTreeMap::new();
        let mut all: BTreeMap<_, usize> = BTreeMap::new();
        for message in self.simulation.topics.messages() {
            let key = (message.topic, message.order.unwrap(), message.name());
            let Attributes { expires, time, .. } = attributes(&message);
            *all.entry(key.clone()).or_default() += 1;
            if let Some(expires) = expires {
                *unexpired.entry(key).or_default() += usize::from(expires > now);
                if message.id <= self.looked_at {
                    continue;
                }
                self.looked_at = message.id;
                let order = self.simulation.stores.orders.get(message.order.unwrap()).await.unwrap().unwrap();
                let began_to_wait = order.history.iter().any(|change| change.at == time);
                assert!(
                    began_to_wait || !message.topic.carries_commands(),
                    "{outage:?}: {} says {time}, which is no moment at which its order began to wait",
                    message.name()
                );
            }
        }
        for (key, count) in unexpired {
            assert!(count <= 2, "{outage:?}: {count} unexpired {key:?} at {now}");
            self.most_unexpired = self.most_unexpired.max(count);
        }
        for (key, count) in all {
            // What has expired is not copied any more: at most its last copy is on its way.
            let most = if outage.stops(key.0) { MOST_IN_A_STOPPED_TOPIC } else { 4 };
            assert!(count <= most || self.is_over(), "{outage:?}: {count} messages {key:?} at {now}");
            self.most = self.most.max(count);
        }
    }
}

async fn run(backend: Backend, outage: Outage) {
    let mut pool = StorePool::new(backend).await;
    let pays = |seats| Purchase::new(CARD_THAT_PAYS, seats);
    // The last one asks for more seats than the flight has.
    let purchases = vec![pays(1), pays(1), Purchase::new(CARD_DECLINED, 1), pays(1), pays(9)];
    let setup = Setup { capacity: 8, departs_in: DEPARTS_IN, purchases, deadline: 48 * HOUR, seed: 1 };
    let mut simulation = pool.simulation(1, setup).await;
    simulation.provider.set_down(outage == Outage::Provider);
    // Without the orders' store it can do nothing.
    if matches!(outage, Outage::Reconciler | Outage::Orders) {
        simulation.reconciler_absent_until = outage.end();
    }
    let mut run = Run { outage, simulation, lost: BTreeSet::new(), looked_at: 0, most_unexpired: 0, most: 0 };
    let mut requests = requests().into_iter().peekable();
    let mut waiting: Option<Vec<Order>> = None;
    loop {
        let now = run.simulation.now();
        if let Some((_, job)) = requests.next_if(|(at, _)| *at <= now) {
            run.perform(&job).await;
            continue;
        }
        if waiting.is_none() {
            run.simulation.horizon = requests.peek().map_or(outage.end(), |(at, _)| *at);
        }
        let stopped_until = |topic| outage.stops(topic).then_some(outage.end());
        let job = run.simulation.next(1, stopped_until).await;
        if waiting.is_none() && (run.is_over() || job.is_none() && requests.peek().is_none()) {
            run.simulation.clock.advance(outage.end().since(run.simulation.now()));
            run.simulation.horizon = start() + 1000 * HOUR;
            run.simulation.provider.set_down(false);
            let orders = run.simulation.orders().await;
            waiting = Some(orders.into_iter().filter(|order| !order.state.is_settled()).collect());
            continue;
        }
        match (job, requests.peek()) {
            (Some(job), _) => run.perform(&job).await,
            (None, Some((at, _))) => run.simulation.clock.advance(at.since(run.simulation.now())),
            (None, None) => break,
        }
    }
    let found = violations(&run.simulation).await;
    assert!(found.is_empty(), "{backend:?}, {outage:?}: {found:?}");
    let mut slowest = Duration::ZERO;
    for order in waiting.unwrap() {
        let after = run.simulation.stores.orders.get(order.id).await.unwrap().unwrap();
        let moved = after.history[order.history.len()].at;
        slowest = slowest.max(moved.since(outage.end()));
    }
    assert!(slowest <= MOVES_WITHIN, "{backend:?}, {outage:?}: an order moved after {slowest:?}");
    println!(
        "{backend:?}, {outage:?}: at most {} unexpired and {} in all of one command; each order moved within {} s",
        run.most_unexpired,
        run.most,
        slowest.as_secs()
    );
}

/// Few messages wait meanwhile, none that was tried is dropped, and afterwards every order moves on within sixteen
/// minutes and ends well.
fn survives(backend: Backend, outage: Outage) {
    with_paused_time(run(backend, outage));
}

#[test]
fn a_day_without_a_consumer_leaves_few_messages_and_every_order_moves_on() {
    for topic in Topic::ALL {
        survives(Backend::Sqlite, Outage::Consumer(topic));
    }
}

#[test]
fn a_day_without_the_payment_provider_leaves_few_messages_and_every_order_moves_on() {
    survives(Backend::Sqlite, Outage::Provider);
}

#[test]
fn a_day_without_replies_of_the_orders_leaves_few_messages_and_every_order_moves_on() {
    survives(Backend::Sqlite, Outage::RepliesOfTheOrders);
}

#[test]
fn a_day_without_the_orders_leaves_few_messages_and_every_order_moves_on() {
    for backend in Backend::ALL {
        survives(backend, Outage::Orders);
    }
}

#[test]
fn a_reconciler_whose_sends_are_lost_once_each_leaves_few_messages_and_every_order_moves_on() {
    survives(Backend::Sqlite, Outage::EachResend);
}

#[test]
fn six_hours_without_the_reconciler_leave_few_messages_and_every_order_moves_on() {
    survives(Backend::Sqlite, Outage::Reconciler);
}
