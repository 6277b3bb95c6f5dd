//! What the reconciler does about orders that wait.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::time::Duration;

use booking_gateway::check::NextCheck;
use booking_gateway::order::Order;
use messaging::entropy::{Entropy, SeededEntropy};
use proofs::fault::Fault;
use proofs::fixtures::{CARD_THAT_PAYS, DEPARTS_IN, start};
use proofs::port_call::PortCall;
use proofs::simulation::job::{Job, Purchase, Setup};
use proofs::simulation::store_pool::{Backend, StorePool};
use proofs::simulation::task::Site;
use proofs::simulation::{Simulation, with_paused_time};
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use protocol::topic::Topic;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

async fn ordered(pool: &mut StorePool) -> Simulation {
    let purchases = vec![Purchase::new(CARD_THAT_PAYS, 1)];
    let setup = Setup { capacity: 9, departs_in: DEPARTS_IN, purchases, deadline: 48 * HOUR, seed: 1 };
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
                let created_at = Timestamp::from_millis(from) + ahead;
                let next_check = Some(NextCheck::first(created_at));
                Order { id: entropy.order_id(), created_at, next_check, ..one.clone() }
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
            simulation.perform(&Job::Reconcile, &mut |_| None).await;
            let checked: Vec<_> =
                simulation.topics.messages().iter().skip(1).map(|message| message.order).collect();
            assert_eq!(checked.len(), 451);
            let turn = checked.iter().position(|order| *order == fresh).unwrap();
            // Half of each page is for the freshest checks. DynamoDB's shards each have a page of their own.
            assert!(turn < 100 * simulation.stores.orders.shards(), "{turn} others before it");
            let once: BTreeSet<_> = checked.into_iter().flatten().collect();
            assert!(overdue.is_subset(&once), "each was checked once");
        });
    }
}

/// Has what the reconciler or a customer sends now lost.
fn lose_sends(site: Site) -> Option<Fault> {
    (site.call == PortCall::TOPICS_SEND).then_some(Fault::FailsBefore)
}

/// How long until the reconciler's next check.
async fn until_next_check(simulation: &Simulation) -> Duration {
    let order = simulation.orders().await.remove(0);
    order.next_check.unwrap().at.since(simulation.now())
}

/// An order that has been checked ten times, and will be checked in six hours.
async fn checked_ten_times(pool: &mut StorePool) -> Simulation {
    let mut simulation = ordered(pool).await;
    for _ in 0..10 {
        simulation.clock.advance(until_next_check(&simulation).await);
        simulation.perform(&Job::Reconcile, &mut |_| None).await;
    }
    assert_eq!(until_next_check(&simulation).await, HOUR * 6);
    simulation
}

#[test]
fn an_order_whose_commands_could_not_be_sent_again_is_checked_in_a_minute() {
    for backend in Backend::ALL {
        with_paused_time(async {
            let mut pool = StorePool::new(backend).await;
            let mut simulation = checked_ten_times(&mut pool).await;
            simulation.clock.advance(HOUR * 6);
            simulation.perform(&Job::Reconcile, &mut lose_sends).await;
            assert_eq!(until_next_check(&simulation).await, MINUTE);
            simulation.clock.advance(MINUTE);
            simulation.perform(&Job::Reconcile, &mut |_| None).await;
            assert_eq!(until_next_check(&simulation).await, HOUR * 6, "and then as before");
        });
    }
}

#[test]
fn an_order_whose_check_may_have_been_moved_is_checked_in_a_minute() {
    for backend in Backend::ALL {
        with_paused_time(async {
            let mut pool = StorePool::new(backend).await;
            let mut simulation = checked_ten_times(&mut pool).await;
            simulation.clock.advance(HOUR * 6);
            let lose_reply =
                |site: Site| (site.call == PortCall::ORDER_STORE_POSTPONE).then_some(Fault::ReplyLost);
            simulation.perform(&Job::Reconcile, &mut |site| lose_reply(site)).await;
            assert_eq!(until_next_check(&simulation).await, MINUTE);
        });
    }
}

#[test]
fn a_cancelled_order_is_checked_in_a_minute_however_rarely_it_was_before() {
    for backend in Backend::ALL {
        with_paused_time(async {
            let mut pool = StorePool::new(backend).await;
            let mut simulation = checked_ten_times(&mut pool).await;
            simulation.perform(&Job::Cancel(0), &mut lose_sends).await;
            assert_eq!(until_next_check(&simulation).await, MINUTE);
        });
    }
}

#[test]
fn requests_that_are_repeated_after_the_first_check_send_nothing() {
    with_paused_time(async {
        let mut pool = StorePool::new(Backend::Sqlite).await;
        let mut simulation = ordered(&mut pool).await;
        let sent = |simulation: &Simulation| simulation.topics.messages().len();
        let repeat = async |simulation: &mut Simulation, job: Job| {
            let before = sent(simulation);
            simulation.perform(&job, &mut |_| None).await;
            sent(simulation) - before
        };
        assert_eq!(
            repeat(&mut simulation, Job::Order(0)).await,
            1,
            "a retry of the customer is a retry of the send"
        );
        simulation.clock.advance(MINUTE);
        simulation.perform(&Job::Reconcile, &mut |_| None).await;
        assert_eq!(repeat(&mut simulation, Job::Order(0)).await, 0);
        assert_eq!(repeat(&mut simulation, Job::Cancel(0)).await, 1);
        assert_eq!(repeat(&mut simulation, Job::Cancel(0)).await, 1);
        simulation.clock.advance(MINUTE);
        simulation.perform(&Job::Reconcile, &mut |_| None).await;
        assert_eq!(repeat(&mut simulation, Job::Cancel(0)).await, 0);
    });
}

#[test]
fn a_mail_that_waits_for_a_week_is_dead_lettered() {
    with_paused_time(async {
        let mut pool = StorePool::new(Backend::Sqlite).await;
        let mut simulation = ordered(&mut pool).await;
        let no_mail = |site: Site| (site.call == PortCall::MAILER_SEND).then_some(Fault::FailsBefore);
        let mut given_up = None;
        while let Some(job) = simulation.next(10, |_| None).await {
            simulation.perform(&job, &mut |site| no_mail(site)).await;
            assert!(simulation.now() < start() + HOUR * 24 * 8, "it waits for more than a week");
            if let (None, [letter]) = (given_up, &simulation.topics.dead_letters()[..]) {
                assert!(letter.failure.starts_with("waited in vain since"), "{}", letter.failure);
                given_up = Some(simulation.now());
            }
        }
        let waited = given_up.unwrap().since(start());
        assert!(waited >= HOUR * 24 * 7 && waited < HOUR * 24 * 7 + MINUTE * 16, "{waited:?}");
    });
}
