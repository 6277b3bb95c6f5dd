//! The work that every booking does several times, a fixed amount of it each. `cargo bench -p standalone` prints times;
//! what is counted instead of timed is in `tests/counters.rs`.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use booking_gateway::order::{Applied, Input, Order, apply, owed};
use booking_gateway::store::{OrderStore, Watch};
use booking_gateway_contract::order;
use divan::{AllocProfiler, Bencher};
use messaging::clock::SystemClock;
use messaging::topics::{Outgoing, Topics};
use protocol::event::Event;
use protocol::messages::{OrderUpdate, TicketCommand};
use protocol::money::{Currency, Money};
use protocol::topic::Topic;
use standalone::sqlite::topics::{Finished, SqliteTopics};
use standalone::sqlite::{self, SqliteStores};
use tempfile::TempDir;
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

fn reserved() -> Input {
    let amount = Money { value: 25_900, currency: Currency::parse("EUR").unwrap() };
    let departs_at = order(1, 0).not_after;
    Input::Update(OrderUpdate::TicketsReserved { amount, departs_at, route: None })
}

fn command() -> Outgoing {
    let order = order(1, 0);
    owed(&order).remove(0).owed_by(&order, order.created_at)
}

#[divan::bench]
fn apply_an_update(bencher: Bencher<'_, '_>) {
    let (order, input) = (order(1, 0), reserved());
    bencher.bench(|| apply(black_box(&order), black_box(&input), order.created_at));
}

#[divan::bench]
fn encode_an_order(bencher: Bencher<'_, '_>) {
    let order = order(1, 0);
    bencher.bench(|| serde_json::to_string(black_box(&order)).unwrap());
}

#[divan::bench]
fn decode_an_order(bencher: Bencher<'_, '_>) {
    let order = serde_json::to_string(&order(1, 0)).unwrap();
    bencher.bench(|| serde_json::from_str::<Order>(black_box(&order)).unwrap());
}

#[divan::bench]
fn encode_a_command(bencher: Bencher<'_, '_>) {
    let event = Event::<TicketCommand>::decode(&command().body).unwrap();
    bencher.bench(|| black_box(&event).encode());
}

#[divan::bench]
fn decode_a_command(bencher: Bencher<'_, '_>) {
    let body = command().body;
    bencher.bench(|| Event::<TicketCommand>::decode(black_box(&body)).unwrap());
}

struct Stage {
    runtime: Runtime,
    topics: SqliteTopics,
    stores: SqliteStores,
    _kept: TempDir,
}

impl Stage {
    fn new() -> Self {
        let kept = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let (database, topics) = sqlite::open(kept.path(), Arc::new(SystemClock)).unwrap();
        Self { runtime, topics, stores: SqliteStores(database), _kept: kept }
    }
}

/// So many writes share a commit.
#[divan::bench(args = [1, 64], sample_count = 20, sample_size = 20)]
fn a_group_commit(bencher: Bencher<'_, '_>, writes: u64) {
    let stage = Stage::new();
    let _within_the_runtime = stage.runtime.enter();
    let mut next = 0;
    bencher.bench_local(|| {
        next += writes;
        let orders = (next..next + writes).map(|number| order(number, number));
        let stores = stage.stores.clone();
        let group = stage.stores.0.within(async move {
            for order in orders {
                stores.create(&order).await.unwrap();
            }
        });
        stage.runtime.block_on(group).unwrap();
    });
}

/// A message is sent, received, and finished with its answer, on the writing thread.
#[divan::bench(sample_count = 20, sample_size = 20)]
fn a_hop(bencher: Bencher<'_, '_>) {
    let stage = Stage::new();
    let _within_the_runtime = stage.runtime.enter();
    bencher.bench_local(|| {
        let topics = stage.topics.clone();
        let hop = stage.topics.within(async move {
            topics.send(vec![command()]).await;
            let received = topics.receive(Topic::Tickets, 10, Duration::from_secs(30)).await;
            let finished = received.iter().filter_map(|one| Finished::of(Topic::Tickets, one));
            topics.finish(Topic::Tickets, finished.collect()).await.unwrap();
        });
        stage.runtime.block_on(hop).unwrap();
    });
}

/// An order moves on: read, applied, written.
#[divan::bench(sample_count = 20, sample_size = 20)]
fn a_move(bencher: Bencher<'_, '_>) {
    let stage = Stage::new();
    let _within_the_runtime = stage.runtime.enter();
    let mut number = 0;
    bencher.bench_local(|| {
        number += 1;
        let (stores, order, input) = (stage.stores.clone(), order(number, number), reserved());
        let moved = stage.stores.0.within(async move {
            stores.create(&order).await.unwrap();
            let order = stores.get(order.id).await.unwrap().unwrap();
            let Applied::Advance(next) = apply(&order, &input, order.created_at) else { return };
            stores.update(&next, Watch::between(&order, &next)).await.unwrap();
        });
        stage.runtime.block_on(moved).unwrap();
    });
}
