//! Two things that happen to one order at the same moment, in every way their calls can interleave.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use booking_gateway::order::Status;
use proofs::fault::Fault;
use proofs::fixtures::{CARD_THAT_PAYS, DEPARTS_IN};
use proofs::simulation::invariants::violations;
use proofs::simulation::job::{Job, JobResult, Purchase, Setup};
use proofs::simulation::store_pool::{Backend, StorePool};
use proofs::simulation::task::{Progress, Task};
use proofs::simulation::{Simulation, with_paused_time};
use ticket_service::reservation::Reservation;

const MINUTE: Duration = Duration::from_secs(60);

/// A simulation with so many orders, which have ten minutes; their first commands wait in the topics.
async fn ordered(pool: &mut StorePool, number: u64, orders: usize) -> Simulation {
    let purchases = vec![Purchase::new(CARD_THAT_PAYS, 1); orders];
    let setup = Setup { capacity: 9, departs_in: DEPARTS_IN, purchases, deadline: 10 * MINUTE, seed: 1 };
    let mut simulation = pool.simulation(number, setup).await;
    for customer in 0..orders {
        simulation.perform(&Job::Order(customer), &mut |_| None).await;
    }
    simulation
}

/// The delivery of the command or update of that name.
fn delivery(simulation: &Simulation, name: &str) -> Job {
    let message = simulation.topics.ready().into_iter().find(|message| message.name() == name);
    let message = message.unwrap_or_else(|| panic!("no {name} waits"));
    Job::Deliver(message.topic, vec![message.id])
}

/// Delivers the command or update of that name.
async fn deliver(simulation: &mut Simulation, name: &str) {
    let job = delivery(simulation, name);
    simulation.perform(&job, &mut |_| None).await;
}

/// Runs two jobs at the same time. `choices` says which of them makes its next call; after the last
/// choice it is the first job that still runs. Answers how many jobs there were to choose from each time.
async fn race(simulation: &mut Simulation, jobs: [&Job; 2], choices: &[usize]) -> Vec<usize> {
    let mut racing: Vec<(&Job, Task<JobResult>)> = Vec::new();
    for job in jobs {
        let mut task = simulation.begin(job, false).unwrap();
        match task.run().await {
            Progress::Waits(_) => racing.push((job, task)),
            progress => panic!("{job:?} made no call: {progress:?}"),
        }
    }
    let mut ways = Vec::new();
    while !racing.is_empty() {
        let which = choices.get(ways.len()).copied().unwrap_or(0);
        ways.push(racing.len());
        match racing[which].1.resume(0, None).await {
            Progress::Waits(_) => {}
            Progress::Done(result) => {
                let (job, _) = racing.remove(which);
                simulation.end(job, Some(&result), false);
            }
            Progress::Died => panic!("nothing dies here"),
        }
    }
    ways
}

/// The choices after these, counted like the digits of a number; none after the last.
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

/// Lets the rest happen, and answers how the first order ended.
async fn end(mut simulation: Simulation) -> Status {
    while let Some(job) = simulation.next(1, |_| None).await {
        simulation.perform(&job, &mut |_| None).await;
    }
    assert_eq!(violations(&simulation).await, Vec::<String>::new());
    simulation.status(0).await.unwrap()
}

/// When an update says that seats are released, they are free already, and not only at the end.
async fn assert_released_seats_are_free(simulation: &Simulation, chosen: &[usize]) {
    if simulation.topics.ready().iter().any(|message| message.name() == "tickets_released") {
        let reservation =
            simulation.stores.tickets.find(simulation.customers[0].order.unwrap()).await.unwrap();
        assert!(!matches!(reservation, Some(Reservation::Held(_))), "{reservation:?} by {chosen:?}");
    }
}

/// Races two jobs in every way. The orders must end in all of these ways, and in no other.
fn every_race(backends: &[Backend], prepare: impl AsyncFn(&mut Simulation) -> [Job; 2], ends: &[Status]) {
    for &backend in backends {
        with_paused_time(async {
            let mut pool = StorePool::new(backend).await;
            let (mut choices, mut seen, mut number) = (Some(Vec::new()), Vec::new(), 0);
            while let Some(chosen) = choices {
                let mut simulation = ordered(&mut pool, number, 1).await;
                let [one, other] = prepare(&mut simulation).await;
                let ways = race(&mut simulation, [&one, &other], &chosen).await;
                assert_released_seats_are_free(&simulation, &chosen).await;
                let status = end(simulation).await;
                if !seen.contains(&status) {
                    seen.push(status);
                }
                choices = next(chosen, &ways);
                number += 1;
            }
            assert!(number > 5, "{number} ways are no race");
            seen.sort_by_key(|status| status.name());
            println!("{number} ways on {backend:?}");
            assert_eq!(seen, ends, "in {number} ways on {backend:?}");
        });
    }
}

