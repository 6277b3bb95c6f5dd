//! The contract of [`TicketStore`], as promises that every adapter keeps. Tests only.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "a suite fails by panicking, and a promise says it by its name"
)]

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use messaging::entropy::{Entropy, SeededEntropy};
use messaging::store::StoreError;
use protocol::flight::{FlightId, SeatCount, TimeZoneName};
use protocol::ids::OrderId;
use protocol::money::{Currency, Money};
use protocol::reason::Unavailable;
use protocol::time::Timestamp;
use ticket_service::flight::Flight;
use ticket_service::reservation::{Hold, Reservation};
use ticket_service::run::Run;
use ticket_service::store::{FlightPut, Held, TicketStore, Wanted};
use tokio::task::{JoinSet, yield_now};

pub use messaging_contract::contract_tests;

/// The tests of [`TicketStore`] for one adapter.
#[macro_export]
macro_rules! ticket_store_contract {
    ($make:path) => {
        $crate::contract_tests!($make; $crate {
            a_hold_takes_its_seats_and_is_recorded,
            a_repeated_hold_takes_no_more,
            a_hold_of_more_than_is_free_records_nothing,
            a_hold_on_an_unknown_flight_records_nothing,
            concurrent_holds_never_oversell,
            concurrent_twins_hold_once,
            the_first_decision_stands,
            a_release_frees_the_seats_once,
            a_release_before_the_hold_prevents_it,
            concurrent_holds_and_releases_conserve_the_seats,
            flights_are_offered_by_departure,
            a_changed_flight_keeps_its_held_seats,
            a_capacity_below_what_is_held_is_refused,
            a_flight_that_changes_while_seats_are_held_keeps_count,
            a_change_of_a_flight_that_was_overtaken_keeps_count,
            a_hold_is_for_the_price_of_now,
            a_hold_for_another_amount_than_expected_records_nothing,
            a_hold_on_a_flight_that_has_left_records_nothing,
            a_flight_that_changed_refuses_no_order_by_its_old_terms,
            an_order_that_was_decided_before_is_answered_from_its_record,
            a_run_is_held_as_if_one_after_another,
            of_a_run_each_order_that_fits_is_held,
            an_order_of_a_run_that_was_decided_before_takes_no_seats,
            the_longest_run_is_held,
            concurrent_runs_never_oversell,
            a_run_that_was_cut_short_is_finished_when_it_is_repeated,
        });
    };
}

fn flight(id: &str, capacity: u32, day: i64) -> Flight {
    Flight {
        id: FlightId::parse(id).unwrap(),
        from: "Vienna".to_owned(),
        to: "Reykjavík".to_owned(),
        departs_at: Timestamp::from_millis(1_800_000_000_000 + day * 86_400_000),
        time_zone: TimeZoneName::parse("Europe/Vienna").unwrap(),
        capacity,
        price: Money { value: 12_950, currency: Currency::parse("EUR").unwrap() },
    }
}

fn order(number: u64) -> OrderId {
    SeededEntropy::new(number).order_id()
}

fn seats(count: u64) -> SeatCount {
    SeatCount::try_from(count).unwrap()
}

async fn with_flight(store: &dyn TicketStore, capacity: u32) -> Flight {
    let flight = flight("OS-101", capacity, 1);
    assert_eq!(store.put_flight(&flight).await.unwrap(), FlightPut::Stored);
    flight
}

/// What the suite wants by default: that many seats, at any price.
fn wanted(flight: &FlightId, seats: SeatCount) -> Wanted {
    Wanted { flight_id: flight.clone(), seats, expected_amount: None }
}

