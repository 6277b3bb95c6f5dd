//! Two things that happen to one order at the same moment, in every way their calls can mingle.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use booking_gateway::order::Status;
use proofs::world::calls::{Progress, Task};
use proofs::world::grounds::{Ground, Kind};
use proofs::world::jobs::{Beginning, Done, Job, Wish};
use proofs::world::queues::kind;
use proofs::world::verdict::verdict;
use proofs::world::{World, stand_still};
use ticket_service::reservation::Reservation;

const MINUTE: Duration = Duration::from_secs(60);

/// A world with so many orders, which have ten minutes; their first commands wait in the topics.
async fn world(ground: &mut Ground, number: u64, orders: usize) -> World {
    let wishes = vec![Wish { card: "pm_card_visa", seats: 1 }; orders];
    let beginning = Beginning { capacity: 9, wishes, deadline: 10 * MINUTE, seed: 1 };
    let mut world = ground.world(number, beginning).await;
    for customer in 0..orders {
        world.perform(&Job::Order(customer), &mut |_| None).await;
    }
    world
}

/// The message of that kind which is ready to be delivered.
fn delivery(world: &World, of: &str) -> Job {
    let message = world.queues.ready().into_iter().find(|message| kind(message) == of);
    let message = message.unwrap_or_else(|| panic!("no {of} waits"));
    Job::Deliver(message.topic, vec![message.id])
}

/// Delivers the message of that kind.
async fn deliver(world: &mut World, of: &str) {
    let job = delivery(world, of);
    world.perform(&job, &mut |_| None).await;
}

/// Runs two jobs at once, as far as `choices` says which of them goes on; then the first one first.
/// Answers between how many there was a choice each time.
async fn race(world: &mut World, jobs: [&Job; 2], choices: &[usize]) -> Vec<usize> {
    let mut racing: Vec<(&Job, Task<Done>)> = Vec::new();
    for job in jobs {
        let mut task = world.begin(job, false).unwrap();
        match task.run().await {
            Progress::Waits(_) => racing.push((job, task)),
            progress => panic!("{job:?} made no call: {progress:?}"),
        }
    }
    let mut ways = Vec::new();
    while !racing.is_empty() {
        let which = choices.get(ways.len()).copied().unwrap_or(0);
        ways.push(racing.len());
        match racing[which].1.let_go(0, None).await {
            Progress::Waits(_) => {}
            Progress::Done(done) => {
                let (job, _) = racing.remove(which);
                world.end(job, Some(&done), false);
            }
            Progress::Died => panic!("nothing dies here"),
        }
    }
    ways
}

/// The choices that come next, as one counts; none after the last.
fn next(mut choices: Vec<usize>, ways: &[usize]) -> Option<Vec<usize>> {
    choices.resize(ways.len(), 0);
    while let Some(last) = choices.pop() {
        if last + 1 < ways[choices.len()] {
            choices.push(last + 1);
            return Some(choices);
        }
    }
    None
}

/// Lets the rest happen, and answers how the order ended.
async fn end(mut world: World) -> Status {
    while let Some(job) = world.next(1, |_| None).await {
        world.perform(&job, &mut |_| None).await;
    }
    assert_eq!(verdict(&world).await, Vec::<String>::new());
    world.status(0).await.unwrap()
}

/// Seats of which it is told that they are released are free already, and not only in the end.
async fn what_is_told_is_true(world: &World, chosen: &[usize]) {
    if world.queues.ready().iter().any(|message| kind(message) == "tickets_released") {
        let reservation = world.stores.tickets.find(world.customers[0].order.unwrap()).await.unwrap();
        assert!(!matches!(reservation, Some(Reservation::Held(_))), "{reservation:?} by {chosen:?}");
    }
}

const BOTH: [Kind; 2] = [Kind::Sqlite, Kind::DynamoDb];

