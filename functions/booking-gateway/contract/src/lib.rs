//! The contract of [`OrderStore`], as promises that every adapter keeps. Tests only.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "a suite fails by panicking, and a promise says it by its name"
)]

use std::sync::Arc;
use std::time::Duration;

use booking_gateway::order::{Applied, Input, Order, Request, apply};
use booking_gateway::store::{Created, FIRST_CHECK, OrderStore, Postponed, Updated, Watch};
use messaging::entropy::{Entropy, SeededEntropy};
use protocol::flight::{FlightId, SeatCount};
use protocol::ids::OrderId;
use protocol::messages::OrderUpdate;
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
            an_id_is_taken_once,
            of_concurrent_twins_one_is_stored,
            get_many_answers_what_exists,
            an_update_rests_on_the_version_before,
            of_concurrent_updates_one_wins,
            an_order_is_due_from_its_first_check_until_it_is_settled,
            a_settled_order_that_is_cancelled_is_due_again,
            the_longest_overdue_come_first_and_no_more_than_asked,
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
    };
    let now = start() + Duration::from_secs(second);
    Order::accept(entropy.order_id(), request, entropy.traceparent(), now, Duration::from_secs(3600))
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

fn cancelling(order: &Order) -> Order {
    advanced(order, &Input::CancelRequested)
}

async fn due(store: &dyn OrderStore, second: u64) -> Vec<OrderId> {
    let checks = store.due(start() + Duration::from_secs(second), 100).await.unwrap();
    checks.into_iter().map(|check| check.order).collect()
}

pub async fn an_order_is_read_as_it_was_stored(store: Arc<dyn OrderStore>) {
    let order = order(1, 0);
    assert_eq!(store.get(order.id).await.unwrap(), None);
    assert_eq!(store.create(&order).await.unwrap(), Created::Created);
    assert_eq!(store.get(order.id).await.unwrap(), Some(order.clone()));
    let next = cancelling(&order);
    assert_eq!(store.update(&next, Watch::Keep).await.unwrap(), Updated::Updated);
    assert_eq!(store.get(order.id).await.unwrap(), Some(next));
}

pub async fn an_id_is_taken_once(store: Arc<dyn OrderStore>) {
    let first = order(1, 0);
    store.create(&first).await.unwrap();
    let twin = Order { created_at: first.created_at + Duration::from_secs(1), ..first.clone() };
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
    assert_eq!(
        store.update(&cancelling(&order), Watch::Keep).await.unwrap(),
        Updated::Stale,
        "there is none"
    );
    store.create(&order).await.unwrap();
    let next = cancelling(&order);
    assert_eq!(store.update(&next, Watch::Keep).await.unwrap(), Updated::Updated);
    assert_eq!(store.update(&rejected(&order), Watch::Leave).await.unwrap(), Updated::Stale);
    assert_eq!(store.get(order.id).await.unwrap(), Some(next));
    assert_eq!(due(store.as_ref(), 60).await, [order.id], "a stale change leaves the index alone");
}

pub async fn of_concurrent_updates_one_wins(store: Arc<dyn OrderStore>) {
    let order = order(1, 0);
    store.create(&order).await.unwrap();
    let mut updates = JoinSet::new();
    for _ in 0..16 {
        let (store, next) = (store.clone(), cancelling(&order));
        updates.spawn(async move { store.update(&next, Watch::Keep).await.unwrap() });
    }
    let outcomes = updates.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Updated::Updated).count(), 1);
}

pub async fn an_order_is_due_from_its_first_check_until_it_is_settled(store: Arc<dyn OrderStore>) {
    let order = order(1, 0);
    store.create(&order).await.unwrap();
    assert!(due(store.as_ref(), FIRST_CHECK.as_secs() - 1).await.is_empty());
    assert_eq!(due(store.as_ref(), FIRST_CHECK.as_secs()).await, [order.id]);
    store.update(&rejected(&order), Watch::Leave).await.unwrap();
    assert!(due(store.as_ref(), 1_000_000).await.is_empty());
}

