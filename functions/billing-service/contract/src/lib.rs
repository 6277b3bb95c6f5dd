//! The contracts of [`PaymentStore`] and [`PaymentProvider`], as promises that every adapter
//! keeps. Tests only.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "a suite fails by panicking, and a promise says it by its name"
)]

use std::sync::Arc;

use billing_service::payment::{Intent, Payment};
use billing_service::provider::{
    Captured, Opened, PaymentProvider, PaymentRef, PaymentStatus, ProviderName, Voided,
};
use billing_service::store::{Begun, PaymentStore};
use messaging::entropy::{Entropy, SeededEntropy};
use protocol::ids::OrderId;
use protocol::money::{Currency, Money};
use protocol::payment::PaymentMethod;
use protocol::reason::Declined;
use tokio::task::JoinSet;

pub use messaging_contract::contract_tests;

/// The tests of [`PaymentStore`] for one adapter.
#[macro_export]
macro_rules! payment_store_contract {
    ($make:path) => {
        $crate::contract_tests!($make; $crate {
            every_payment_is_read_as_it_was_stored,
            the_first_payment_stands,
            of_concurrent_first_payments_one_stands,
            a_payment_is_replaced_only_if_it_stands,
            of_concurrent_replacements_one_stands,
            a_refusal_is_noted_until_the_payment_is_replaced,
        });
    };
}

/// The tests of [`PaymentProvider`] for one adapter.
#[macro_export]
macro_rules! payment_provider_contract {
    ($make:path) => {
        $crate::contract_tests!($make; $crate {
            opening_moves_no_money,
            a_repeated_open_names_the_same_payment,
            a_capture_takes_the_money_once,
            nothing_is_taken_from_a_declined_card,
            what_is_voided_cannot_be_captured,
            what_is_captured_cannot_be_voided,
            a_refund_returns_everything_once,
            of_a_capture_and_a_void_at_once_one_wins,
        });
    };
}

fn order(number: u64) -> OrderId {
    SeededEntropy::new(number).order_id()
}

fn euros(value: u64) -> Money {
    Money { value, currency: Currency::parse("EUR").unwrap() }
}

fn intent() -> Intent {
    Intent {
        provider: ProviderName::SIMULATED,
        reference: PaymentRef("pi_1".to_owned()),
        amount: euros(25_900),
    }
}

pub async fn every_payment_is_read_as_it_was_stored(store: Arc<dyn PaymentStore>) {
    let payments = [
        Payment::Charging(intent()),
        Payment::Captured(intent()),
        Payment::Declined { reason: Declined::Expired },
        Payment::Declined { reason: Declined::CardDeclined },
        Payment::Reversing(intent()),
        Payment::Reversed { refunded: None },
        Payment::Reversed { refunded: Some(euros(25_900)) },
    ];
    for (number, payment) in (0..).zip(&payments) {
        assert_eq!(store.find(order(number)).await.unwrap(), None);
        assert_eq!(store.begin(order(number), payment).await.unwrap(), Begun::Begun);
        assert_eq!(store.find(order(number)).await.unwrap().as_ref(), Some(payment));
    }
}

pub async fn the_first_payment_stands(store: Arc<dyn PaymentStore>) {
    let (charging, tombstone) = (Payment::Charging(intent()), Payment::Reversed { refunded: None });
    store.begin(order(1), &tombstone).await.unwrap();
    assert_eq!(store.begin(order(1), &charging).await.unwrap(), Begun::Exists(tombstone.clone()));
    assert_eq!(store.find(order(1)).await.unwrap(), Some(tombstone));
}

pub async fn of_concurrent_first_payments_one_stands(store: Arc<dyn PaymentStore>) {
    let mut begins = JoinSet::new();
    for number in 0..16 {
        let store = store.clone();
        let intent = Intent { reference: PaymentRef(format!("pi_{number}")), ..intent() };
        begins.spawn(async move { store.begin(order(1), &Payment::Charging(intent)).await.unwrap() });
    }
    let outcomes = begins.join_all().await;
    assert_eq!(outcomes.iter().filter(|begun| **begun == Begun::Begun).count(), 1);
    let stands = store.find(order(1)).await.unwrap().unwrap();
    assert!(
        outcomes.iter().all(|begun| matches!(begun, Begun::Begun) || *begun == Begun::Exists(stands.clone()))
    );
}

pub async fn a_payment_is_replaced_only_if_it_stands(store: Arc<dyn PaymentStore>) {
    let (charging, captured) = (Payment::Charging(intent()), Payment::Captured(intent()));
    let reversing = Payment::Reversing(intent());
    store.begin(order(1), &charging).await.unwrap();
    assert_eq!(store.replace(order(1), &charging, &reversing).await.unwrap(), reversing);
    assert_eq!(
        store.replace(order(1), &charging, &captured).await.unwrap(),
        reversing,
        "a late capture changes nothing"
    );
    assert_eq!(store.find(order(1)).await.unwrap(), Some(reversing));
}

pub async fn of_concurrent_replacements_one_stands(store: Arc<dyn PaymentStore>) {
    let charging = Payment::Charging(intent());
    store.begin(order(1), &charging).await.unwrap();
    let mut replacements = JoinSet::new();
    for number in 0..16 {
        let (store, charging) = (store.clone(), charging.clone());
        replacements.spawn(async move {
            let to = Payment::Reversed { refunded: Some(euros(number)) };
            (to.clone(), store.replace(order(1), &charging, &to).await.unwrap())
        });
    }
    let outcomes = replacements.join_all().await;
    assert_eq!(outcomes.iter().filter(|(to, stands)| to == stands).count(), 1);
    let stands = store.find(order(1)).await.unwrap().unwrap();
    assert!(outcomes.iter().all(|(_, answered)| *answered == stands));
}

