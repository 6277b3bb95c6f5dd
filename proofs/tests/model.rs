//! The model, checked: exhaustively, within the bounds of `proofs::model::stories`.
//!
//! `cargo test -p proofs --test model -- --nocapture` shows the states. With `MODEL=deep` the
//! bounds are wider: some 13 million states, four minutes with `--release`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::fmt::Write;
use std::hash::{Hash, Hasher};

use proofs::model::booking::Booking;
use proofs::model::state::{Action, State};
use proofs::model::stories::{Bounds, Story, bounds_of_one, bounds_of_two, one_order, two_orders};
use stateright::{Checker, Expectation, Model, Path};

/// What a check saw.
#[derive(Default)]
struct Seen {
    states: usize,
    depth: usize,
}

impl Seen {
    fn add(mut self, states: usize, depth: usize) -> Self {
        self.states += states;
        self.depth = self.depth.max(depth);
        self
    }
}

#[test]
fn every_state_is_safe_and_every_order_settles() {
    let deep = std::env::var("MODEL").is_ok_and(|depth| depth == "deep");
    let check_all = |stories: fn() -> Vec<Story>, bounds: Vec<Bounds>| {
        bounds.into_iter().fold(Seen::default(), |seen, bounds| {
            let (states, depth) = check(stories(), bounds);
            println!("{bounds:?}: {states} unique states, depth {depth}");
            seen.add(states, depth)
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
fn check(stories: Vec<Story>, bounds: Bounds) -> (usize, usize) {
    let checker = Booking::new(stories, bounds).unwrap().checker().threads(2).spawn_bfs().join();
    for property in checker.model().properties() {
        let found = checker.discovery(property.name);
        match (property.expectation, found) {
            (Expectation::Sometimes, None) => panic!("never reached: {}, within {bounds:?}", property.name),
            (Expectation::Always, Some(path)) => panic!("not so: {}\n{}", property.name, told(path)),
            _ => {}
        }
    }
    (checker.unique_state_count(), checker.max_depth())
}

/// How it came to that, step by step, and what it came to.
fn told(path: Path<State, Action>) -> String {
    let last = path.last_state().clone();
    let mut text = String::new();
    for (state, action) in path.into_vec() {
        match action {
            Some(Action::Go(place, fault)) => {
                let run = &state.runs[place];
                writeln!(text, "  {:?} goes on with {}, {fault:?}", run.work, run.next).unwrap();
            }
            Some(Action::Crash(place)) => {
                let run = &state.runs[place];
                writeln!(text, "  {:?} dies before {}", run.work, run.next).unwrap();
            }
            Some(action) => writeln!(text, "  {action:?}").unwrap(),
            None => {}
        }
    }
    let (waiting, wrong) = (&last.waiting, &last.wrong);
    write!(text, "waiting: {waiting:?}\nwrong: {wrong:?}\n{:#?}", last.contents).unwrap();
    text
}

/// Settlement is checked at rest, which proves something only if every path comes to rest: no
/// state is ever met again. Seen here on every path of one order with a fault, a copy and a
/// cancellation.
#[test]
fn the_world_never_turns_in_circles() {
    let bounds = bounds_of_one(false)[1];
    let booking = Booking::new(one_order(), bounds).unwrap();
    for state in booking.init_states() {
        assert_no_circle(&booking, state);
    }
}

fn digest(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

/// Walks depth first; a step to a state that it has not come back from yet closes a circle.
fn assert_no_circle(booking: &Booking, start: State) {
    let mut walked = HashSet::from([digest(&start)]);
    let mut on_the_way = HashSet::from([digest(&start)]);
    let mut path = vec![(digest(&start), booking.next_states(&start))];
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
            path.push((there, booking.next_states(&next)));
        }
    }
}
