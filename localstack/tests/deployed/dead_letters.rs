//! An unreadable message is dead-lettered at once, with the reason, and blocks no other.

use protocol::topic::Topic;
use serde_json::Value;

use crate::stack::{Stack, alone};

/// LocalStack's mappings rewrite JSON with other white space; other text is passed on unchanged.
fn json(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| body.into())
}

/// Sends a message that no consumer can handle; expects it, unchanged, among the dead letters.
async fn is_dead_lettered(stack: &Stack, topic: Topic, body: &str, reason: &str) {
    stack.send(topic, body).await;
    let letter = stack.dead_letter(topic).await;
    assert_eq!(json(&letter.body), json(body), "{topic}");
    assert!(
        letter.failure.as_ref().is_some_and(|failure| failure.starts_with(reason)),
        "{topic}: {letter:?}"
    );
    assert_eq!(letter.source.as_deref(), Some(topic.consumer()), "{topic}");
}

#[tokio::test]
async fn a_poison_message_is_dead_lettered_in_its_topics_queue_with_the_reason() {
    alone(async |stack| {
        for topic in Topic::ALL {
            is_dead_lettered(stack, topic, "not an event", "undecodable: ").await;
        }
        let id = stack.book("pm_card_visa").await;
        stack.becomes("a booking after poison in every topic", &id, "confirmed").await;
    })
    .await;
}

#[tokio::test]
async fn a_message_of_a_newer_version_is_dead_lettered_until_the_upgrade() {
    let newer = r#"{"specversion":"1.0","id":"x","source":"/x","type":"booking.later.v2",
        "subject":"11111111-1111-4111-8111-111111111111","time":"2026-11-22T20:00:00.000Z","data":{}}"#;
    alone(async |stack| {
        for topic in Topic::ALL {
            is_dead_lettered(stack, topic, newer, "newer version: ").await;
        }
    })
    .await;
}