/// A hold at the suite's moment, long before any of its flights leaves.
async fn hold(
    store: &dyn TicketStore,
    order: OrderId,
    flight: &FlightId,
    seats: SeatCount,
) -> Result<Held, StoreError> {
    store.hold(order, &wanted(flight, seats), now()).await
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

async fn seats_left(store: &dyn TicketStore) -> u32 {
    store.offers().await.unwrap()[0].seats_left
}

async fn seats_left_on(store: &dyn TicketStore, flight: &Flight) -> u32 {
    let offers = store.offers().await.unwrap();
    offers.iter().find(|offer| offer.flight.id == flight.id).unwrap().seats_left
}

/// Asks until it is done: a store that is too busy says so, and the message would be redelivered.
async fn insist<T, E: Debug, F: Future<Output = Result<T, E>>>(ask: impl Fn() -> F) -> T {
    for _ in 0..1_000 {
        if let Ok(done) = ask().await {
            return done;
        }
        yield_now().await;
    }
    ask().await.unwrap()
}

pub async fn a_hold_takes_its_seats_and_is_recorded(store: Arc<dyn TicketStore>) {
    let flight = with_flight(store.as_ref(), 10).await;
    assert_eq!(store.find(order(1)).await.unwrap(), None);
    let held = hold(store.as_ref(), order(1), &flight.id, seats(3)).await.unwrap();
    let amount = Money { value: 3 * 12_950, currency: flight.price.currency.clone() };
    let (flight_id, departs_at, route) = (flight.id.clone(), flight.departs_at, Some(flight.route()));
    let hold = Hold { flight_id, seats: seats(3), amount, departs_at, route };
    assert_eq!(held, Held::Held(hold.clone()));
    assert_eq!(store.find(order(1)).await.unwrap(), Some(Reservation::Held(hold)));
    assert_eq!(seats_left(store.as_ref()).await, 7);
}

pub async fn a_repeated_hold_takes_no_more(store: Arc<dyn TicketStore>) {
    let flight = with_flight(store.as_ref(), 10).await;
    let Held::Held(held) = hold(store.as_ref(), order(1), &flight.id, seats(3)).await.unwrap() else {
        panic!("not held")
    };
    let again = hold(store.as_ref(), order(1), &flight.id, seats(3)).await.unwrap();
    assert_eq!(again, Held::Decided(Reservation::Held(held)));
    assert_eq!(seats_left(store.as_ref()).await, 7);
}

pub async fn a_hold_of_more_than_is_free_records_nothing(store: Arc<dyn TicketStore>) {
    let flight = with_flight(store.as_ref(), 2).await;
    assert_eq!(hold(store.as_ref(), order(1), &flight.id, seats(3)).await.unwrap(), Held::SoldOut);
    assert_eq!(store.find(order(1)).await.unwrap(), None);
    assert_eq!(seats_left(store.as_ref()).await, 2);
    assert!(
        matches!(hold(store.as_ref(), order(2), &flight.id, seats(2)).await.unwrap(), Held::Held(_)),
        "the last seats"
    );
}

pub async fn a_hold_on_an_unknown_flight_records_nothing(store: Arc<dyn TicketStore>) {
    let unknown = FlightId::parse("XX-000").unwrap();
    assert_eq!(hold(store.as_ref(), order(1), &unknown, seats(1)).await.unwrap(), Held::UnknownFlight);
    assert_eq!(store.find(order(1)).await.unwrap(), None);
}

pub async fn concurrent_holds_never_oversell(store: Arc<dyn TicketStore>) {
    let flight = with_flight(store.as_ref(), 5).await;
    let mut holds = JoinSet::new();
    for number in 0..20 {
        let (store, id) = (store.clone(), flight.id.clone());
        holds.spawn(async move { insist(|| hold(store.as_ref(), order(number), &id, seats(1))).await });
    }
    let outcomes = holds.join_all().await;
    assert_eq!(outcomes.iter().filter(|held| matches!(held, Held::Held(_))).count(), 5);
    assert_eq!(outcomes.iter().filter(|held| **held == Held::SoldOut).count(), 15);
    assert_eq!(seats_left(store.as_ref()).await, 0);
}

pub async fn concurrent_twins_hold_once(store: Arc<dyn TicketStore>) {
    let flight = with_flight(store.as_ref(), 100).await;
    let mut holds = JoinSet::new();
    for _ in 0..16 {
        let (store, id) = (store.clone(), flight.id.clone());
        holds.spawn(async move { hold(store.as_ref(), order(1), &id, seats(2)).await });
    }
    let outcomes = holds.join_all().await;
    assert_eq!(outcomes.iter().filter(|held| matches!(held, Ok(Held::Held(_)))).count(), 1);
    assert_eq!(seats_left(store.as_ref()).await, 98);
}

pub async fn the_first_decision_stands(store: Arc<dyn TicketStore>) {
    let flight = with_flight(store.as_ref(), 10).await;
    let refused = Reservation::Refused { reason: Unavailable::SoldOut };
    assert_eq!(store.decide(order(1), &refused).await.unwrap(), refused);
    assert_eq!(store.decide(order(1), &Reservation::Released).await.unwrap(), refused);
    assert_eq!(
        hold(store.as_ref(), order(1), &flight.id, seats(1)).await.unwrap(),
        Held::Decided(refused.clone())
    );
    assert_eq!(store.release(order(1)).await.unwrap(), Some(refused));
    assert_eq!(seats_left(store.as_ref()).await, 10);
}

pub async fn a_release_frees_the_seats_once(store: Arc<dyn TicketStore>) {
    let flight = with_flight(store.as_ref(), 10).await;
    hold(store.as_ref(), order(1), &flight.id, seats(4)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(store.release(order(1)).await.unwrap(), Some(Reservation::Released));
        assert_eq!(seats_left(store.as_ref()).await, 10);
    }
    let again = hold(store.as_ref(), order(1), &flight.id, seats(4)).await.unwrap();
    assert_eq!(again, Held::Decided(Reservation::Released), "a release is final");
}

pub async fn a_release_before_the_hold_prevents_it(store: Arc<dyn TicketStore>) {
    let flight = with_flight(store.as_ref(), 10).await;
    assert_eq!(store.release(order(1)).await.unwrap(), None);
    assert_eq!(store.decide(order(1), &Reservation::Released).await.unwrap(), Reservation::Released);
    let held = hold(store.as_ref(), order(1), &flight.id, seats(1)).await.unwrap();
    assert_eq!(held, Held::Decided(Reservation::Released));
    assert_eq!(seats_left(store.as_ref()).await, 10);
}

pub async fn concurrent_holds_and_releases_conserve_the_seats(store: Arc<dyn TicketStore>) {
    let flight = with_flight(store.as_ref(), 30).await;
    let mut work = JoinSet::new();
    for number in 0..12 {
        let (store, id) = (store.clone(), flight.id.clone());
        work.spawn(async move {
            insist(|| hold(store.as_ref(), order(number), &id, seats(1))).await;
            let release = || insist(|| store.release(order(number)));
            tokio::join!(release(), release());
        });
    }
    work.join_all().await;
    assert_eq!(seats_left(store.as_ref()).await, 30);
}

pub async fn flights_are_offered_by_departure(store: Arc<dyn TicketStore>) {
    for (id, day) in [("OS-3", 9), ("OS-1", 2), ("OS-2", 5)] {
        store.put_flight(&flight(id, 10, day)).await.unwrap();
    }
    let offers = store.offers().await.unwrap();
    assert_eq!(
        offers.iter().map(|offer| offer.flight.id.as_str()).collect::<Vec<_>>(),
        ["OS-1", "OS-2", "OS-3"]
    );
    assert_eq!(offers[0].flight, flight("OS-1", 10, 2));
}

pub async fn a_changed_flight_keeps_its_held_seats(store: Arc<dyn TicketStore>) {
    let before = with_flight(store.as_ref(), 10).await;
    hold(store.as_ref(), order(1), &before.id, seats(4)).await.unwrap();
    let after = Flight { capacity: 12, to: "Oslo".to_owned(), ..before };
    assert_eq!(store.put_flight(&after).await.unwrap(), FlightPut::Stored);
    let offers = store.offers().await.unwrap();
    assert_eq!((&offers[0].flight, offers[0].seats_left), (&after, 8));
    store.release(order(1)).await.unwrap();
    assert_eq!(seats_left(store.as_ref()).await, 12);
}

pub async fn a_capacity_below_what_is_held_is_refused(store: Arc<dyn TicketStore>) {
    let before = with_flight(store.as_ref(), 10).await;
    hold(store.as_ref(), order(1), &before.id, seats(4)).await.unwrap();
    let after = Flight { capacity: 3, ..before.clone() };
    assert_eq!(store.put_flight(&after).await.unwrap(), FlightPut::BelowHeld { held: 4 });
    assert_eq!(store.offers().await.unwrap()[0].flight, before);
    assert_eq!(store.put_flight(&Flight { capacity: 4, ..before }).await.unwrap(), FlightPut::Stored);
    assert_eq!(seats_left(store.as_ref()).await, 0);
}

pub async fn a_flight_that_changes_while_seats_are_held_keeps_count(store: Arc<dyn TicketStore>) {
    for round in 0..30_u64 {
        let flight = flight(&format!("OS-{round}"), 12, 1);
        // First it is new, then it is there.
        for held in [4, 8] {
            let mut work = JoinSet::new();
            for capacity in [12, 13, 14] {
                let (store, flight) = (store.clone(), Flight { capacity, ..flight.clone() });
                work.spawn(async move {
                    insist(|| store.put_flight(&flight)).await;
                });
            }
            for number in held - 4..held {
                let (store, id, order) =
                    (store.clone(), flight.id.clone(), order(round * 8 + u64::from(number)));
                work.spawn(async move {
                    let hold = || async {
                        match hold(store.as_ref(), order, &id, seats(1)).await {
                            Ok(Held::Held(_)) => Ok(()),
                            not => Err(format!("{not:?}")),
                        }
                    };
                    insist(hold).await;
                });
            }
            work.join_all().await;
            assert_eq!(store.put_flight(&flight).await.unwrap(), FlightPut::Stored);
            assert_eq!(seats_left_on(store.as_ref(), &flight).await, 12 - held, "in round {round}");
        }
    }
}

pub async fn a_change_of_a_flight_that_was_overtaken_keeps_count(store: Arc<dyn TicketStore>) {
    // Overtaken wherever it waits.
    for waits in 0..16 {
        let flight = flight(&format!("OS-{waits}"), 10, 1);
        assert_eq!(store.put_flight(&flight).await.unwrap(), FlightPut::Stored);
        let larger = |capacity| Flight { capacity, ..flight.clone() };
        let wanted = larger(12);
        let mut put = store.put_flight(&wanted);
        let mut stored = Poll::Pending;
        for _ in 0..waits {
            if stored.is_pending() {
                stored = poll_fn(|context| Poll::Ready(put.as_mut().poll(context))).await;
            }
        }
        // Now as many seats are free as before, though not of as many.
        assert_eq!(store.put_flight(&larger(11)).await.unwrap(), FlightPut::Stored);
        assert!(matches!(
            hold(store.as_ref(), order(waits), &flight.id, seats(1)).await.unwrap(),
            Held::Held(_)
        ));
        let stored = if let Poll::Ready(stored) = stored { stored } else { put.await };
        assert_eq!(stored.unwrap(), FlightPut::Stored);

        assert_eq!(store.put_flight(&wanted).await.unwrap(), FlightPut::Stored);
        assert_eq!(seats_left_on(store.as_ref(), &flight).await, 11, "after {waits}");
    }
}

pub async fn a_hold_is_for_the_price_of_now(store: Arc<dyn TicketStore>) {
    let flight = with_flight(store.as_ref(), 10).await;
    hold(store.as_ref(), order(1), &flight.id, seats(1)).await.unwrap();
    let price = Money { value: flight.price.value + 1, ..flight.price.clone() };
    store.put_flight(&Flight { price: price.clone(), ..flight.clone() }).await.unwrap();
    let Held::Held(held) = hold(store.as_ref(), order(2), &flight.id, seats(2)).await.unwrap() else {
        panic!("there are seats")
    };
    assert_eq!(held.amount.value, 2 * price.value);
}

fn expecting(flight: &Flight, seats: SeatCount, value: u64) -> Wanted {
    let expected_amount = Some(Money { value, currency: flight.price.currency.clone() });
    Wanted { expected_amount, ..wanted(&flight.id, seats) }
}

pub async fn a_hold_for_another_amount_than_expected_records_nothing(store: Arc<dyn TicketStore>) {
    let flight = with_flight(store.as_ref(), 10).await;
    let dollars = Money { value: 25_900, currency: Currency::parse("USD").unwrap() };
    let in_dollars = Wanted { expected_amount: Some(dollars), ..wanted(&flight.id, seats(2)) };
    for unexpected in [expecting(&flight, seats(2), 25_899), expecting(&flight, seats(9), 25_900), in_dollars]
    {
        assert_eq!(store.hold(order(1), &unexpected, now()).await.unwrap(), Held::PriceChanged);
    }
    let too_many = expecting(&flight, seats(9), 1);
    store.put_flight(&Flight { capacity: 2, ..flight.clone() }).await.unwrap();
    assert_eq!(store.hold(order(1), &too_many, now()).await.unwrap(), Held::PriceChanged, "before sold out");
    assert_eq!(store.find(order(1)).await.unwrap(), None);
    let expected = expecting(&flight, seats(2), 25_900);
    assert!(matches!(store.hold(order(1), &expected, now()).await.unwrap(), Held::Held(_)));
}

pub async fn a_hold_on_a_flight_that_has_left_records_nothing(store: Arc<dyn TicketStore>) {
    let flight = with_flight(store.as_ref(), 10).await;
    let unexpected = expecting(&flight, seats(2), 1);
    let at = |millis| Timestamp::from_millis(flight.departs_at.as_millis() + millis);
    for wanted in [&wanted(&flight.id, seats(2)), &unexpected] {
        assert_eq!(store.hold(order(1), wanted, at(0)).await.unwrap(), Held::Departed, "before the price");
    }
    assert_eq!(store.find(order(1)).await.unwrap(), None);
    assert_eq!(seats_left(store.as_ref()).await, 10);
    let in_time = store.hold(order(1), &wanted(&flight.id, seats(2)), at(-1)).await.unwrap();
    assert!(matches!(in_time, Held::Held(_)));
}

pub async fn a_flight_that_changed_refuses_no_order_by_its_old_terms(store: Arc<dyn TicketStore>) {
    let flight = with_flight(store.as_ref(), 10).await;
    // The store has seen the flight as it was.
    hold(store.as_ref(), order(1), &flight.id, seats(1)).await.unwrap();
    let departs_at = Timestamp::from_millis(flight.departs_at.as_millis() + 3_600_000);
    let price = Money { value: 9_900, ..flight.price.clone() };
    store.put_flight(&Flight { departs_at, price, ..flight.clone() }).await.unwrap();
    let cheaper = expecting(&flight, seats(1), 9_900);
    let held = store.hold(order(2), &cheaper, flight.departs_at).await.unwrap();
    assert!(matches!(held, Held::Held(_)), "{held:?}");
    let before = expecting(&flight, seats(1), 12_950);
    assert_eq!(store.hold(order(3), &before, now()).await.unwrap(), Held::PriceChanged);
}

pub async fn an_order_that_was_decided_before_is_answered_from_its_record(store: Arc<dyn TicketStore>) {
    let flight = with_flight(store.as_ref(), 10).await;
    let Held::Held(held) = hold(store.as_ref(), order(1), &flight.id, seats(3)).await.unwrap() else {
        panic!("not held")
    };
    let decided = Held::Decided(Reservation::Held(held));
    let unexpected = expecting(&flight, seats(3), 1);
    assert_eq!(store.hold(order(1), &unexpected, now()).await.unwrap(), decided);
    let late = wanted(&flight.id, seats(3));
    assert_eq!(store.hold(order(1), &late, flight.departs_at).await.unwrap(), decided);
    assert_eq!(seats_left(store.as_ref()).await, 7);
}

fn run(orders: Vec<(OrderId, Wanted)>) -> Run {
    let mut orders = orders.into_iter();
    let (first, of_first) = orders.next().unwrap();
    let mut run = Run::of(first, of_first);
    orders.for_each(|(order, wanted)| assert!(run.join(order, wanted)));
    run
}

async fn hold_run(store: &dyn TicketStore, run: &Run, now: Timestamp) -> Vec<Held> {
    store.hold_run(run, now).await.into_iter().map(Result::unwrap).collect()
}

/// The same, had it happened on that flight.
fn on(flight: &Flight, reservation: Reservation) -> Reservation {
    match reservation {
        Reservation::Held(hold) => Reservation::Held(Hold { flight_id: flight.id.clone(), ..hold }),
        other => other,
    }
}

/// What a run may find: flights of all sizes that were changed or left, orders of all kinds, decided or not.
pub async fn a_run_is_held_as_if_one_after_another(store: Arc<dyn TicketStore>) {
    let mut seen = BTreeSet::new();
    for round in 0..60_u64 {
        let random = SeededEntropy::new(round);
        let one_in = |times: u64| random.below(times) == 0;
        let capacity = u32::try_from(random.below(14)).unwrap();
        let twins =
            [flight(&format!("RUN-{round}"), capacity, 1), flight(&format!("ONE-{round}"), capacity, 1)];
        let length = 2 + random.below(7);
        let id = |twin: u64, place: u64| order(1_000 * round + 100 * twin + place);
        let (is_known, is_warm, is_changed) = (!one_in(10), one_in(2), one_in(3));
        let wants: Vec<_> = (0..length)
            .map(|_| {
                let count = 1 + random.below(4);
                let expected = [None, None, Some(12_950 * count), Some(9_900 * count)];
                (seats(count), expected[usize::try_from(random.below(4)).unwrap()])
            })
            .collect();
        let before: Vec<_> = (0..length).map(|_| random.below(12)).collect();
        let now = if one_in(8) { twins[0].departs_at } else { now() };
        let wanted = |twin: &Flight, place: usize| {
            let (seats, expected) = wants[place];
            let amount = |value| Money { value, currency: twin.price.currency.clone() };
            Wanted { flight_id: twin.id.clone(), seats, expected_amount: expected.map(amount) }
        };
        for (number, twin) in (0..).zip(&twins) {
            if !is_known {
                continue;
            }
            store.put_flight(twin).await.unwrap();
            if is_warm {
                hold(store.as_ref(), id(number, 99), &twin.id, seats(1)).await.unwrap();
            }
            for (place, before) in (0..).zip(&before) {
                let order = id(number, place);
                let refused = Reservation::Refused { reason: Unavailable::SoldOut };
                match before {
                    0 => drop(hold(store.as_ref(), order, &twin.id, seats(1)).await.unwrap()),
                    1 => drop(store.decide(order, &refused).await.unwrap()),
                    2 => drop(store.decide(order, &Reservation::Released).await.unwrap()),
                    _ => {}
                }
            }
            if is_changed {
                let price = Money { value: 9_900, ..twin.price.clone() };
                store.put_flight(&Flight { price, ..twin.clone() }).await.unwrap();
            }
        }
        let orders = (0..length).zip(0..).map(|(number, place)| (id(0, number), wanted(&twins[0], place)));
        let together = hold_run(store.as_ref(), &run(orders.collect()), now).await;
        assert_eq!(together.len(), wants.len());
        for ((number, place), held) in (0..length).zip(0..).zip(together) {
            let alone = store.hold(id(1, number), &wanted(&twins[1], place), now).await.unwrap();
            let expected = match alone {
                Held::Held(hold) => Held::Held(Hold { flight_id: twins[0].id.clone(), ..hold }),
                Held::Decided(record) => Held::Decided(on(&twins[0], record)),
                other => other,
            };
            assert_eq!(held, expected, "order {number} of {length} in round {round}");
            let record = store.find(id(1, number)).await.unwrap().map(|record| on(&twins[0], record));
            assert_eq!(store.find(id(0, number)).await.unwrap(), record, "order {number} in round {round}");
            let kind = format!("{held:?}");
            seen.insert(kind.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned());
        }
        if is_known {
            let [together, alone] = [&twins[0], &twins[1]].map(|twin| seats_left_on(store.as_ref(), twin));
            assert_eq!(together.await, alone.await, "in round {round}");
        }
    }
    let all = ["Decided", "Departed", "Held", "PriceChanged", "SoldOut", "UnknownFlight"];
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), all, "the rounds have all of them");
}