async fn open_for(provider: &dyn PaymentProvider, order: OrderId, value: u64, method: &str) -> PaymentRef {
    let method = PaymentMethod::parse(method).unwrap();
    match provider.open(order, &euros(value), &method).await.unwrap() {
        Opened::Open(reference) => reference,
        Opened::Declined => panic!("it was declined before it was opened"),
    }
}

async fn open(provider: &dyn PaymentProvider, method: &str) -> PaymentRef {
    open_for(provider, order(1), 25_900, method).await
}

pub async fn a_refusal_is_noted_until_the_payment_is_replaced(store: Arc<dyn PaymentStore>) {
    store.note_refusal(order(1), "there is no payment").await.unwrap();
    assert_eq!(store.find(order(1)).await.unwrap(), None);
    assert_eq!(store.refusal(order(1)).await.unwrap(), None);
    let (before, after) = (Payment::Reversing(intent()), Payment::Reversed { refunded: None });
    store.begin(order(1), &before).await.unwrap();
    assert_eq!(store.refusal(order(1)).await.unwrap(), None);
    for reason in ["no balance", "a wrong key"] {
        store.note_refusal(order(1), reason).await.unwrap();
        assert_eq!(store.refusal(order(1)).await.unwrap().as_deref(), Some(reason));
    }
    assert_eq!(store.find(order(1)).await.unwrap().as_ref(), Some(&before), "the payment is as it was");
    assert_eq!(store.replace(order(1), &before, &after).await.unwrap(), after);
    assert_eq!(store.refusal(order(1)).await.unwrap(), None);
}

pub async fn opening_moves_no_money(provider: Arc<dyn PaymentProvider>) {
    let reference = open(provider.as_ref(), "pm_card_visa").await;
    assert_eq!(provider.retrieve(&reference).await.unwrap(), PaymentStatus::Open);
}

pub async fn a_repeated_open_names_the_same_payment(provider: Arc<dyn PaymentProvider>) {
    let first = open(provider.as_ref(), "pm_card_visa").await;
    assert_eq!(open(provider.as_ref(), "pm_card_visa").await, first);
    let other = open_for(provider.as_ref(), order(2), 100, "pm_card_visa").await;
    assert_ne!(other, first);
}

pub async fn a_capture_takes_the_money_once(provider: Arc<dyn PaymentProvider>) {
    let reference = open(provider.as_ref(), "pm_card_visa").await;
    for _ in 0..2 {
        assert_eq!(provider.capture(order(1), &reference).await.unwrap(), Captured::Captured);
        assert_eq!(provider.retrieve(&reference).await.unwrap(), PaymentStatus::Captured);
    }
    assert_eq!(
        provider.refund(order(1), &reference).await.unwrap(),
        euros(25_900),
        "once, so this is all of it"
    );
}

pub async fn nothing_is_taken_from_a_declined_card(provider: Arc<dyn PaymentProvider>) {
    let method = PaymentMethod::parse("pm_card_chargeDeclined").unwrap();
    let reference = match provider.open(order(1), &euros(25_900), &method).await.unwrap() {
        Opened::Open(reference) => reference,
        // It looks at the card first.
        Opened::Declined => return,
    };
    assert_eq!(provider.capture(order(1), &reference).await.unwrap(), Captured::Declined);
    assert_eq!(provider.retrieve(&reference).await.unwrap(), PaymentStatus::Declined);
    assert_eq!(provider.void(&reference).await.unwrap(), Voided::Voided);
    assert_eq!(provider.retrieve(&reference).await.unwrap(), PaymentStatus::Voided);
}

pub async fn what_is_voided_cannot_be_captured(provider: Arc<dyn PaymentProvider>) {
    let reference = open(provider.as_ref(), "pm_card_visa").await;
    for _ in 0..2 {
        assert_eq!(provider.void(&reference).await.unwrap(), Voided::Voided);
    }
    assert_eq!(provider.capture(order(1), &reference).await.unwrap(), Captured::Voided);
    assert_eq!(provider.retrieve(&reference).await.unwrap(), PaymentStatus::Voided);
}

pub async fn what_is_captured_cannot_be_voided(provider: Arc<dyn PaymentProvider>) {
    let reference = open(provider.as_ref(), "pm_card_visa").await;
    provider.capture(order(1), &reference).await.unwrap();
    assert_eq!(provider.void(&reference).await.unwrap(), Voided::AlreadyCaptured);
    assert_eq!(provider.retrieve(&reference).await.unwrap(), PaymentStatus::Captured);
}

pub async fn a_refund_returns_everything_once(provider: Arc<dyn PaymentProvider>) {
    let reference = open(provider.as_ref(), "pm_card_visa").await;
    assert!(provider.refund(order(1), &reference).await.is_err(), "nothing was taken yet");
    provider.capture(order(1), &reference).await.unwrap();
    for _ in 0..2 {
        assert_eq!(provider.refund(order(1), &reference).await.unwrap(), euros(25_900));
        assert_eq!(provider.retrieve(&reference).await.unwrap(), PaymentStatus::Refunded(euros(25_900)));
    }
}

pub async fn of_a_capture_and_a_void_at_once_one_wins(provider: Arc<dyn PaymentProvider>) {
    let reference = open(provider.as_ref(), "pm_card_visa").await;
    let (captured, voided) = tokio::join!(provider.capture(order(1), &reference), provider.void(&reference));
    let expected = match provider.retrieve(&reference).await.unwrap() {
        PaymentStatus::Captured => (Captured::Captured, Voided::AlreadyCaptured),
        PaymentStatus::Voided => (Captured::Voided, Voided::Voided),
        status => panic!("it is {status:?}"),
    };
    assert_eq!((captured.unwrap(), voided.unwrap()), expected);
}
