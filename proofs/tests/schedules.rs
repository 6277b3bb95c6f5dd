//! Random schedules on the real stores: see `proofs::schedule`.
//!
//! | variable | what it does |
//! |---|---|
//! | `PROOF_SEED=N` | runs that one schedule, and prints its steps |
//! | `PROOF_SCHEDULES=N` | runs so many on each backend; a million takes twenty minutes on two cores with `--release` |
//! | `PROOF_FIRST_SEED=N` | begins with that seed instead of 0 |
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Mutex;

use proofs::schedule::{ScheduleRun, run};
use proofs::simulation::store_pool::{Backend, StorePool, for_each};
use proofs::simulation::with_paused_time;

/// How many run by default, on SQLite and on DynamoDB.
const SCHEDULES: (u64, u64) = (5_000, 150);

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not {text}")))
}

#[test]
fn random_schedules_end_well_on_sqlite() {
    schedules(Backend::Sqlite, SCHEDULES.0);
}

#[test]
fn random_schedules_end_well_on_dynamodb() {
    schedules(Backend::DynamoDb, SCHEDULES.1);
}

fn schedules(backend: Backend, count: u64) {
    if let Some(seed) = number("PROOF_SEED") {
        let run = with_paused_time(async { run(&mut StorePool::new(backend).await, seed).await });
        println!("seed {seed} on {backend:?}:\n{}", run.steps.join("\n"));
        assert!(run.violations.is_empty(), "{}", run.violations.join("\n"));
        return;
    }
    let first = number("PROOF_FIRST_SEED").unwrap_or(0);
    let last = first + number("PROOF_SCHEDULES").unwrap_or(count);
    let sum = Mutex::new(Sum::default());
    for_each(backend, first..last, async |pool, seed| {
        let run = run(pool, seed).await;
        sum.lock().unwrap().add(seed, &run);
    });
    let sum = sum.into_inner().unwrap();
    println!(
        "schedules on {backend:?}: {} seeds, {} steps, {} faults, {} deaths, {} messages delivered twice at once, {} requests \
         landed late, {} refunded; {}: {} violations",
        last - first,
        sum.steps,
        sum.faults,
        sum.deaths,
        sum.duplicates,
        sum.late,
        sum.refunded,
        sum.ends.iter().map(|(status, count)| format!("{count} {status}")).collect::<Vec<_>>().join(", "),
        sum.violations
    );
    assert!(sum.first_violations.is_empty(), "{}", sum.first_violations.join("\n\n"));
    if last - first >= 100 {
        assert!(
            sum.faults > 0 && sum.deaths > 0 && sum.duplicates > 0 && sum.late > 0,
            "nothing went wrong at all"
        );
        assert_eq!(sum.ends.len(), 4, "orders end in four ways");
        assert!(sum.refunded > 0, "nothing was ever refunded");
    }
}

#[derive(Default)]
struct Sum {
    steps: usize,
    faults: usize,
    deaths: usize,
    duplicates: usize,
    late: usize,
    refunded: usize,
    /// How many orders ended with each status.
    ends: BTreeMap<String, usize>,
    violations: usize,
    /// Five of them, in words.
    first_violations: Vec<String>,
}

impl Sum {
    fn add(&mut self, seed: u64, run: &ScheduleRun) {
        self.steps += run.steps.len();
        self.faults += run.faults;
        self.deaths += run.deaths;
        self.duplicates += run.duplicates;
        self.late += run.late;
        self.refunded += usize::from(run.refunded);
        for status in &run.ends {
            *self.ends.entry(format!("{status:?}")).or_default() += 1;
        }
        self.violations += usize::from(!run.violations.is_empty());
        if !run.violations.is_empty() && self.first_violations.len() < 5 {
            self.first_violations.push(format!(
                "{}\n  again: PROOF_SEED={seed} cargo test -p proofs --test schedules -- --nocapture",
                run.violations.join("\n")
            ));
        }
    }
}

#[test]
fn the_same_seed_runs_the_same_schedule() {
    with_paused_time(async {
        for backend in Backend::ALL {
            let (mut one, mut other) = (StorePool::new(backend).await, StorePool::new(backend).await);
            for seed in 0..8 {
                let first = run(&mut one, seed).await;
                assert_eq!(run(&mut other, seed).await, first, "seed {seed} on {backend:?}");
            }
        }
    });
}
