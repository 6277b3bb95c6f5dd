//! What the reconciler does about orders that wait.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::time::Duration;

use booking_gateway::order::Order;
use messaging::entropy::{Entropy, SeededEntropy};
use proofs::fixtures::{CARD_THAT_PAYS, start};
use proofs::simulation::job::{Job, Purchase, Setup};
use proofs::simulation::store_pool::{Backend, StorePool};
use proofs::simulation::{Simulation, with_paused_time};
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use protocol::topic::Topic;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

async fn ordered(pool: &mut StorePool) -> Simulation {
    let purchases = vec![Purchase { card: CARD_THAT_PAYS, seats: 1 }];
    let setup = Setup { capacity: 9, purchases, deadline: 48 * HOUR, seed: 1 };
    let mut simulation = pool.simulation(0, setup).await;
    simulation.perform(&Job::Order(0), &mut |_| None).await;
    simulation
}

#[test]
fn what_is_owed_is_sent_again_after_one_minute_doubling_to_six_hours() {
    for backend in Backend::ALL {
        with_paused_time(async {
            let mut pool = StorePool::new(backend).await;
            let mut simulation = ordered(&mut pool).await;
            // Every consumer is stopped, that of order-updates too.
            let far = start() + 1000 * HOUR;
            let mut sent = Vec::new();
            while let Some(job) = simulation.next(10, |_| Some(far)).await {
                let before = simulation.topics.messages().len();
                if job != Job::Reconcile {
                    break;
                }
                simulation.perform(&job, &mut |_| None).await;
                let messages = simulation.topics.messages();
                assert_eq!(messages.len(), before + 1, "one command for each check");
                sent.push((simulation.now(), messages.last().unwrap().name()));
                if sent.len() > 20 {
                    break;
                }
            }
            let minutes = |at: Timestamp| at.since(start()).as_secs() / 60;
            let first: Vec<_> = sent.iter().map(|(at, _)| minutes(*at)).take(12).collect();
            // The pauses: 1, 1, 2, 4 … 256 minutes, then six hours.
            assert_eq!(first, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512 + 360, 512 + 720]);
            let expired: Vec<_> = sent.iter().filter(|(_, name)| name == "deadline_passed").collect();
            let (at, _) = expired.first().unwrap();
            assert!(*at >= start() + 49 * HOUR && *at < start() + 56 * HOUR, "{at}");
            assert!(
                sent.iter().filter(|(at, _)| *at < start() + 49 * HOUR).all(|(_, name)| name == "reserve")
            );
        });
    }
}

/// Stores orders whose next checks are spread over the next six hours, or were due yesterday.
async fn fill(simulation: &Simulation, count: u64, overdue: bool) -> BTreeSet<OrderId> {
    let entropy = SeededEntropy::new(7);
    let one = simulation.orders().await.remove(0);
    let mut ids = BTreeSet::new();
    for first in (0..count).step_by(500) {
        let orders: Vec<Order> = (first..(first + 500).min(count))
            .map(|number| {
                let ahead = Duration::from_secs(120 + number * 6 * 60 * 60 / count);
                let from =
                    if overdue { start().as_millis() - 24 * 60 * 60 * 1000 } else { start().as_millis() };
                Order {
                    id: entropy.order_id(),
                    created_at: Timestamp::from_millis(from) + ahead,
                    ..one.clone()
                }
            })
            .collect();
        ids.extend(orders.iter().map(|order| order.id));
        let stored = orders.iter().map(|order| simulation.stores.orders.create(order));
        futures_util::future::try_join_all(stored).await.unwrap();
    }
    ids
}

/// How many commands to the Ticket Service were sent again.
fn resent(simulation: &Simulation) -> usize {
    simulation.topics.messages().iter().filter(|message| message.topic == Topic::Tickets).count() - 1
}

fn a_fresh_order_is_seen_among(count: u64, backend: Backend) {
    with_paused_time(async {
        let mut pool = StorePool::new(backend).await;
        let mut simulation = ordered(&mut pool).await;
        fill(&simulation, count, false).await;
        simulation.clock.advance(MINUTE);
        simulation.perform(&Job::Reconcile, &mut |_| None).await;
        assert_eq!(resent(&simulation), 1, "the fresh order, and nothing else, is due");
    });
}

#[test]
fn two_hundred_thousand_waiting_orders_do_not_hide_a_fresh_one() {
    a_fresh_order_is_seen_among(200_000, Backend::Sqlite);
    a_fresh_order_is_seen_among(2_000, Backend::DynamoDb);
}

#[test]
fn a_fresh_order_has_its_turn_though_everything_is_overdue() {
    for backend in Backend::ALL {
        with_paused_time(async {
            let mut pool = StorePool::new(backend).await;
            let mut simulation = ordered(&mut pool).await;
            let fresh = simulation.customers[0].order;
            let overdue = fill(&simulation, 450, true).await;
            simulation.clock.advance(MINUTE);
            // Each run checks one page of a hundred, and none of them again before its next check is due.
            for _ in 0..5 {
                simulation.perform(&Job::Reconcile, &mut |_| None).await;
            }
            let checked: Vec<_> =
                simulation.topics.messages().iter().skip(1).map(|message| message.order).collect();
            assert_eq!(checked.len(), 451);
            assert!(checked.contains(&fresh));
            let once: BTreeSet<_> = checked.into_iter().flatten().collect();
            assert!(overdue.is_subset(&once), "each was checked once");
        });
    }
}
