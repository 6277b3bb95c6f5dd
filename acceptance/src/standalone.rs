//! The operator's API of the standalone platform: switches, topics, mails and the provider's ledger.

use std::collections::BTreeMap;

use protocol::topic::Topic;
use serde_json::{Value, json};

use crate::shape::{assert_keys, count, text};
use crate::{Booking, Flight, TestApp, eventually};

/// What the payment provider did for one booking, by its own ledger, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Charge {
    /// `captured`: taken from the card.
    pub captured: u64,
    /// `refunded`: returned to the card.
    pub refunded: u64,
}

/// Fails unless all topics are there, each with its five numbers.
fn assert_topics(topics: &Value) {
    assert_keys(topics, &Topic::ALL.map(Topic::name));
    for topic in topics.as_object().into_iter().flat_map(|topics| topics.values()) {
        assert_keys(
            topic,
            &["waiting", "in_flight", "delayed", "dead_lettered", "oldest_age_seconds", "sent", "finished"],
        );
        let unfinished = count(topic, "sent") - count(topic, "finished");
        let seen = ["waiting", "in_flight", "delayed"].map(|number| count(topic, number));
        assert_eq!(unfinished, seen.iter().sum::<u64>(), "{topic}");
        count(topic, "dead_lettered");
    }
}

/// The switches of all consumers.
pub fn services() -> [&'static str; Topic::COUNT] {
    Topic::ALL.map(Topic::switch)
}

impl TestApp {
    /// Stops or starts a consumer.
    pub async fn run_service(&self, service: &str, running: bool) {
        let path = format!("/operator/services/{service}");
        let response = self.put(&path, &json!({ "running": running })).await;
        assert!((200..300).contains(&response.status), "{response}");
    }

    /// Sets how the simulated payment provider behaves.
    pub async fn payment_provider(&self, mode: &str) {
        let response = self.put("/operator/payment-provider", &json!({ "mode": mode })).await;
        assert!((200..300).contains(&response.status), "{response}");
    }

    /// `GET /operator/topics`, checked.
    pub async fn topics(&self) -> Value {
        let topics = self.get("/operator/topics").await.expect(200).json();
        assert_topics(&topics);
        topics
    }

    /// Waits until exactly `messages` wait in `topic`.
    pub async fn waiting_in(&self, topic: &str, messages: u64) -> Value {
        eventually(&format!("{messages} messages wait in {topic}"), self.patience(), async || {
            let topics = self.topics().await;
            if topics[topic]["waiting"] == messages {
                Ok(topics[topic].clone())
            } else {
                Err(format!("{topics:#}"))
            }
        })
        .await
    }

    /// Waits until no message waits, is in flight or is delayed; fails if one was dead-lettered.
    pub async fn at_rest(&self) {
        let topics = self.server.at_rest(self.patience()).await.unwrap_or_else(|error| panic!("{error}"));
        assert_topics(&topics);
        let dead_lettered =
            topics.as_object().into_iter().flatten().any(|(_, topic)| topic["dead_lettered"] != 0);
        assert!(!dead_lettered, "nothing is dead-lettered: {topics:#}");
    }

    /// The mails sent to this address, newest first.
    pub async fn mails_to(&self, email: &str) -> Vec<String> {
        let mails = self.server.all("/operator/mail").await.unwrap_or_else(|error| panic!("{error}"));
        mails.iter().map(Value::to_string).filter(|mail| mail.contains(email)).collect()
    }

    /// The provider's own ledger; fails if a booking has two entries in it.
    pub async fn ledger(&self) -> BTreeMap<String, Charge> {
        let entries = self.server.all("/operator/payments").await.unwrap_or_else(|error| panic!("{error}"));
        let mut ledger = BTreeMap::new();
        for entry in &entries {
            assert_keys(entry, &["booking_id", "captured", "refunded", "currency"]);
            assert_eq!(entry["currency"], "EUR", "{entry:#}");
            let charge = Charge { captured: count(entry, "captured"), refunded: count(entry, "refunded") };
            let twice = ledger.insert(text(entry, "booking_id").to_owned(), charge);
            assert!(twice.is_none(), "one payment for each booking: {entries:?}");
        }
        ledger
    }

    /// What was charged for one booking; zero when the provider does not know it.
    pub async fn charged(&self, id: &str) -> Charge {
        self.ledger().await.get(id).copied().unwrap_or_default()
    }

    /// The promise about money and seats, for these bookings and these flights (as they were before any of them).
    ///
    /// Waits until everything is at rest. Then a booking is paid if and only if it is confirmed, with at most one
    /// capture and one refund, and the seats that are gone are those of the confirmed bookings. On a deployment there
    /// is no ledger to read and others book too, so there it only waits until the bookings have settled.
    pub async fn assert_paid_and_seated(&self, before: &[Flight], ids: &[&str]) -> Vec<Booking> {
        let mut bookings = Vec::new();
        for id in ids {
            bookings.push(self.settled(id).await);
        }
        if !self.is_standalone() {
            return bookings;
        }
        self.at_rest().await;
        let ledger = self.ledger().await;
        for booking in &bookings {
            let charge = ledger.get(&booking.id).copied().unwrap_or_default();
            let amount = booking.amount.unwrap_or_default();
            let json = &booking.json;
            if booking.status == "confirmed" {
                assert_eq!(charge, Charge { captured: amount, refunded: 0 }, "paid once: {json:#}");
            } else {
                assert_eq!(charge.captured, charge.refunded, "not paid: {json:#}");
                assert!(charge.captured == 0 || charge.captured == amount, "at most one capture: {json:#}");
            }
        }
        let now = self.flights().await;
        // One that has left is not listed any more.
        for flight in before.iter().filter(|flight| now.iter().any(|listed| listed.id == flight.id)) {
            let sold = |booking: &&Booking| booking.status == "confirmed" && booking.flight_id == flight.id;
            let seats: u64 = bookings.iter().filter(sold).map(|booking| booking.seats).sum();
            let left = now.iter().find(|now| now.id == flight.id).map(|now| now.seats_left);
            assert_eq!(left, Some(flight.seats_left - seats), "{seats} seats sold on {flight:?}");
        }
        bookings
    }
}