/// A run of which the first, the third and the fifth order fit into four seats.
fn tight_run(flight: &Flight, first: u64) -> Run {
    let wants = [1, 4, 2, 2, 1, 1, 9].into_iter().zip(first..);
    run(wants.map(|(count, number)| (order(number), wanted(&flight.id, seats(count)))).collect())
}

pub async fn of_a_run_each_order_that_fits_is_held(store: Arc<dyn TicketStore>) {
    let flight = with_flight(store.as_ref(), 4).await;
    let held = hold_run(store.as_ref(), &tight_run(&flight, 1), now()).await;
    let is_held: Vec<_> = held.iter().map(|held| matches!(held, Held::Held(_))).collect();
    assert_eq!(is_held, [true, false, true, false, true, false, false], "{held:?}");
    assert_eq!(held.iter().filter(|held| **held == Held::SoldOut).count(), 4);
    assert_eq!(store.find(order(2)).await.unwrap(), None);
    assert_eq!(seats_left(store.as_ref()).await, 0);
}

pub async fn a_run_that_was_cut_short_is_finished_when_it_is_repeated(store: Arc<dyn TicketStore>) {
    // Cut short wherever it waits.
    for waits in 0..40 {
        let flight = flight(&format!("OS-{waits}"), 4, 1);
        store.put_flight(&flight).await.unwrap();
        let run = tight_run(&flight, 10 * waits);
        let mut first = store.hold_run(&run, now());
        for _ in 0..waits {
            if poll_fn(|context| Poll::Ready(first.as_mut().poll(context))).await.is_ready() {
                break;
            }
        }
        drop(first);
        let held = hold_run(store.as_ref(), &run, now()).await;
        let is_held: Vec<_> = held
            .iter()
            .map(|held| matches!(held, Held::Held(_) | Held::Decided(Reservation::Held(_))))
            .collect();
        assert_eq!(is_held, [true, false, true, false, true, false, false], "after {waits}: {held:?}");
        assert_eq!(seats_left_on(store.as_ref(), &flight).await, 0, "after {waits}");
    }
}

