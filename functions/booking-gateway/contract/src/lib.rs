//! The contract of [`OrderStore`], as promises that every adapter keeps. Tests only.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "a suite fails by panicking, and a promise says it by its name"
)]

pub mod limits;

use std::sync::Arc;
use std::time::Duration;

use booking_gateway::check::{FIRST_CHECK, NextCheck};
use booking_gateway::idempotency::RequestDigest;
use booking_gateway::order::{Applied, Input, Order, Request, apply};
use booking_gateway::store::{Check, Created, From, OrderStore, Postponed, Updated, Watch};
use messaging::entropy::{Entropy, SeededEntropy};
use protocol::flight::{FlightId, SeatCount};
use protocol::ids::OrderId;
use protocol::messages::OrderUpdate;
use protocol::money::{Currency, Money};
use protocol::passenger::{EmailAddress, Passenger, PassengerName};
use protocol::payment::PaymentMethod;
use protocol::reason::Unavailable;
use protocol::time::Timestamp;
use tokio::task::JoinSet;

pub use messaging_contract::contract_tests;

/// The tests of [`OrderStore`] for one adapter.
#[macro_export]
macro_rules! order_store_contract {
    ($make:path) => {
        $crate::contract_tests!($make; $crate {
            an_order_is_read_as_it_was_stored,
            a_program_that_does_not_know_of_digests_leaves_an_orders_as_it_is,
            an_order_of_before_has_no_digest,
            an_id_is_taken_once,
            of_concurrent_twins_one_is_stored,
            get_many_answers_what_exists,
            an_update_rests_on_the_version_before,
            of_concurrent_updates_one_wins,
            an_order_is_due_from_its_first_check_until_it_is_settled,
            a_settled_order_that_is_cancelled_is_due_again,
            a_cancellation_sets_the_check_anew,
            due_checks_are_read_page_by_page_from_either_end,
            a_check_is_moved_by_one_reconciler_alone,
            moving_a_check_and_changing_the_order_do_not_disturb_each_other,
            the_check_of_a_settled_order_is_gone,
        });
    };
}

fn start() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

/// A new order, accepted so many seconds after the suite's start.
pub fn order(number: u64, second: u64) -> Order {
    let entropy = SeededEntropy::new(number);
    let request = Request {
        flight_id: FlightId::parse("OS-101").unwrap(),
        seats: SeatCount::try_from(2).unwrap(),
        passenger: Passenger {
            name: PassengerName::parse("Ada Byron").unwrap(),
            email: EmailAddress::parse("ada@example.com").unwrap(),
        },
        payment_method: PaymentMethod::parse("pm_card_visa").unwrap(),
        expected_amount: None,
    };
    let now = start() + Duration::from_secs(second);
    let order =
        Order::accept(entropy.order_id(), request, entropy.traceparent(), now, Duration::from_secs(3600));
    Order { digest: Some(RequestDigest::from_bytes([number.to_le_bytes()[0]; 16])), ..order }
}

fn advanced(order: &Order, input: &Input) -> Order {
    let Applied::Advance(next) = apply(order, input, order.updated_at() + Duration::from_secs(1)) else {
        panic!("{input:?} does not move {order:?}");
    };
    *next
}

fn rejected(order: &Order) -> Order {
    advanced(order, &Input::Update(OrderUpdate::TicketsUnavailable { reason: Unavailable::SoldOut }))
}

fn reserved(order: &Order) -> Order {
    let amount = Money { value: 51_800, currency: Currency::parse("EUR").unwrap() };
    let departs_at = start() + Duration::from_secs(1_000_000);
    advanced(order, &Input::Update(OrderUpdate::TicketsReserved { amount, departs_at, route: None }))
}

fn cancelling(order: &Order) -> Order {
    advanced(order, &Input::CancelRequested)
}

async fn due(store: &dyn OrderStore, second: u64) -> Vec<OrderId> {
    checks(store, start() + Duration::from_secs(second)).await.into_iter().map(|check| check.order).collect()
}

/// All checks that are due, the most overdue first.
async fn checks(store: &dyn OrderStore, now: Timestamp) -> Vec<Check> {
    let mut checks = Vec::new();
    for shard in 0..store.shards() {
        checks.extend(store.due(shard, now, From::Oldest(None), 100).await.unwrap());
    }
    checks.sort();
    checks
}

fn moved(order: &Order, check: NextCheck) -> Postponed {
    Postponed::Moved(Box::new(Order { next_check: Some(check), ..order.clone() }))
}

/// Stores the next version of an order, as the gateway does.
async fn update(store: &dyn OrderStore, before: &Order, next: &Order) -> Updated {
    store.update(next, Watch::between(before, next)).await.unwrap()
}

