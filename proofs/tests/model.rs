#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use proofs::model::Booking;
use proofs::model::state::Left;
use proofs::model::stories::*;
use stateright::{Checker, Model};
fn n(name: &str, d: u8) -> u8 { std::env::var(name).map_or(d, |v| v.parse().unwrap()) }
fn check(stories: Vec<Story>) {
    let left = Left { faults: n("F", 1), copies: n("C", 1), looks: n("L", 0), cancels: n("X", 1) };
    let bounds = Bounds { left, at_once: n("N", 2) as usize };
    let t = std::time::Instant::now();
    let checker = Booking::new(stories, bounds).unwrap().checker().threads(2).spawn_bfs().join();
    println!("{bounds:?}: {} unique of {}, depth {}, {:?}", checker.unique_state_count(), checker.state_count(), checker.max_depth(), t.elapsed());
    for (name, path) in checker.discoveries() {
        if checker.model().properties().iter().any(|p| p.name == name && p.expectation == stateright::Expectation::Always) {
            println!("VIOLATED {name}");
            for a in path.clone().into_actions() { println!("   {a:?}"); }
            println!("   {:#?}", path.last_state().contents);
            println!("   {:#?}", path.last_state().wrong);
        }
    }
    for p in checker.model().properties() { if p.expectation == stateright::Expectation::Sometimes && checker.discovery(p.name).is_none() { println!("NEVER {}", p.name); } }
}
#[test]
fn one() { check(one_order()); }
#[test]
fn two() { check(two_orders()); }