pub async fn an_order_of_a_run_that_was_decided_before_takes_no_seats(store: Arc<dyn TicketStore>) {
    let flight = with_flight(store.as_ref(), 10).await;
    let orders = || (1..=3).map(|number| (order(number), wanted(&flight.id, seats(2)))).collect();
    let Held::Held(first) = hold(store.as_ref(), order(2), &flight.id, seats(2)).await.unwrap() else {
        panic!("not held")
    };
    let held = hold_run(store.as_ref(), &run(orders()), now()).await;
    assert_eq!(held[1], Held::Decided(Reservation::Held(first)));
    assert!(matches!((&held[0], &held[2]), (Held::Held(_), Held::Held(_))), "{held:?}");
    assert_eq!(seats_left(store.as_ref()).await, 4);
    let again = hold_run(store.as_ref(), &run(orders()), now()).await;
    assert!(again.iter().all(|held| matches!(held, Held::Decided(Reservation::Held(_)))), "{again:?}");
    assert_eq!(seats_left(store.as_ref()).await, 4);
}

pub async fn the_longest_run_is_held(store: Arc<dyn TicketStore>) {
    let flight = with_flight(store.as_ref(), 100).await;
    let orders = (0..Run::LONGEST as u64).map(|number| (order(number), wanted(&flight.id, seats(1))));
    let mut run = run(orders.collect());
    assert!(!run.join(order(1_000), wanted(&flight.id, seats(1))), "it is full");
    let held = hold_run(store.as_ref(), &run, now()).await;
    assert!(held.iter().all(|held| matches!(held, Held::Held(_))));
    assert_eq!(seats_left(store.as_ref()).await, 1);
}