pub async fn an_order_is_read_as_it_was_stored(store: Arc<dyn OrderStore>) {
    let order = order(1, 0);
    assert_eq!(store.get(order.id).await.unwrap(), None);
    assert_eq!(store.create(&order).await.unwrap(), Created::Created);
    assert_eq!(store.get(order.id).await.unwrap(), Some(order.clone()), "with its first check");
    let next = reserved(&order);
    assert_eq!(update(store.as_ref(), &order, &next).await, Updated::Updated);
    assert_eq!(store.get(order.id).await.unwrap(), Some(next));
}

pub async fn a_program_that_does_not_know_of_digests_leaves_an_orders_as_it_is(store: Arc<dyn OrderStore>) {
    let order = order(1, 0);
    store.create(&order).await.unwrap();
    let next = reserved(&order);
    let written = Order { digest: None, ..next.clone() };
    assert_eq!(update(store.as_ref(), &order, &written).await, Updated::Updated);
    assert_eq!(store.get(order.id).await.unwrap(), Some(next));
}

pub async fn an_order_of_before_has_no_digest(store: Arc<dyn OrderStore>) {
    let order = Order { digest: None, ..order(1, 0) };
    store.create(&order).await.unwrap();
    assert_eq!(store.get(order.id).await.unwrap(), Some(order));
}

pub async fn an_id_is_taken_once(store: Arc<dyn OrderStore>) {
    let first = order(1, 0);
    store.create(&first).await.unwrap();
    let twin = order(1, 1);
    assert_eq!(store.create(&twin).await.unwrap(), Created::Exists(Box::new(first.clone())));
    assert_eq!(store.get(first.id).await.unwrap(), Some(first));
}

pub async fn of_concurrent_twins_one_is_stored(store: Arc<dyn OrderStore>) {
    let order = order(1, 0);
    let mut twins = JoinSet::new();
    for _ in 0..16 {
        let (store, order) = (store.clone(), order.clone());
        twins.spawn(async move { store.create(&order).await.unwrap() });
    }
    let outcomes = twins.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Created::Created).count(), 1);
}

pub async fn get_many_answers_what_exists(store: Arc<dyn OrderStore>) {
    let stored: Vec<_> = (0..25).map(|number| order(number, 0)).collect();
    for order in &stored {
        store.create(order).await.unwrap();
    }
    let mut ids: Vec<_> = stored.iter().map(|order| order.id).collect();
    ids.push(order(99, 0).id);
    ids.push(stored[0].id);
    let found = store.get_many(&ids).await.unwrap();
    assert_eq!(found.len(), stored.len());
    assert!(stored.iter().all(|order| found.get(&order.id) == Some(order)));
}

pub async fn an_update_rests_on_the_version_before(store: Arc<dyn OrderStore>) {
    let order = order(1, 0);
    let next = reserved(&order);
    assert_eq!(update(store.as_ref(), &order, &next).await, Updated::Stale, "there is none");
    store.create(&order).await.unwrap();
    assert_eq!(update(store.as_ref(), &order, &next).await, Updated::Updated);
    assert_eq!(update(store.as_ref(), &order, &rejected(&order)).await, Updated::Stale);
    assert_eq!(store.get(order.id).await.unwrap(), Some(next));
    assert_eq!(due(store.as_ref(), 60).await, [order.id], "a stale change leaves the index alone");
}

pub async fn of_concurrent_updates_one_wins(store: Arc<dyn OrderStore>) {
    let order = order(1, 0);
    store.create(&order).await.unwrap();
    let mut updates = JoinSet::new();
    for _ in 0..16 {
        let (store, before, next) = (store.clone(), order.clone(), reserved(&order));
        updates.spawn(async move { update(store.as_ref(), &before, &next).await });
    }
    let outcomes = updates.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Updated::Updated).count(), 1);
}

pub async fn an_order_is_due_from_its_first_check_until_it_is_settled(store: Arc<dyn OrderStore>) {
    let order = order(1, 0);
    store.create(&order).await.unwrap();
    assert!(due(store.as_ref(), FIRST_CHECK.as_secs() - 1).await.is_empty());
    assert_eq!(due(store.as_ref(), FIRST_CHECK.as_secs()).await, [order.id]);
    update(store.as_ref(), &order, &rejected(&order)).await;
    assert!(due(store.as_ref(), 1_000_000).await.is_empty());
    assert_eq!(store.get(order.id).await.unwrap().unwrap().next_check, None);
}

