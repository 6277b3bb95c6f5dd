//! What the contract suites of all ports share, and the suite of the topics. Tests only.
//!
//! A suite is a set of promises, each an async function over the port. An adapter's test file
//! names how to make one, and gets a test per promise:
//!
//! ```ignore
//! booking_gateway_contract::order_store_contract!(fresh_orders);
//! ```
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a suite fails by panicking")]

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use messaging::consumer::Delivery;
use messaging::topics::{Failure, Outgoing, Topics};
use protocol::event::LARGEST;
use protocol::topic::Topic;

/// Makes a test of each promise. `$make` is an async function that answers the port and what
/// must live as long as the test does, or `None` where the test cannot run.
#[macro_export]
macro_rules! contract_tests {
    ($make:path; $suite:path { $($promise:ident),+ $(,)? }) => {
        $(
            #[tokio::test]
            async fn $promise() {
                use $suite as suite;
                if let Some((port, _guard)) = Option::from($make().await) {
                    suite::$promise(port).await;
                }
            }
        )+
    };
}

/// A platform's topics as a test sees them: both ends, and time.
#[async_trait]
pub trait BothEnds: Topics {
    /// Receives what can be received now, at most `most`, for a visibility timeout of
    /// [`VISIBILITY`].
    async fn receive(&self, topic: Topic, most: usize) -> Vec<Delivery>;
    /// Deletes a message that was received.
    async fn acknowledge(&self, topic: Topic, delivery: &Delivery);
    /// Makes a received message visible again at once.
    async fn redeliver(&self, topic: Topic, delivery: &Delivery);
    /// What is in the dead-letter queue: bodies, and the attributes of each.
    async fn dead_letters(&self, topic: Topic) -> Vec<(String, Option<(String, u32)>)>;
    /// Lets time pass.
    async fn pass(&self, time: Duration);
}

/// The visibility timeout of the suite.
pub const VISIBILITY: Duration = Duration::from_secs(3);

/// The tests of [`Topics`] for one platform.
#[macro_export]
macro_rules! topics_contract {
    ($make:path) => {
        $crate::contract_tests!($make; $crate {
            what_is_sent_is_received_with_its_body,
            a_batch_of_any_size_arrives_whole,
            what_is_not_acknowledged_is_redelivered_and_counted,
            what_is_acknowledged_is_never_redelivered,
            what_failed_can_be_redelivered_at_once,
            what_is_delayed_is_not_received_before_its_time,
            what_is_dead_lettered_keeps_its_body_and_reason,
            what_is_never_acknowledged_ends_in_the_dead_letter_queue_and_blocks_nothing,
            a_message_too_large_is_refused_and_the_others_are_sent,
        });
    };
}

fn message(topic: Topic, body: &str) -> Outgoing {
    Outgoing { topic, body: body.to_owned(), delay: Duration::ZERO, dead_letter: None, about: None }
}

async fn send(topics: &impl BothEnds, messages: Vec<Outgoing>) {
    for sent in topics.send(messages).await {
        sent.unwrap();
    }
}

#[expect(missing_docs, reason = "a promise says it by its name")]
pub async fn what_is_sent_is_received_with_its_body(topics: impl BothEnds) {
    send(&topics, Topic::ALL.map(|topic| message(topic, &format!("\"für {topic}\""))).to_vec()).await;
    for topic in Topic::ALL {
        let received = topics.receive(topic, 10).await;
        let bodies: Vec<_> = received.iter().map(|delivery| delivery.body.as_str()).collect();
        assert_eq!(bodies, [format!("\"für {topic}\"")]);
        assert_eq!(received[0].receive_count, 1);
    }
}

#[expect(missing_docs, reason = "a promise says it by its name")]
pub async fn a_batch_of_any_size_arrives_whole(topics: impl BothEnds) {
    let bodies: BTreeSet<String> = (0..23).map(|number| format!("\"message {number}\"")).collect();
    send(&topics, bodies.iter().map(|body| message(Topic::Tickets, body)).collect()).await;
    let mut received = BTreeSet::new();
    while received.len() < bodies.len() {
        let batch = topics.receive(Topic::Tickets, 10).await;
        assert!((1..=10).contains(&batch.len()), "{} in a batch, {} before", batch.len(), received.len());
        received.extend(batch.into_iter().map(|delivery| delivery.body));
    }
    assert_eq!(received, bodies);
    assert!(topics.receive(Topic::Tickets, 10).await.is_empty(), "each is received by one receiver");
}

