//! The contracts of [`MailStore`] and [`Mailer`], as promises that every adapter keeps. Tests only.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "a suite fails by panicking, and a promise says it by its name"
)]

use std::sync::Arc;

use async_trait::async_trait;
use email_service::mail::Mail;
use email_service::mailer::Mailer;
use email_service::store::MailStore;
use messaging::entropy::{Entropy, SeededEntropy};
use protocol::ids::OrderId;
use protocol::messages::NoticeOutcome;
use protocol::passenger::EmailAddress;
use tokio::task::JoinSet;

pub use messaging_contract::contract_tests;

/// The tests of [`MailStore`] for one adapter.
#[macro_export]
macro_rules! mail_store_contract {
    ($make:path) => {
        $crate::contract_tests!($make; $crate {
            what_was_mailed_is_remembered_per_order,
            many_orders_are_read_in_one_call,
            an_earlier_step_never_replaces_a_later_one,
            of_concurrent_marks_the_latest_step_stands,
        });
    };
}

/// The tests of [`Mailer`] for one adapter.
#[macro_export]
macro_rules! mailer_contract {
    ($make:path) => {
        $crate::contract_tests!($make; $crate {
            a_mail_arrives_as_it_was_composed,
        });
    };
}

/// A mailer whose mails a test can see.
#[async_trait]
pub trait Inbox: Mailer {
    /// The mails that arrived at that address.
    async fn mails(&self, address: &EmailAddress) -> Vec<Mail>;
}

fn order(number: u64) -> OrderId {
    SeededEntropy::new(number).order_id()
}

pub async fn what_was_mailed_is_remembered_per_order(store: Arc<dyn MailStore>) {
    assert_eq!(store.last(order(1)).await.unwrap(), None);
    for _ in 0..2 {
        store.mark(order(1), NoticeOutcome::Confirmed).await.unwrap();
        assert_eq!(store.last(order(1)).await.unwrap(), Some(NoticeOutcome::Confirmed));
    }
    assert_eq!(store.last(order(2)).await.unwrap(), None);
}

pub async fn many_orders_are_read_in_one_call(store: Arc<dyn MailStore>) {
    for number in 0..120 {
        store.mark(order(number), NoticeOutcome::Confirmed).await.unwrap();
    }
    store.mark(order(7), NoticeOutcome::Cancelled).await.unwrap();
    let asked: Vec<_> = (0..130).chain([7, 7]).map(order).collect();
    let last = store.last_of_many(&asked).await.unwrap();
    let expected = (0..120).map(|number| match number {
        7 => (order(7), NoticeOutcome::Cancelled),
        _ => (order(number), NoticeOutcome::Confirmed),
    });
    assert_eq!(last, expected.collect());
}

pub async fn an_earlier_step_never_replaces_a_later_one(store: Arc<dyn MailStore>) {
    store.mark(order(1), NoticeOutcome::Confirmed).await.unwrap();
    store.mark(order(1), NoticeOutcome::Cancelled).await.unwrap();
    store.mark(order(1), NoticeOutcome::Confirmed).await.unwrap();
    assert_eq!(store.last(order(1)).await.unwrap(), Some(NoticeOutcome::Cancelled));
}

pub async fn of_concurrent_marks_the_latest_step_stands(store: Arc<dyn MailStore>) {
    let mut marks = JoinSet::new();
    for number in 0..8 {
        let outcome = if number == 3 { NoticeOutcome::Cancelled } else { NoticeOutcome::Confirmed };
        let store = store.clone();
        marks.spawn(async move { store.mark(order(1), outcome).await.unwrap() });
    }
    marks.join_all().await;
    assert_eq!(store.last(order(1)).await.unwrap(), Some(NoticeOutcome::Cancelled));
}

pub async fn a_mail_arrives_as_it_was_composed(mailer: impl Inbox) {
    let to = EmailAddress::parse("ada@example.com").unwrap();
    let mail =
        Mail { to: to.clone(), subject: "Grüße".to_owned(), body: "Zwei\nZeilen\n".to_owned(), link: None };
    mailer.send(order(1), NoticeOutcome::Confirmed, &mail).await.unwrap();
    assert_eq!(mailer.mails(&to).await, [mail]);
}
