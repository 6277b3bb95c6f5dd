//! The model, checked: exhaustively, within the bounds of `proofs::model::bounds`.
//!
//! `cargo test -p proofs --test model -- --nocapture` shows the states. With `MODEL=deep` the
//! bounds are wider: some 10 million states, less than three minutes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::fmt::Write;
use std::hash::{Hash, Hasher};

use proofs::model::bounds::{Bounds, Customers, bounds_of_one, bounds_of_two, one_order, two_orders};
use proofs::model::state::{Action, ModelState, PausedHandler};
use proofs::model::transitions::BookingModel;
use stateright::{Checker, Expectation, Model, Path};

/// How much was checked.
#[derive(Default)]
struct Checked {
    states: usize,
    depth: usize,
}

impl Checked {
    fn add(mut self, states: usize, depth: usize) -> Self {
        self.states += states;
        self.depth = self.depth.max(depth);
        self
    }
}

#[test]
fn every_state_is_safe_and_every_order_settles() {
    let deep = std::env::var("MODEL").is_ok_and(|depth| depth == "deep");
    let check_all = |customers: fn() -> Vec<Customers>, bounds: Vec<Bounds>| {
        bounds.into_iter().fold(Checked::default(), |checked, bounds| {
            let (states, depth) = check(customers(), bounds);
            println!("{bounds:?}: {states} unique states, depth {depth}");
            checked.add(states, depth)
        })
    };
    let one = check_all(one_order, bounds_of_one(deep));
    let two = check_all(two_orders, bounds_of_two(deep));
    println!(
        "model: one order {} unique states, two orders {} unique states, depth {}: all properties hold",
        one.states,
        two.states,
        one.depth.max(two.depth)
    );
    assert!(one.states + two.states >= 100_000, "the bounds are too narrow to say much");
}

/// Checks all states within the bounds; answers how many there are, and how deep they lie.
fn check(customers: Vec<Customers>, bounds: Bounds) -> (usize, usize) {
    let checker = BookingModel::new(customers, bounds).unwrap().checker().threads(2).spawn_bfs().join();
    for property in checker.model().properties() {
        let found = checker.discovery(property.name);
        match (property.expectation, found) {
            (Expectation::Sometimes, None) => panic!("never reached: {}, within {bounds:?}", property.name),
            (Expectation::Always, Some(path)) => panic!("does not hold: {}\n{}", property.name, steps(path)),
            _ => {}
        }
    }
    (checker.unique_state_count(), checker.max_depth())
}

/// The steps that lead to a state, and the state.
fn steps(path: Path<ModelState, Action>) -> String {
    let last = path.last_state().clone();
    let mut text = String::new();
    for (state, action) in path.into_vec() {
        match action {
            Some(Action::Resume(place, fault)) => {
                let PausedHandler { work, next_call, .. } = &state.handlers[place];
                writeln!(text, "  {work:?} goes on with {next_call:?}, {fault:?}").unwrap();
            }
            Some(Action::Crash(place)) => {
                let PausedHandler { work, next_call, .. } = &state.handlers[place];
                writeln!(text, "  {work:?} dies before {next_call:?}").unwrap();
            }
            Some(action) => writeln!(text, "  {action:?}").unwrap(),
            None => {}
        }
    }
    let (waiting, violation) = (&last.waiting, &last.violation);
    write!(text, "waiting: {waiting:?}\nviolation: {violation:?}\n{:#?}", last.contents).unwrap();
    text
}

/// Settlement is checked at rest, which proves something only if every path comes to rest: no state may
/// come twice on one path. Checked here on every path of one order with a fault, a copy and a
/// cancellation.
#[test]
fn the_model_never_runs_in_circles() {
    let bounds = bounds_of_one(false)[1];
    let model = BookingModel::new(one_order(), bounds).unwrap();
    for state in model.init_states() {
        assert_no_circle(&model, state);
    }
}

fn digest(state: &ModelState) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

/// Walks depth first; a step to a state that it has not come back from yet closes a circle.
fn assert_no_circle(model: &BookingModel, start: ModelState) {
    let mut walked = HashSet::from([digest(&start)]);
    let mut on_the_way = HashSet::from([digest(&start)]);
    let mut path = vec![(digest(&start), model.next_states(&start))];
    while let Some((here, ahead)) = path.last_mut() {
        let Some(next) = ahead.pop() else {
            on_the_way.remove(here);
            path.pop();
            continue;
        };
        let there = digest(&next);
        let circle = on_the_way.contains(&there);
        assert!(!circle, "a circle through {:?} and {:#?}", next.waiting, next.contents);
        if walked.insert(there) {
            on_the_way.insert(there);
            path.push((there, model.next_states(&next)));
        }
    }
}
