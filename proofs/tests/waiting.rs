//! What the reconciler does about orders that wait.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::time::Duration;

use booking_gateway::order::Order;
use proofs::world::grounds::{Ground, Kind};
use proofs::world::jobs::{Beginning, Job, Wish};
use proofs::world::queues::kind;
use proofs::world::{World, beginning, stand_still};
use shared::entropy::SeededEntropy;
use shared::ids::OrderId;
use shared::time::Timestamp;
use shared::topic::Topic;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

async fn ordered(ground: &mut Ground) -> World {
    let wishes = vec![Wish { card: "pm_card_visa", seats: 1 }];
    let beginning = Beginning { capacity: 9, wishes, deadline: 48 * HOUR, seed: 1 };
    let mut world = ground.world(0, beginning).await;
    world.perform(&Job::Order(0), &mut |_| None).await;
    world
}

#[test]
fn what_is_owed_is_sent_again_after_one_minute_doubling_to_six_hours() {
    for ground in [Kind::Sqlite, Kind::DynamoDb] {
        stand_still(async {
            let mut ground = Ground::new(ground).await;
            let mut world = ordered(&mut ground).await;
            // The Ticket Service is away for good, and so is order-updates at last.
            let far = beginning() + 1000 * HOUR;
            let mut sent = Vec::new();
            while let Some(job) = world.next(10, |_| Some(far)).await {
                let before = world.queues.messages().len();
                if job != Job::Reconcile {
                    break;
                }
                world.perform(&job, &mut |_| None).await;
                let messages = world.queues.messages();
                assert_eq!(messages.len(), before + 1, "one command a look");
                sent.push((world.now(), kind(messages.last().unwrap())));
                if sent.len() > 20 {
                    break;
                }
            }
            let minutes = |at: Timestamp| at.since(beginning()).as_secs() / 60;
            let first: Vec<_> = sent.iter().map(|(at, _)| minutes(*at)).take(12).collect();
            // The pauses: 1, 1, 2, 4 … 256 minutes, then six hours.
            assert_eq!(first, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512 + 360, 512 + 720]);
            let expired: Vec<_> = sent.iter().filter(|(_, kind)| kind == "deadline_passed").collect();
            let (at, _) = expired.first().unwrap();
            assert!(*at >= beginning() + 49 * HOUR && *at < beginning() + 56 * HOUR, "{at}");
            assert!(
                sent.iter()
                    .filter(|(at, _)| *at < beginning() + 49 * HOUR)
                    .all(|(_, kind)| kind == "reserve")
            );
        });
    }
}

/// Orders that were looked at before and wait for their next look, spread over the next six hours;
/// or whose look is overdue since yesterday.
async fn fill(world: &World, count: u64, overdue: bool) -> BTreeSet<OrderId> {
    let entropy = SeededEntropy::new(7);
    let one = world.orders().await.remove(0);
    let mut ids = BTreeSet::new();
    for first in (0..count).step_by(500) {
        let orders: Vec<Order> = (first..(first + 500).min(count))
            .map(|number| {
                let ahead = Duration::from_secs(120 + number * 6 * 60 * 60 / count);
                let from = if overdue {
                    beginning().as_millis() - 24 * 60 * 60 * 1000
                } else {
                    beginning().as_millis()
                };
                Order {
                    id: OrderId::random(&entropy),
                    created_at: Timestamp::from_millis(from) + ahead,
                    ..one.clone()
                }
            })
            .collect();
        ids.extend(orders.iter().map(|order| order.id));
        let stored = orders.iter().map(|order| world.stores.orders.create(order));
        futures_util::future::try_join_all(stored).await.unwrap();
    }
    ids
}

fn resent(world: &World) -> usize {
    world.queues.messages().iter().filter(|message| message.topic == Topic::Tickets).count() - 1
}

fn a_fresh_order_is_seen_among(count: u64, ground: Kind) {
    stand_still(async {
        let mut ground = Ground::new(ground).await;
        let mut world = ordered(&mut ground).await;
        fill(&world, count, false).await;
        world.clock.advance(MINUTE);
        world.perform(&Job::Reconcile, &mut |_| None).await;
        assert_eq!(resent(&world), 1, "the fresh order, and nothing else, is due");
    });
}

#[test]
fn two_hundred_thousand_waiting_orders_do_not_hide_a_fresh_one() {
    a_fresh_order_is_seen_among(200_000, Kind::Sqlite);
    a_fresh_order_is_seen_among(2_000, Kind::DynamoDb);
}

#[test]
fn a_fresh_order_has_its_turn_though_everything_is_overdue() {
    for ground in [Kind::Sqlite, Kind::DynamoDb] {
        stand_still(async {
            let mut ground = Ground::new(ground).await;
            let mut world = ordered(&mut ground).await;
            let fresh = world.customers[0].order;
            let overdue = fill(&world, 450, true).await;
            world.clock.advance(MINUTE);
            // Each run of one page moves a hundred on, and never comes back to them before their time.
            for _ in 0..5 {
                world.perform(&Job::Reconcile, &mut |_| None).await;
            }
            let looked_at: Vec<_> =
                world.queues.messages().iter().skip(1).map(|message| message.order).collect();
            assert_eq!(looked_at.len(), 451);
            assert!(looked_at.contains(&fresh));
            let once: BTreeSet<_> = looked_at.into_iter().flatten().collect();
            assert!(overdue.is_subset(&once), "each was looked at once");
        });
    }
}
