//! The contracts of [`MailStore`], [`MailCounter`] and [`Mailer`], as promises that every adapter keeps. Tests only.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "a suite fails by panicking, and a promise says it by its name"
)]

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use email_service::limit::{Counted, MailCounter, MailboxHour};
use email_service::mail::Mail;
use email_service::mailer::Mailer;
use email_service::store::{Delivery, MailStore};
use messaging::entropy::{Entropy, SeededEntropy};
use protocol::flight::{FlightId, SeatCount};
use protocol::ids::OrderId;
use protocol::messages::{Notice, NoticeOutcome};
use protocol::money::{Currency, Money};
use protocol::passenger::{EmailAddress, Passenger, PassengerName};
use protocol::time::Timestamp;
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
            what_could_not_be_delivered_is_known_until_a_later_mail_is,
        });
    };
}

/// The tests of [`MailCounter`] for one adapter.
#[macro_export]
macro_rules! mail_counter_contract {
    ($make:path) => {
        $crate::contract_tests!($make; $crate {
            mails_are_counted_up_to_the_most_and_no_further,
            mailboxes_and_hours_are_counted_apart,
            of_concurrent_mails_no_more_than_the_most_are_counted,
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

/// A mail as it arrived.
#[derive(Debug, PartialEq, Eq)]
pub struct Arrived {
    pub subject: String,
    pub text: String,
}

/// A mailer whose mails a test can see.
#[async_trait]
pub trait Inbox: Mailer {
    /// The mails that arrived at that address.
    async fn mails(&self, address: &EmailAddress) -> Vec<Arrived>;
}

fn order(number: u64) -> OrderId {
    SeededEntropy::new(number).order_id()
}

pub async fn what_was_mailed_is_remembered_per_order(store: Arc<dyn MailStore>) {
    assert_eq!(store.last(order(1)).await.unwrap(), None);
    for _ in 0..2 {
        store.mark(order(1), NoticeOutcome::Confirmed, Delivery::Sent).await.unwrap();
        assert_eq!(store.last(order(1)).await.unwrap(), Some(NoticeOutcome::Confirmed));
    }
    assert_eq!(store.last(order(2)).await.unwrap(), None);
}

pub async fn many_orders_are_read_in_one_call(store: Arc<dyn MailStore>) {
    for number in 0..120 {
        store.mark(order(number), NoticeOutcome::Confirmed, Delivery::Sent).await.unwrap();
    }
    store.mark(order(7), NoticeOutcome::Cancelled, Delivery::Sent).await.unwrap();
    let asked: Vec<_> = (0..130).chain([7, 7]).map(order).collect();
    let last = store.last_of_many(&asked).await.unwrap();
    let expected = (0..120).map(|number| match number {
        7 => (order(7), NoticeOutcome::Cancelled),
        _ => (order(number), NoticeOutcome::Confirmed),
    });
    assert_eq!(last, expected.collect());
}

pub async fn an_earlier_step_never_replaces_a_later_one(store: Arc<dyn MailStore>) {
    store.mark(order(1), NoticeOutcome::Confirmed, Delivery::Sent).await.unwrap();
    store.mark(order(1), NoticeOutcome::Cancelled, Delivery::Sent).await.unwrap();
    store.mark(order(1), NoticeOutcome::Confirmed, Delivery::Sent).await.unwrap();
    assert_eq!(store.last(order(1)).await.unwrap(), Some(NoticeOutcome::Cancelled));
}

pub async fn of_concurrent_marks_the_latest_step_stands(store: Arc<dyn MailStore>) {
    let mut marks = JoinSet::new();
    for number in 0..8 {
        let outcome = if number == 3 { NoticeOutcome::Cancelled } else { NoticeOutcome::Confirmed };
        let store = store.clone();
        marks.spawn(async move { store.mark(order(1), outcome, Delivery::Sent).await.unwrap() });
    }
    marks.join_all().await;
    assert_eq!(store.last(order(1)).await.unwrap(), Some(NoticeOutcome::Cancelled));
}

pub async fn what_could_not_be_delivered_is_known_until_a_later_mail_is(store: Arc<dyn MailStore>) {
    assert_eq!(store.delivery(order(1)).await.unwrap(), None);
    store.mark(order(1), NoticeOutcome::Confirmed, Delivery::Undeliverable).await.unwrap();
    // A repeat does not know better: the mailer may have forgotten.
    store.mark(order(1), NoticeOutcome::Confirmed, Delivery::Sent).await.unwrap();
    assert_eq!(store.delivery(order(1)).await.unwrap(), Some(Delivery::Undeliverable));
    assert_eq!(store.last(order(1)).await.unwrap(), Some(NoticeOutcome::Confirmed));
    store.mark(order(1), NoticeOutcome::Cancelled, Delivery::Sent).await.unwrap();
    assert_eq!(store.delivery(order(1)).await.unwrap(), Some(Delivery::Sent));
    assert_eq!(store.delivery(order(2)).await.unwrap(), None);
}

fn mailbox(address: &str, hours: u64) -> MailboxHour {
    let start = Timestamp::from_millis(1_800_000_000_000);
    MailboxHour::of(&EmailAddress::parse(address).unwrap(), start + Duration::from_secs(hours * 3600))
}

fn most(mails: u32) -> NonZeroU32 {
    NonZeroU32::new(mails).unwrap()
}

pub async fn mails_are_counted_up_to_the_most_and_no_further(counter: Arc<dyn MailCounter>) {
    let ada = mailbox("ada@example.com", 0);
    for _ in 0..3 {
        assert_eq!(counter.count(ada, most(3)).await.unwrap(), Counted::Counted);
    }
    for _ in 0..2 {
        assert_eq!(counter.count(ada, most(3)).await.unwrap(), Counted::Full);
    }
    assert_eq!(counter.count(ada, most(4)).await.unwrap(), Counted::Counted, "what is full was not counted");
    assert_eq!(counter.count(ada, most(1)).await.unwrap(), Counted::Full);
}

pub async fn mailboxes_and_hours_are_counted_apart(counter: Arc<dyn MailCounter>) {
    let taken = |address: &'static str, hours| {
        let counter = counter.clone();
        async move { counter.count(mailbox(address, hours), most(1)).await.unwrap() == Counted::Counted }
    };
    assert!(taken("ada@example.com", 0).await);
    assert!(taken("ada@example.org", 0).await && taken("bob@example.com", 0).await);
    for same in ["ada@example.com", "Ada@Example.COM", "ada+trip@example.com"] {
        assert!(!taken(same, 0).await, "{same} is the same mailbox");
    }
    assert!(taken("ada@example.com", 1).await, "a new hour");
    assert!(!taken("ada@example.com", 1).await);
}

pub async fn of_concurrent_mails_no_more_than_the_most_are_counted(counter: Arc<dyn MailCounter>) {
    let mut mails = JoinSet::new();
    for _ in 0..12 {
        let counter = counter.clone();
        mails.spawn(async move { counter.count(mailbox("ada@example.com", 0), most(5)).await.unwrap() });
    }
    let counted = mails.join_all().await.into_iter().filter(|counted| *counted == Counted::Counted);
    assert_eq!(counted.count(), 5);
}

/// A mail to that address.
pub fn a_mail(to: &str) -> Mail {
    let passenger =
        Passenger { name: PassengerName::parse("Jürgen").unwrap(), email: EmailAddress::parse(to).unwrap() };
    let (flight_id, seats) = (FlightId::parse("OS-101").unwrap(), SeatCount::try_from(2).unwrap());
    let amount = Some(Money { value: 25_900, currency: Currency::parse("EUR").unwrap() });
    let (outcome, reason) = (NoticeOutcome::Confirmed, None);
    let notice =
        Notice { outcome, reason, passenger, flight_id, seats, amount, departs_at: None, route: None };
    Mail::compose(order(1), &notice, None, Timestamp::from_millis(1_800_000_000_000))
}

pub async fn a_mail_arrives_as_it_was_composed(mailer: impl Inbox) {
    let mail = a_mail("ada@example.com");
    mailer.send(&mail).await.unwrap();
    assert_eq!(mailer.mails(mail.to()).await, [Arrived { subject: mail.subject(), text: mail.text() }]);
}
