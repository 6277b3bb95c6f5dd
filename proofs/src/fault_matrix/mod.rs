//! The fault matrix: scenarios, each run again and again with one fault in it, at every call and of
//! every kind.
//!
//! The scenarios are in [`scenarios`]; `tests/fault_matrix.rs` runs them all.

pub mod scenarios;

use std::time::Duration;

use protocol::topic::Topic;
use scenarios::Scenario;

use crate::fault::Fault;
use crate::fixtures::start;
use crate::simulation::Simulation;
use crate::simulation::invariants::violations;
use crate::simulation::job::{Job, Setup};
use crate::simulation::store_pool::StorePool;
use crate::simulation::task::Site;

/// How a scenario went.
#[derive(Debug, Default)]
pub struct ScenarioRun {
    /// Every call in order, and what its handler was working on.
    pub sites: Vec<(String, Site)>,
    /// What was wrong at the end.
    pub violations: Vec<String>,
}

/// The most jobs of one run.
const MOST_JOBS: usize = 2_000;

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// Runs a scenario in a simulation of that number. If a fault is given, the call in that place goes
/// wrong like that.
pub async fn run(
    pool: &mut StorePool,
    number: u64,
    scenario: &Scenario,
    fault: Option<(usize, Fault)>,
) -> ScenarioRun {
    let setup = Setup {
        capacity: scenario.capacity,
        departs_in: scenario.departs_in,
        purchases: scenario.purchases.clone(),
        deadline: minutes(scenario.deadline),
        seed: 1,
    };
    let mut simulation = pool.simulation(number, setup).await;
    simulation.provider.plan_captures(scenario.captures);
    let mut run = ScenarioRun::default();
    let mut jobs = 0;
    loop {
        jobs += 1;
        if jobs > MOST_JOBS {
            run.violations.push("it does not come to rest".to_owned());
            break;
        }
        let Some(job) = next_job(&mut simulation, scenario).await else {
            check_end(&simulation, scenario, &mut run).await;
            check_mails(&simulation, fault.is_none(), &mut run);
            break;
        };
        let down = minutes(scenario.provider_down);
        simulation.provider.set_down(simulation.now() < start() + down);
        let label = label(&simulation, &job);
        simulation
            .perform(&job, &mut |site| {
                run.sites.push((label.clone(), site));
                fault.filter(|(at, _)| *at == run.sites.len() - 1).map(|(_, fault)| fault)
            })
            .await;
    }
    if !run.violations.is_empty() {
        pool.discard_stores();
    }
    run
}

async fn next_job(simulation: &mut Simulation, scenario: &Scenario) -> Option<Job> {
    if let Some(customer) = simulation.customers.iter().position(|customer| customer.order.is_none()) {
        return Some(Job::Order(customer));
    }
    if scenario.cancels_at.is_some()
        && !simulation.customers[0].cancel_answered
        && simulation.status(0).await == scenario.cancels_at
    {
        return Some(Job::Cancel(0));
    }
    let stopped_until = |topic: Topic| {
        let stopped = scenario.stopped.filter(|stopped| stopped.0 == topic);
        stopped.map(|(_, until)| start() + minutes(until))
    };
    let before = simulation.now();
    let job = simulation.next(scenario.batch, stopped_until).await;
    // What is on its way to the provider arrives while time passes.
    while simulation.provider.late_requests() > 0 && (job.is_none() || simulation.now() > before) {
        simulation.provider.land(0);
    }
    job
}

async fn check_end(simulation: &Simulation, scenario: &Scenario, run: &mut ScenarioRun) {
    run.violations.extend(violations(simulation).await);
    let mut ends = Vec::new();
    for customer in 0..simulation.customers.len() {
        ends.extend(simulation.status(customer).await);
    }
    ends.sort_by_key(|status| status.name());
    if ends != scenario.ends {
        run.violations.push(format!("it ended {ends:?}"));
    }
}

/// No mail is of an earlier step than the mail before it. Without a fault no mail is sent twice.
fn check_mails(simulation: &Simulation, no_fault: bool, run: &mut ScenarioRun) {
    let delivered = simulation.mailer.delivered();
    for (order, outcome) in &delivered {
        let of_order = || delivered.iter().filter(|(about, _)| about == order).map(|(_, outcome)| outcome);
        let in_order = of_order().is_sorted_by_key(|outcome| outcome.step());
        if !in_order || no_fault && of_order().filter(|other| *other == outcome).count() > 1 {
            run.violations.push(format!("order {order}: mailed {:?}", of_order().collect::<Vec<_>>()));
        }
    }
}

/// What a job is about, for a report.
fn label(simulation: &Simulation, job: &Job) -> String {
    match job {
        Job::Deliver(_, ids) => {
            let messages = simulation.topics.messages();
            let delivered = messages.iter().filter(|message| ids.contains(&message.id));
            delivered.map(|message| message.name()).collect::<Vec<_>>().join(" + ")
        }
        Job::Order(_) => "POST".to_owned(),
        Job::Cancel(_) => "DELETE".to_owned(),
        Job::Reconcile => "the reconciler".to_owned(),
    }
}
