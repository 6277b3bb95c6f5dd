//! How fast the reconciler is, and that a fresh order does not wait for a million others: in simulated time,
//! on a store that takes 10 ms and 1 ms of CPU a call. Lambda gives a function CPU by its memory: one vCPU at
//! 1,769 MB ("Configure Lambda function memory" in AWS's documentation).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use booking_gateway::check::NextCheck;
use booking_gateway::deadline::DeadlinePolicy;
use booking_gateway::gateway::Gateway;
use booking_gateway::order::Order;
use booking_gateway::store::{Check, Created, From, OrderStore, Postponed, Updated, Watch};
use booking_gateway_contract::order;
use messaging::clock::Clock;
use messaging::store::StoreError;
use messaging::topics::{Outgoing, SendError, Topics};
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use tokio::time::{Instant, sleep, sleep_until};

const ORDERS: u32 = 1_000_000;
const SHARDS: usize = 16;
const MINUTE: Duration = Duration::from_secs(60);

/// The reconciler's memory in template.yaml.
const MEMORY: u32 = 1769;

/// What a call takes beside CPU.
const LATENCY: Duration = Duration::from_millis(10);

/// How long a run may take: Lambda's timeout less what is kept to answer.
const RUN: Duration = Duration::from_secs(55);

/// A machine with part of a CPU, and the orders and topics that it calls.
struct Machine {
    began: Instant,
    /// What a call takes of its CPU, which does one thing at a time.
    cpu_of_a_call: Duration,
    cpu_is_free: Mutex<Instant>,
    template: Order,
    shards: Vec<Mutex<BTreeMap<Check, ()>>>,
    sent: Mutex<HashMap<OrderId, Timestamp>>,
}

fn start() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

fn shard_of(id: OrderId) -> usize {
    usize::from(id.as_bytes()[0]) % SHARDS
}

impl Machine {
    fn new(memory: u32) -> Self {
        Self {
            began: Instant::now(),
            cpu_of_a_call: Duration::from_millis(1).mul_f64(1769.0 / f64::from(memory)),
            cpu_is_free: Mutex::new(Instant::now()),
            template: order(1, 0),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            sent: Mutex::default(),
        }
    }

    fn put(&self, check: Check) {
        self.shards[shard_of(check.order)].lock().unwrap().insert(check, ());
    }

    async fn call(&self) {
        let done = {
            let mut free = self.cpu_is_free.lock().unwrap();
            *free = (*free).max(Instant::now()) + self.cpu_of_a_call;
            *free
        };
        sleep_until(done + LATENCY).await;
    }
}

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        start() + self.began.elapsed()
    }
}

#[async_trait]
impl Topics for Machine {
    async fn send(&self, messages: Vec<Outgoing>) -> Vec<Result<(), SendError>> {
        futures_util::future::join_all(messages.chunks(10).map(|_| self.call())).await;
        let mut sent = self.sent.lock().unwrap();
        sent.extend(messages.iter().filter_map(|message| Some((message.order()?, self.now()))));
        messages.iter().map(|_| Ok(())).collect()
    }
}

#[async_trait]
impl OrderStore for Machine {
    async fn create(&self, _order: &Order) -> Result<Created, StoreError> {
        unimplemented!("the reconciler creates no order")
    }

    async fn get(&self, _id: OrderId) -> Result<Option<Order>, StoreError> {
        unimplemented!("the reconciler's postponing returns the order")
    }

    async fn get_many(&self, _ids: &[OrderId]) -> Result<HashMap<OrderId, Order>, StoreError> {
        unimplemented!("the reconciler's postponing returns the order")
    }

    async fn update(&self, _next: &Order, _watch: Watch) -> Result<Updated, StoreError> {
        unimplemented!("the reconciler changes no order")
    }

    fn shards(&self) -> usize {
        SHARDS
    }

    async fn due(
        &self,
        shard: usize,
        now: Timestamp,
        from: From<'_>,
        limit: usize,
    ) -> Result<Vec<Check>, StoreError> {
        self.call().await;
        let checks = self.shards[shard].lock().unwrap();
        let end = Check { at: now + Duration::from_millis(1), order: OrderId::NIL, count: 0 };
        Ok(match from {
            From::Oldest(None) => checks.range(..end).take(limit).map(|(check, ())| check.clone()).collect(),
            From::Oldest(Some(last)) => {
                let rest = checks.range(last.clone()..).map(|(check, ())| check);
                rest.filter(|check| *check > last && **check < end).take(limit).cloned().collect()
            }
            From::Freshest => {
                checks.range(..end).rev().take(limit).map(|(check, ())| check.clone()).collect()
            }
        })
    }

    async fn postpone(&self, check: &Check, next: NextCheck) -> Result<Postponed, StoreError> {
        self.call().await;
        let mut checks = self.shards[shard_of(check.order)].lock().unwrap();
        if checks.remove(check).is_none() {
            return Ok(Postponed::Gone);
        }
        checks.insert(Check::of(check.order, next), ());
        let order = Order { id: check.order, next_check: Some(next), ..self.template.clone() };
        Ok(Postponed::Moved(Box::new(order)))
    }
}

fn id(number: u32) -> OrderId {
    let mut bytes = [0; 16];
    bytes[0] = number.to_le_bytes()[0];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    OrderId::from_bytes(bytes)
}

/// Runs the reconciler every minute for three minutes while a million orders are overdue; answers how many
/// it checks in a second, and how long the slowest of some fresh orders waited for its first send.
async fn pace(memory: u32) -> (usize, Duration) {
    let machine = Arc::new(Machine::new(memory));
    for number in 0..ORDERS {
        // They were due within the last six hours, and have been checked often.
        let ago = Duration::from_secs(6 * 60 * 60).mul_f64(f64::from(number) / f64::from(ORDERS));
        let at = Timestamp::from_millis(start().as_millis() - i64::try_from(ago.as_millis()).unwrap());
        machine.put(Check { at, order: id(number), count: 9 });
    }
    let gateway = Gateway {
        orders: machine.clone(),
        topics: machine.clone(),
        clock: machine.clone(),
        deadlines: DeadlinePolicy::default(),
    };
    // Of these the first send was lost.
    let fresh: Vec<_> =
        (0..6).map(|number| (id(ORDERS + number), Duration::from_secs(10) * number)).collect();
    for (order, accepted) in &fresh {
        machine.put(Check::of(*order, NextCheck::first(start() + *accepted)));
    }
    let mut checked = 0;
    for run in 0..3 {
        sleep_until(machine.began + MINUTE * run).await;
        let run = gateway.reconcile(RUN).await.unwrap();
        checked += run.resent + run.expired;
    }
    sleep(MINUTE).await;
    let sent = machine.sent.lock().unwrap();
    let waited = |(order, accepted): &(OrderId, Duration)| {
        sent.get(order).map_or(Duration::MAX, |sent| sent.since(start() + *accepted))
    };
    let slowest = fresh.iter().map(waited).max().unwrap();
    (checked / (3 * 55), slowest)
}

#[test]
fn a_lost_first_send_is_sent_again_within_three_minutes_though_a_million_orders_are_overdue() {
    for memory in [256, MEMORY] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let (rate, slowest) = runtime.unwrap().block_on(pace(memory));
        println!(
            "{memory} MB: {rate} orders a second, a million in {} min; a fresh order after {} s",
            ORDERS as usize / rate.max(1) / 60,
            slowest.as_secs()
        );
        assert!(slowest <= MINUTE * 3, "{memory} MB: after {slowest:?}");
    }
}
