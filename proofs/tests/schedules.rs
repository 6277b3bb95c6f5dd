//! Random schedules on the real stores: see `proofs::world::schedule`.
//!
//! | variable | what it does |
//! |---|---|
//! | `PROOF_SEED=N` | runs that one schedule, and tells its steps |
//! | `PROOF_SCHEDULES=N` | runs so many on each ground; a million takes twenty minutes on two cores with `--release` |
//! | `PROOF_FIRST_SEED=N` | begins with that seed instead of 0 |
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Mutex;

use proofs::world::grounds::{Ground, Kind, each};
use proofs::world::schedule::{Ran, run};
use proofs::world::stand_still;

/// How many run by default, on SQLite and on DynamoDB.
const SCHEDULES: (u64, u64) = (10_000, 150);

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not {text}")))
}

#[test]
fn random_schedules_end_well_on_sqlite() {
    schedules(Kind::Sqlite, SCHEDULES.0);
}

#[test]
fn random_schedules_end_well_on_dynamodb() {
    schedules(Kind::DynamoDb, SCHEDULES.1);
}

fn schedules(kind: Kind, count: u64) {
    if let Some(seed) = number("PROOF_SEED") {
        let ran = stand_still(async { run(&mut Ground::new(kind).await, seed).await });
        println!("seed {seed} on {kind:?}:\n{}", ran.steps.join("\n"));
        assert!(ran.wrong.is_empty(), "{}", ran.wrong.join("\n"));
        return;
    }
    let first = number("PROOF_FIRST_SEED").unwrap_or(0);
    let last = first + number("PROOF_SCHEDULES").unwrap_or(count);
    let sum = Mutex::new(Sum::default());
    each(kind, first..last, async |ground, seed| {
        let ran = run(ground, seed).await;
        sum.lock().unwrap().add(seed, &ran);
    });
    let sum = sum.into_inner().unwrap();
    println!(
        "schedules on {kind:?}: {} seeds, {} steps, {} faults, {} deaths, {} messages delivered twice at once, {} requests \
         landed late, {} refunded; {}: {} violations",
        last - first,
        sum.steps,
        sum.faults,
        sum.deaths,
        sum.twins,
        sum.late,
        sum.refunded,
        sum.ends.iter().map(|(status, count)| format!("{count} {status}")).collect::<Vec<_>>().join(", "),
        sum.violations
    );
    assert!(sum.wrong.is_empty(), "{}", sum.wrong.join("\n\n"));
    if last - first >= 100 {
        assert!(
            sum.faults > 0 && sum.deaths > 0 && sum.twins > 0 && sum.late > 0,
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
    twins: usize,
    late: usize,
    refunded: usize,
    /// By the name of its status, how many orders ended so.
    ends: BTreeMap<String, usize>,
    violations: usize,
    /// The first of them.
    wrong: Vec<String>,
}

impl Sum {
    fn add(&mut self, seed: u64, ran: &Ran) {
        self.steps += ran.steps.len();
        self.faults += ran.faults;
        self.deaths += ran.deaths;
        self.twins += ran.twins;
        self.late += ran.late;
        self.refunded += usize::from(ran.refunded);
        for status in &ran.ends {
            *self.ends.entry(format!("{status:?}")).or_default() += 1;
        }
        self.violations += usize::from(!ran.wrong.is_empty());
        if !ran.wrong.is_empty() && self.wrong.len() < 5 {
            self.wrong.push(format!(
                "{}\n  again: PROOF_SEED={seed} cargo test -p proofs --test schedules -- --nocapture",
                ran.wrong.join("\n")
            ));
        }
    }
}

#[test]
fn the_same_seed_runs_the_same_schedule() {
    stand_still(async {
        for kind in [Kind::Sqlite, Kind::DynamoDb] {
            let (mut one, mut other) = (Ground::new(kind).await, Ground::new(kind).await);
            for seed in 0..8 {
                let ran = run(&mut one, seed).await;
                assert_eq!(run(&mut other, seed).await, ran, "seed {seed} on {kind:?}");
            }
        }
    });
}