pub async fn a_settled_order_that_is_cancelled_is_due_again(store: Arc<dyn OrderStore>) {
    let pending = order(1, 0);
    store.create(&pending).await.unwrap();
    let settled = rejected(&pending);
    update(store.as_ref(), &pending, &settled).await;
    let check = NextCheck { at: start() + Duration::from_secs(500), count: 0 };
    let again = Order { version: settled.version + 1, next_check: Some(check), ..settled.clone() };
    update(store.as_ref(), &settled, &again).await;
    assert!(due(store.as_ref(), 499).await.is_empty());
    assert_eq!(checks(store.as_ref(), check.at).await, [Check::of(pending.id, check)]);
    assert_eq!(store.get(pending.id).await.unwrap(), Some(again));
}

pub async fn a_cancellation_sets_the_check_anew(store: Arc<dyn OrderStore>) {
    let order = order(1, 0);
    store.create(&order).await.unwrap();
    let late = NextCheck { at: start() + Duration::from_secs(20_000), count: 9 };
    let seen = checks(store.as_ref(), start() + FIRST_CHECK).await.remove(0);
    assert_eq!(store.postpone(&seen, late).await.unwrap(), moved(&order, late));
    let next = cancelling(&order);
    // The gateway read the order before the check was moved.
    update(store.as_ref(), &Order { next_check: None, ..order }, &next).await;
    assert_eq!(checks(store.as_ref(), next.updated_at() + FIRST_CHECK).await.len(), 1);
    assert_eq!(store.get(next.id).await.unwrap(), Some(next));
}

pub async fn due_checks_are_read_page_by_page_from_either_end(store: Arc<dyn OrderStore>) {
    let orders: Vec<_> = (0..60).map(|number| order(number, (number * 7) % 30)).collect();
    for order in &orders {
        store.create(order).await.unwrap();
    }
    let now = start() + FIRST_CHECK + Duration::from_secs(24);
    let mut read = 0;
    for shard in 0..store.shards() {
        let all = store.due(shard, now, From::Oldest(None), 100).await.unwrap();
        assert!(all.is_sorted(), "the most overdue first; of those due at the same moment, by id");
        assert!(all.iter().all(|check| check.at <= now));
        let mut pages: Vec<Check> = Vec::new();
        loop {
            let page = store.due(shard, now, From::Oldest(pages.last()), 3).await.unwrap();
            pages.extend(page.iter().cloned());
            if page.len() < 3 {
                break;
            }
        }
        assert_eq!(pages, all, "page by page the same");
        let freshest = store.due(shard, now, From::Freshest, 3).await.unwrap();
        assert_eq!(freshest, all.iter().rev().take(3).cloned().collect::<Vec<_>>());
        read += all.len();
    }
    let expected = orders.iter().filter(|order| order.next_check.is_some_and(|check| check.at <= now));
    assert_eq!(read, expected.count(), "each check is in one shard");
}

pub async fn a_check_is_moved_by_one_reconciler_alone(store: Arc<dyn OrderStore>) {
    let order = order(1, 0);
    store.create(&order).await.unwrap();
    let at = start() + FIRST_CHECK;
    let check = checks(store.as_ref(), at).await.remove(0);
    let next = check.next().following(at);
    let mut reconcilers = JoinSet::new();
    for _ in 0..8 {
        let (store, check) = (store.clone(), check.clone());
        reconcilers.spawn(async move { store.postpone(&check, next).await.unwrap() });
    }
    let outcomes = reconcilers.join_all().await;
    let moved = moved(&order, next);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == moved).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Postponed::Gone).count(), 7);
    assert!(due(store.as_ref(), 119).await.is_empty());
    assert_eq!(checks(store.as_ref(), next.at).await, [Check::of(order.id, next)]);
}

pub async fn moving_a_check_and_changing_the_order_do_not_disturb_each_other(store: Arc<dyn OrderStore>) {
    let order = order(1, 0);
    store.create(&order).await.unwrap();
    let at = start() + FIRST_CHECK;
    let check = checks(store.as_ref(), at).await.remove(0);
    let second = check.next().following(at);
    store.postpone(&check, second).await.unwrap();
    let next = reserved(&order);
    assert_eq!(update(store.as_ref(), &order, &next).await, Updated::Updated);
    assert_eq!(checks(store.as_ref(), second.at).await, [Check::of(order.id, second)], "the change kept it");
    let third = second.following(second.at);
    assert_eq!(store.postpone(&Check::of(order.id, second), third).await.unwrap(), moved(&next, third));
}

pub async fn the_check_of_a_settled_order_is_gone(store: Arc<dyn OrderStore>) {
    let order = order(1, 0);
    store.create(&order).await.unwrap();
    let at = start() + FIRST_CHECK;
    let check = checks(store.as_ref(), at).await.remove(0);
    update(store.as_ref(), &order, &rejected(&order)).await;
    assert_eq!(store.postpone(&check, check.next().following(at)).await.unwrap(), Postponed::Gone);
    assert!(due(store.as_ref(), 1_000_000).await.is_empty());
}