/// Delivers messages until the seats are held and the charge waits.
async fn reserve_tickets(simulation: &mut Simulation) {
    deliver(simulation, "reserve").await;
    deliver(simulation, "tickets_reserved").await;
}

/// Lets time pass until the reconciler finds the order expired.
async fn pass_deadline(simulation: &mut Simulation) {
    simulation.clock.advance(130 * MINUTE);
    simulation.perform(&Job::Reconcile, &mut |_| None).await;
}

#[test]
fn an_order_that_expires_while_its_capture_is_told_ends_in_one_of_both_ways() {
    let prepare = async |simulation: &mut Simulation| {
        reserve_tickets(simulation).await;
        deliver(simulation, "charge").await;
        let captured = delivery(simulation, "payment_captured");
        // It was tried before it expires: what was never tried would not be handled then.
        simulation.perform(&captured, &mut |_| Some(Fault::DiesBefore)).await;
        pass_deadline(simulation).await;
        [captured, delivery(simulation, "deadline_passed")]
    };
    every_race(&Backend::ALL, prepare, &[Status::Cancelled, Status::Confirmed]);
}

#[test]
fn an_order_that_expires_while_it_is_being_cancelled_is_cancelled() {
    let prepare = async |simulation: &mut Simulation| {
        reserve_tickets(simulation).await;
        pass_deadline(simulation).await;
        [Job::Cancel(0), delivery(simulation, "deadline_passed")]
    };
    every_race(&Backend::ALL, prepare, &[Status::Cancelled]);
}

#[test]
fn an_order_that_is_cancelled_while_its_capture_is_told_is_undone() {
    let prepare = async |simulation: &mut Simulation| {
        reserve_tickets(simulation).await;
        deliver(simulation, "charge").await;
        [Job::Cancel(0), delivery(simulation, "payment_captured")]
    };
    every_race(&Backend::ALL, prepare, &[Status::Cancelled]);
}

#[test]
fn a_charge_and_its_reversal_at_once_leave_nothing_paid() {
    let prepare = async |simulation: &mut Simulation| {
        reserve_tickets(simulation).await;
        let charge = delivery(simulation, "charge");
        simulation.perform(&Job::Cancel(0), &mut |_| None).await;
        [charge, delivery(simulation, "reverse")]
    };
    // In more than a thousand ways, which take minutes on DynamoDB.
    every_race(&[Backend::Sqlite], prepare, &[Status::Cancelled]);
}

#[test]
fn a_hold_and_its_release_at_once_leave_no_seat_taken() {
    let prepare = async |simulation: &mut Simulation| {
        let reserve = delivery(simulation, "reserve");
        simulation.perform(&Job::Cancel(0), &mut |_| None).await;
        [reserve, delivery(simulation, "release")]
    };
    every_race(&Backend::ALL, prepare, &[Status::Cancelled]);
}

#[test]
fn of_two_reconcilers_at_once_one_sends() {
    // DynamoDB's shards are read at the same time, in more ways than can be tried: its contract says that a check is
    // moved once.
    with_paused_time(async {
        let mut pool = StorePool::new(Backend::Sqlite).await;
        let (mut choices, mut number) = (Some(Vec::new()), 0);
        while let Some(chosen) = choices {
            let mut simulation = ordered(&mut pool, number, 2).await;
            simulation.clock.advance(MINUTE);
            let ways = race(&mut simulation, [&Job::Reconcile, &Job::Reconcile], &chosen).await;
            let reserves =
                simulation.topics.ready().iter().filter(|message| message.name() == "reserve").count();
            assert_eq!(reserves, 4, "each order's command was sent once more, by {chosen:?}");
            assert_eq!(end(simulation).await, Status::Confirmed);
            choices = next(chosen, &ways);
            number += 1;
        }
        assert!(number > 5, "{number} ways are no race");
    });
}