#[expect(missing_docs, reason = "a promise says it by its name")]
pub async fn what_is_not_acknowledged_is_redelivered_and_counted(topics: impl BothEnds) {
    send(&topics, vec![message(Topic::Billing, "\"redelivered\"")]).await;
    for count in 1..=3 {
        let received = topics.receive(Topic::Billing, 10).await;
        assert_eq!(received.iter().map(|delivery| delivery.receive_count).collect::<Vec<_>>(), [count]);
        assert!(topics.receive(Topic::Billing, 10).await.is_empty(), "it is in flight");
        topics.pass(VISIBILITY).await;
    }
}

#[expect(missing_docs, reason = "a promise says it by its name")]
pub async fn what_is_acknowledged_is_never_redelivered(topics: impl BothEnds) {
    send(&topics, vec![message(Topic::Email, "\"once\"")]).await;
    let received = topics.receive(Topic::Email, 10).await;
    topics.acknowledge(Topic::Email, &received[0]).await;
    topics.pass(VISIBILITY * 2).await;
    assert!(topics.receive(Topic::Email, 10).await.is_empty());
}

#[expect(missing_docs, reason = "a promise says it by its name")]
pub async fn what_failed_can_be_redelivered_at_once(topics: impl BothEnds) {
    send(&topics, vec![message(Topic::Tickets, "\"now\"")]).await;
    let first = topics.receive(Topic::Tickets, 10).await;
    topics.redeliver(Topic::Tickets, &first[0]).await;
    let second = topics.receive(Topic::Tickets, 10).await;
    assert_eq!(second[0].receive_count, 2);
}

#[expect(missing_docs, reason = "a promise says it by its name")]
pub async fn what_is_delayed_is_not_received_before_its_time(topics: impl BothEnds) {
    let late = Outgoing { delay: Duration::from_secs(4), ..message(Topic::Tickets, "\"late\"") };
    send(&topics, vec![late, message(Topic::Tickets, "\"soon\"")]).await;
    let received = topics.receive(Topic::Tickets, 10).await;
    assert_eq!(received.iter().map(|delivery| delivery.body.as_str()).collect::<Vec<_>>(), ["\"soon\""]);
    topics.acknowledge(Topic::Tickets, &received[0]).await;
    topics.pass(Duration::from_secs(5)).await;
    let received = topics.receive(Topic::Tickets, 10).await;
    assert_eq!(received.iter().map(|delivery| delivery.body.as_str()).collect::<Vec<_>>(), ["\"late\""]);
}

#[expect(missing_docs, reason = "a promise says it by its name")]
pub async fn what_is_dead_lettered_keeps_its_body_and_reason(topics: impl BothEnds) {
    let failure = Failure { failure: "it is \"odd\"".to_owned(), attempts: 3, source: "/ticket-service" };
    let dead = Outgoing { dead_letter: Some(failure), ..message(Topic::Tickets, "not even JSON") };
    send(&topics, vec![dead]).await;
    assert!(topics.receive(Topic::Tickets, 10).await.is_empty());
    let letters = topics.dead_letters(Topic::Tickets).await;
    assert_eq!(letters, [("not even JSON".to_owned(), Some(("it is \"odd\"".to_owned(), 3)))]);
}

#[expect(missing_docs, reason = "a promise says it by its name")]
pub async fn what_is_never_acknowledged_ends_in_the_dead_letter_queue_and_blocks_nothing(
    topics: impl BothEnds,
) {
    send(&topics, vec![message(Topic::Billing, "\"poison\"")]).await;
    for round in 1..=5 {
        send(&topics, vec![message(Topic::Billing, "\"good\"")]).await;
        let received = topics.receive(Topic::Billing, 10).await;
        assert_eq!(received.len(), 2, "round {round}");
        for delivery in received.iter().filter(|delivery| delivery.body == "\"good\"") {
            topics.acknowledge(Topic::Billing, delivery).await;
        }
        topics.pass(VISIBILITY).await;
    }
    assert!(topics.receive(Topic::Billing, 10).await.is_empty());
    let letters = topics.dead_letters(Topic::Billing).await;
    assert_eq!(letters.iter().map(|(body, _)| body.as_str()).collect::<Vec<_>>(), ["\"poison\""]);
}

#[expect(missing_docs, reason = "a promise says it by its name")]
pub async fn a_message_too_large_is_refused_and_the_others_are_sent(topics: impl BothEnds) {
    let huge = "x".repeat(LARGEST + 1);
    let sent = topics.send(vec![message(Topic::Email, &huge), message(Topic::Email, "\"small\"")]).await;
    assert!(sent[0].is_err() && sent[1].is_ok(), "{sent:?}");
    let received = topics.receive(Topic::Email, 10).await;
    assert_eq!(received.iter().map(|delivery| delivery.body.as_str()).collect::<Vec<_>>(), ["\"small\""]);
}