pub async fn a_settled_order_that_is_cancelled_is_due_again(store: Arc<dyn OrderStore>) {
    let pending = order(1, 0);
    store.create(&pending).await.unwrap();
    let settled = rejected(&pending);
    store.update(&settled, Watch::Leave).await.unwrap();
    let mut again = settled.clone();
    again.version += 1;
    let at = start() + Duration::from_secs(500);
    store.update(&again, Watch::Enter(at)).await.unwrap();
    assert!(due(store.as_ref(), 499).await.is_empty());
    assert_eq!(due(store.as_ref(), 500).await, [pending.id]);
    let checks = store.due(at, 1).await.unwrap();
    assert_eq!((checks[0].at, checks[0].count), (at, 0));
}

pub async fn the_longest_overdue_come_first_and_no_more_than_asked(store: Arc<dyn OrderStore>) {
    let orders: Vec<_> = (0..40).map(|number| order(number, (number * 7) % 40)).collect();
    for order in &orders {
        store.create(order).await.unwrap();
    }
    let checks = store.due(start() + Duration::from_secs(60 + 24), 10).await.unwrap();
    assert_eq!(checks.len(), 10);
    let mut expected: Vec<_> =
        orders.iter().map(|order| (order.created_at + FIRST_CHECK, order.id)).collect();
    expected.sort();
    let found: Vec<_> = checks.iter().map(|check| (check.at, check.order)).collect();
    assert_eq!(found, expected[..10]);
    assert_eq!(due(store.as_ref(), 60 + 24).await.len(), 25);
}

pub async fn a_check_is_moved_by_one_reconciler_alone(store: Arc<dyn OrderStore>) {
    let order = order(1, 0);
    store.create(&order).await.unwrap();
    let at = start() + Duration::from_secs(60);
    let checks = store.due(at, 10).await.unwrap();
    let mut reconcilers = JoinSet::new();
    for _ in 0..8 {
        let (store, check) = (store.clone(), checks[0].clone());
        reconcilers.spawn(async move { store.postpone(&check, at + Duration::from_secs(60)).await.unwrap() });
    }
    let outcomes = reconcilers.join_all().await;
    let moved = Postponed::Moved(Box::new(order));
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == moved).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Postponed::Gone).count(), 7);
    assert!(due(store.as_ref(), 119).await.is_empty());
    let checks = store.due(start() + Duration::from_secs(120), 10).await.unwrap();
    assert_eq!(checks.iter().map(|check| check.count).collect::<Vec<_>>(), [1]);
}

pub async fn moving_a_check_and_changing_the_order_do_not_disturb_each_other(store: Arc<dyn OrderStore>) {
    let order = order(1, 0);
    store.create(&order).await.unwrap();
    let at = start() + Duration::from_secs(60);
    let checks = store.due(at, 10).await.unwrap();
    store.postpone(&checks[0], at + Duration::from_secs(60)).await.unwrap();
    let next = cancelling(&order);
    assert_eq!(store.update(&next, Watch::Keep).await.unwrap(), Updated::Updated);
    assert!(due(store.as_ref(), 119).await.is_empty(), "the change kept the check");
    let checks = store.due(start() + Duration::from_secs(120), 10).await.unwrap();
    let moved = store.postpone(&checks[0], at + Duration::from_secs(600)).await.unwrap();
    assert_eq!(moved, Postponed::Moved(Box::new(next)));
}

pub async fn the_check_of_a_settled_order_is_gone(store: Arc<dyn OrderStore>) {
    let order = order(1, 0);
    store.create(&order).await.unwrap();
    let at = start() + Duration::from_secs(60);
    let checks = store.due(at, 10).await.unwrap();
    store.update(&rejected(&order), Watch::Leave).await.unwrap();
    assert_eq!(store.postpone(&checks[0], at + Duration::from_secs(60)).await.unwrap(), Postponed::Gone);
    assert!(due(store.as_ref(), 1_000_000).await.is_empty());
}