pub async fn concurrent_runs_never_oversell(store: Arc<dyn TicketStore>) {
    let flight = with_flight(store.as_ref(), 20).await;
    let mut runs = JoinSet::new();
    for number in 0..8_u64 {
        // Each order is in two of the runs, once near its end and once near its beginning.
        let orders =
            (number..number + 4).map(|number| (order(number % 8), wanted(&flight.id, seats(1 + number % 4))));
        let (store, run) = (store.clone(), run(orders.collect()));
        runs.spawn(async move {
            insist(|| async { store.hold_run(&run, now()).await.into_iter().collect::<Result<Vec<_>, _>>() })
                .await
        });
    }
    let outcomes: Vec<_> = runs.join_all().await.into_iter().flatten().collect();
    let mut held = 0;
    for number in 0..8 {
        if let Some(Reservation::Held(hold)) = store.find(order(number)).await.unwrap() {
            held += u32::from(hold.seats.get());
        }
    }
    let newly: u32 = outcomes
        .iter()
        .map(|held| match held {
            Held::Held(hold) => u32::from(hold.seats.get()),
            _ => 0,
        })
        .sum();
    assert_eq!(seats_left(store.as_ref()).await, 20 - held);
    assert!(held > 10, "most of the seats are sold");
    assert!(newly <= held, "a hold is new once");
}
