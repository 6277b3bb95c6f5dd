//! A tally that is given what changed is what a full audit would find.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use billing_service::provider::ProviderName;
use messaging::entropy::{Entropy, SeededEntropy};
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use support::{FLIGHTS, at, confirmed, id, offers, pending, tally};
use system::audit::{Case, Snapshot, Tally, audit};
use ticket_service::flight::Offer;

fn books() -> BTreeSet<ProviderName> {
    BTreeSet::from([ProviderName::SIMULATED])
}

/// A case as an order may have it at some moment, right or wrong.
fn any_case(entropy: &SeededEntropy, number: u64, second: u64) -> Case {
    let flight = FLIGHTS[usize::from(entropy.below(2) == 1)];
    let sound = confirmed(number, flight, entropy.below(9) + 1);
    let messages = usize::try_from(entropy.below(2)).unwrap();
    match entropy.below(8) {
        0 => Case::default(),
        1 => pending(number, second, messages),
        2 => Case { payment: None, messages, ..sound },
        3 => Case { mailed: None, messages, ..sound },
        4 => Case { dead_letters: vec![(Topic::Email, "it failed".to_owned())], ..sound },
        5 => Case { order: None, ..sound },
        6 => Case { next_check: Some(at(0)), reservation: None, ..sound },
        _ => sound,
    }
}

/// As a platform looks: a suspect's messages are counted, no other's.
fn look(tally: &mut Tally, ids: &BTreeSet<OrderId>, cases: &BTreeMap<OrderId, Case>) {
    for id in ids {
        let case = cases.get(id).cloned().unwrap_or_default();
        let uncounted = Case { messages: 0, ..case.clone() };
        let seen = if tally.is_suspect(*id, &uncounted) { case } else { uncounted };
        tally.case(*id, &seen).unwrap();
    }
}

fn full(cases: &BTreeMap<OrderId, Case>, flights: &[Offer], now: Timestamp) -> (usize, usize) {
    let snapshot = Snapshot {
        cases: cases.clone(),
        flights: flights.to_vec(),
        nameless_dead_letters: Vec::new(),
        books: books(),
    };
    let audit = audit(&snapshot, now);
    (audit.orders, audit.discrepancies.len())
}

#[test]
fn it_is_exact_whatever_changes() {
    for seed in 0..20 {
        let entropy = SeededEntropy::new(seed);
        let (mut tally, mut cases) = (tally(), BTreeMap::new());
        let mut seen = BTreeSet::new();
        for second in (0..4_000).step_by(20) {
            let now = at(i64::try_from(second).unwrap());
            let mut changed = BTreeSet::new();
            for _ in 0..entropy.below(4) {
                let number = entropy.below(40);
                changed.insert(id(number));
                cases.insert(id(number), any_case(&entropy, number, second));
            }
            let mut flights = offers(cases.values());
            // Sometimes seats are lost.
            flights[0].seats_left -= u32::from(entropy.below(10) == 0);
            tally.begin(now);
            changed.extend(tally.due(now));
            look(&mut tally, &changed, &cases);
            tally.flights(&flights);
            let found = (tally.orders(), tally.differences());
            assert_eq!(found, full(&cases, &flights, now), "seed {seed}, second {second}");
            seen.insert(found);
        }
        assert!(seen.len() > 20, "the cases differ");
    }
}

#[test]
fn an_order_that_waits_is_due_once_when_it_would_be_overlooked() {
    let mut tally = tally();
    tally.begin(at(0));
    tally.case(id(1), &pending(1, 0, 1)).unwrap();
    assert_eq!(tally.due(at(179)), BTreeSet::new());
    assert_eq!(tally.due(at(180)), BTreeSet::from([id(1)]));
    tally.begin(at(180));
    tally.case(id(1), &pending(1, 0, 1)).unwrap();
    assert_eq!(tally.due(at(100_000)), BTreeSet::new(), "its message is there, until it changes");
    assert_eq!(tally.differences(), 0);
    tally.case(id(1), &pending(1, 0, 0)).unwrap();
    assert_eq!(tally.differences(), 1);
    assert_eq!(tally.due(at(180)), BTreeSet::from([id(1)]), "a difference may be mended");
}
