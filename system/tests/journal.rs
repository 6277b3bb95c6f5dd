//! The journal keeps what happened lately, says where it is cut, and tells a subscriber what is new.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use protocol::ids::OrderId;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use system::journal::{Entry, Journal, Kind, Message, Phase};

/// A moment, in seconds after the start.
fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + second * 1_000)
}

fn order(number: u8) -> OrderId {
    OrderId::from_bytes([number; 16])
}

fn message(order: OrderId) -> Entry {
    Entry::Message(Message {
        topic: Topic::Tickets,
        order: Some(order),
        kind: Kind::Known("reserve"),
        phase: Phase::Sent,
        attempt: 0,
        due: None,
        reason: None,
    })
}

const SWITCH: Entry = Entry::Service { topic: Topic::Billing, running: false };

#[test]
fn an_order_finds_its_own_messages_and_learns_where_they_are_cut() {
    let journal = Journal::new(at(0), 3);
    journal.record(at(1), [message(order(1)), message(order(2))]);
    let (messages, cut) = journal.about(order(1), at(1));
    assert_eq!((messages.len(), cut), (1, None));
    let (_, cut) = journal.about(order(1), at(-5));
    assert_eq!(cut, Some(at(0)), "it was accepted before the process began");

    journal.record(at(2), [message(order(2)), message(order(2))]);
    let (messages, cut) = journal.about(order(1), at(1));
    assert_eq!((messages.len(), cut), (0, None), "what is left began in the same second");
    journal.record(at(3), [message(order(2))]);
    journal.record(at(3), [message(order(2))]);
    let (_, cut) = journal.about(order(1), at(1));
    assert_eq!(cut, Some(at(2)));
}

#[test]
fn a_subscriber_is_told_what_is_new_once() {
    let journal = Journal::new(at(0), 10);
    let seen = journal.last();
    journal.record(at(1), [message(order(1)), SWITCH]);
    let news = journal.since(seen, 10).unwrap();
    assert_eq!((news.told.len(), news.skipped, news.last), (2, 0, seen + 2));
    assert!(journal.since(news.last, 10).unwrap().told.is_empty());
}

#[test]
fn beyond_the_most_messages_are_counted_and_switches_still_told() {
    let journal = Journal::new(at(0), 10);
    let seen = journal.last();
    journal.record(at(1), [message(order(1)), SWITCH, message(order(1))]);
    let news = journal.since(seen, 1).unwrap();
    assert_eq!(news.told.iter().map(|recorded| &recorded.entry).collect::<Vec<_>>(), [&SWITCH]);
    assert_eq!((news.skipped, news.last), (2, seen + 3));
}

#[test]
fn a_subscriber_of_what_is_not_kept_has_to_read_again() {
    let journal = Journal::new(at(0), 2);
    let seen = journal.last();
    journal.record(at(1), [message(order(1)), message(order(1))]);
    assert!(journal.since(seen, 10).is_some());
    journal.record(at(1), [message(order(1))]);
    assert!(journal.since(seen, 10).is_none(), "one entry is gone");
    assert!(journal.since(journal.last() + 1, 10).is_none(), "it is of another process");
    let next = Journal::new(at(1), 2);
    assert!(next.since(journal.last(), 10).is_none(), "its numbers are larger");
}
