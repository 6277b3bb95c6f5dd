//! The fault matrix: every scenario of `proofs::fault_matrix`, run once for each call of a port in it and
//! each fault that fits there. What was not acknowledged is redelivered, and the scenario must end as it
//! ends without the fault.
//!
//! `cargo test -p proofs --test fault_matrix -- --nocapture` shows the numbers. On DynamoDB it takes minutes: all of it with
//! `PROOF_STORIES=all`, as `.ci/long` does, else every second fault of the scenarios that are not long.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::sync::Mutex;

use proofs::fault::Fault;
use proofs::fault_matrix::scenarios::{Scenario, all};
use proofs::fault_matrix::{ScenarioRun, run};
use proofs::port_call::PortCall;
use proofs::simulation::store_pool::{Backend, StorePool, for_each};
use proofs::simulation::with_paused_time;

#[test]
fn no_fault_at_any_call_costs_anybody_anything_on_sqlite() {
    matrix(Backend::Sqlite);
}

#[test]
fn no_fault_at_any_call_costs_anybody_anything_on_dynamodb() {
    matrix(Backend::DynamoDb);
}

/// One scenario with one fault in it.
struct Cell<'a> {
    scenario: &'a Scenario,
    without_fault: &'a ScenarioRun,
    place: usize,
    fault: Fault,
}

fn matrix(backend: Backend) {
    let every =
        backend == Backend::Sqlite || std::env::var("PROOF_STORIES").is_ok_and(|which| which == "all");
    let scenarios: Vec<_> = all().into_iter().filter(|scenario| every || !scenario.is_long()).collect();
    let runs = with_paused_time(runs_without_fault(backend, &scenarios));
    every_call_is_on_the_way(&runs);

    let cells: Vec<Cell<'_>> = scenarios
        .iter()
        .zip(&runs)
        .flat_map(|(scenario, without_fault)| {
            let sites = without_fault.sites.iter().enumerate();
            let faults = sites.flat_map(|(place, (_, site))| site.faults().map(move |fault| (place, fault)));
            faults.map(move |(place, fault)| Cell { scenario, without_fault, place, fault })
        })
        .step_by(if every { 1 } else { 2 })
        .collect();
    let violations = Mutex::new(Vec::new());
    for_each(backend, 0..cells.len() as u64, async |pool, number| {
        let found = violation(pool, number, &cells[number as usize]).await;
        violations.lock().unwrap().extend(found);
    });

    let sites: usize = runs.iter().map(|run| run.sites.len()).sum();
    let faults: BTreeSet<Fault> = cells.iter().map(|cell| cell.fault).collect();
    let violations = violations.into_inner().unwrap();
    println!(
        "fault matrix on {backend:?}: {sites} sites × {} faults: {} violations ({} scenarios, run {} times)",
        faults.len(),
        violations.len(),
        scenarios.len(),
        cells.len()
    );
    assert!(violations.is_empty(), "{}", violations.join("\n\n"));
}

/// Runs each scenario without a fault, twice: it must go the same way each time.
async fn runs_without_fault(backend: Backend, scenarios: &[Scenario]) -> Vec<ScenarioRun> {
    let mut pool = StorePool::new(backend).await;
    let mut runs = Vec::new();
    for (number, scenario) in (0..).step_by(2).zip(scenarios) {
        let first = run(&mut pool, number, scenario, None).await;
        assert_eq!(first.violations, Vec::<String>::new(), "{}, without a fault", scenario.name);
        let second = run(&mut pool, number + 1, scenario, None).await;
        assert_eq!(second.sites, first.sites, "{}", scenario.name);
        runs.push(first);
    }
    runs
}

/// What was wrong with a scenario; also if it went another way before its fault.
async fn violation(pool: &mut StorePool, number: u64, cell: &Cell<'_>) -> Option<String> {
    let Cell { scenario, without_fault, place, fault } = cell;
    let mut run = run(pool, number, scenario, Some((*place, *fault))).await;
    let (label, site) = &without_fault.sites[*place];
    if run.sites.get(..=*place) != without_fault.sites.get(..=*place) {
        run.violations.push("the scenario went another way before its fault".to_owned());
    }
    (!run.violations.is_empty()).then(|| {
        let (name, call) = (scenario.name, site.call);
        format!("{name}: {fault:?} at call {place}, {call} for {label}:\n{}", run.violations.join("\n"))
    })
}

/// The scenarios make every call of every port on an order's way: the matrix leaves none out.
fn every_call_is_on_the_way(runs: &[ScenarioRun]) {
    let made: BTreeSet<PortCall> =
        runs.iter().flat_map(|run| &run.sites).map(|(_, site)| site.call).collect();
    let all: BTreeSet<PortCall> = PortCall::order_path().collect();
    assert_eq!(made, all, "no scenario makes these calls, or they are not on an order's way");
}