/// Races two jobs in every way, and sees all of these ends, and no other.
fn every_race(kinds: &[Kind], prepare: impl AsyncFn(&mut World) -> [Job; 2], ends: &[Status]) {
    for &kind in kinds {
        stand_still(async {
            let mut ground = Ground::new(kind).await;
            let (mut choices, mut seen, mut number) = (Some(Vec::new()), Vec::new(), 0);
            while let Some(chosen) = choices {
                let mut world = world(&mut ground, number, 1).await;
                let [one, other] = prepare(&mut world).await;
                let ways = race(&mut world, [&one, &other], &chosen).await;
                what_is_told_is_true(&world, &chosen).await;
                let status = end(world).await;
                if !seen.contains(&status) {
                    seen.push(status);
                }
                choices = next(chosen, &ways);
                number += 1;
            }
            assert!(number > 5, "{number} ways are no race");
            seen.sort_by_key(|status| status.name());
            println!("{number} ways on {kind:?}");
            assert_eq!(seen, ends, "in {number} ways on {kind:?}");
        });
    }
}

/// Up to the reconciler's word that the deadline has passed, with the charge on its way.
async fn expires(world: &mut World) {
    deliver(world, "reserve").await;
    deliver(world, "tickets_reserved").await;
}

/// Lets time pass until the reconciler finds the order expired.
async fn deadline_passes(world: &mut World) {
    world.clock.advance(130 * MINUTE);
    world.perform(&Job::Reconcile, &mut |_| None).await;
}

#[test]
fn an_order_that_expires_while_its_capture_is_told_ends_in_one_of_both_ways() {
    let prepare = async |world: &mut World| {
        expires(world).await;
        deliver(world, "charge").await;
        let captured = delivery(world, "payment_captured");
        deadline_passes(world).await;
        [captured, delivery(world, "deadline_passed")]
    };
    every_race(&BOTH, prepare, &[Status::Cancelled, Status::Confirmed]);
}

#[test]
fn an_order_that_expires_while_it_is_being_cancelled_is_cancelled() {
    let prepare = async |world: &mut World| {
        expires(world).await;
        deadline_passes(world).await;
        [Job::Cancel(0), delivery(world, "deadline_passed")]
    };
    every_race(&BOTH, prepare, &[Status::Cancelled]);
}

#[test]
fn an_order_that_is_cancelled_while_its_capture_is_told_gives_everything_back() {
    let prepare = async |world: &mut World| {
        expires(world).await;
        deliver(world, "charge").await;
        [Job::Cancel(0), delivery(world, "payment_captured")]
    };
    every_race(&BOTH, prepare, &[Status::Cancelled]);
}

#[test]
fn a_charge_and_its_reversal_at_once_leave_nothing_paid() {
    let prepare = async |world: &mut World| {
        expires(world).await;
        let charge = delivery(world, "charge");
        world.perform(&Job::Cancel(0), &mut |_| None).await;
        [charge, delivery(world, "reverse")]
    };
    // In more than a thousand ways, which take minutes on DynamoDB.
    every_race(&[Kind::Sqlite], prepare, &[Status::Cancelled]);
}

#[test]
fn a_hold_and_its_release_at_once_leave_no_seat_taken() {
    let prepare = async |world: &mut World| {
        let reserve = delivery(world, "reserve");
        world.perform(&Job::Cancel(0), &mut |_| None).await;
        [reserve, delivery(world, "release")]
    };
    every_race(&BOTH, prepare, &[Status::Cancelled]);
}

#[test]
fn of_two_reconcilers_at_once_one_sends() {
    for kind_of in BOTH {
        stand_still(async {
            let mut ground = Ground::new(kind_of).await;
            let (mut choices, mut number) = (Some(Vec::new()), 0);
            while let Some(chosen) = choices {
                let mut world = world(&mut ground, number, 2).await;
                world.clock.advance(MINUTE);
                let ways = race(&mut world, [&Job::Reconcile, &Job::Reconcile], &chosen).await;
                let reserves =
                    world.queues.ready().iter().filter(|message| kind(message) == "reserve").count();
                assert_eq!(reserves, 4, "each order's command was sent once more, by {chosen:?}");
                assert_eq!(end(world).await, Status::Confirmed);
                choices = next(chosen, &ways);
                number += 1;
            }
            assert!(number > 5, "{number} ways are no race");
        });
    }
}
