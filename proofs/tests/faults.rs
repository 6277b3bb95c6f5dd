//! The fault matrix: every story of `proofs::world::scenario`, told once for each call of a port in
//! it and each thing that can go wrong there. Then everything is delivered again, and must end as
//! it would have ended without.
//!
//! `cargo test -p proofs --test faults -- --nocapture` shows the numbers. On DynamoDB the long
//! stories take some minutes, and are told only with `PROOF_STORIES=all`, as CI does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use proofs::world::calls::{ALL_CALLS, Fault};
use proofs::world::grounds::{Ground, Kind, each};
use proofs::world::scenario::{Scenario, Told, all, tell};
use proofs::world::stand_still;

#[test]
fn no_fault_at_any_call_costs_anybody_anything_on_sqlite() {
    matrix(Kind::Sqlite);
}

#[test]
fn no_fault_at_any_call_costs_anybody_anything_on_dynamodb() {
    matrix(Kind::DynamoDb);
}

/// One story with one more fault in it.
struct Cell<'a> {
    scenario: &'a Scenario,
    well: &'a Told,
    fault: (usize, Fault),
}

fn matrix(kind: Kind) {
    let every = kind == Kind::Sqlite || std::env::var("PROOF_STORIES").is_ok_and(|which| which == "all");
    let scenarios: Vec<_> = all().into_iter().filter(|scenario| every || !scenario.is_long()).collect();
    let well = stand_still(async {
        let mut ground = Ground::new(kind).await;
        let mut well = Vec::new();
        for (number, scenario) in (0..).step_by(2).zip(&scenarios) {
            let told = tell(&mut ground, number, scenario, None).await;
            assert_eq!(told.wrong, Vec::<String>::new(), "{}, when all goes well", scenario.name);
            let again = tell(&mut ground, number + 1, scenario, None).await;
            assert_eq!(again.sites, told.sites, "{}", scenario.name);
            well.push(told);
        }
        well
    });
    every_call_is_on_the_way(&well);

    let cells: Vec<Cell<'_>> = scenarios
        .iter()
        .zip(&well)
        .flat_map(|(scenario, well)| {
            let sites = well.sites.iter().enumerate();
            let faults = sites.flat_map(|(at, (_, site))| site.faults().map(move |fault| (at, fault)));
            faults.map(move |fault| Cell { scenario, well, fault })
        })
        .collect();
    let wrong = Mutex::new(Vec::new());
    each(kind, 0..cells.len() as u64, async |ground, number| {
        let found = told_wrong(ground, number, &cells[number as usize]).await;
        wrong.lock().unwrap().extend(found);
    });

    let sites: usize = well.iter().map(|told| told.sites.len()).sum();
    let kinds: BTreeSet<Fault> = cells.iter().map(|cell| cell.fault.1).collect();
    let wrong = wrong.into_inner().unwrap();
    println!(
        "fault matrix on {kind:?}: {sites} sites × {} faults: {} violations ({} stories, told {} times)",
        kinds.len(),
        wrong.len(),
        scenarios.len(),
        cells.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What was wrong with a story; also if its fault did not happen, or not where it should.
async fn told_wrong(ground: &mut Ground, number: u64, cell: &Cell<'_>) -> Option<String> {
    let Cell { scenario, well, fault: (at, fault) } = cell;
    let mut told = tell(ground, number, scenario, Some((*at, *fault))).await;
    let (label, site) = &well.sites[*at];
    if told.sites.get(..=*at) != well.sites.get(..=*at) {
        told.wrong.push("the story went another way before its fault".to_owned());
    }
    (!told.wrong.is_empty()).then(|| {
        let (name, call) = (scenario.name, site.call);
        format!("{name}: {fault:?} at call {at}, {call} for {label}:\n{}", told.wrong.join("\n"))
    })
}

/// The stories lead through every function of every port: none was left out of the matrix.
fn every_call_is_on_the_way(well: &[Told]) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, site) in well.iter().flat_map(|told| &told.sites) {
        *seen.entry(site.call).or_default() += 1;
    }
    let all: BTreeSet<_> = ALL_CALLS.into_iter().collect();
    assert_eq!(seen.into_keys().collect::<BTreeSet<_>>(), all, "no story makes these calls, or they are new");
}
