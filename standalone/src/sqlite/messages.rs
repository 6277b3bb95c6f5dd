//! The rows of the topics and their dead-letter queues: how a message is sent, received and dead-lettered.

use std::time::Duration;

use messaging::consumer::Delivery;
use messaging::topics::{Failure, Outgoing};
use protocol::event::LARGEST;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use rusqlite::{Connection, params};
use tracing::error;

use super::Statements;

/// How often a message is received before it goes to the dead-letter queue. Only crashes and
/// bugs count: waiting is a delayed copy.
pub const MAX_RECEIVE_COUNT: u32 = 5;

/// Sends the messages that are not too large.
pub(super) fn send(connection: &Connection, messages: &[Outgoing], now: Timestamp) -> rusqlite::Result<()> {
    for message in messages.iter().filter(|message| message.body.len() <= LARGEST) {
        match &message.dead_letter {
            None => insert(connection, message, now)?,
            Some(failure) => dead_letter(connection, message.topic, &message.body, failure, now)?,
        }
    }
    Ok(())
}

fn insert(connection: &Connection, message: &Outgoing, now: Timestamp) -> rusqlite::Result<()> {
    let sql = "INSERT INTO messages (topic, visible_at, sent_at, body) VALUES (?1, ?2, ?3, ?4)";
    let visible_at = (now + message.delay).as_millis();
    connection.change(sql, params![message.topic.name(), visible_at, now.as_millis(), message.body]).map(drop)
}

fn dead_letter(
    connection: &Connection,
    topic: Topic,
    body: &str,
    failure: &Failure,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO dead_letters (topic, dead_lettered_at, failure, attempts, source, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let Failure { failure, attempts, source } = failure;
    connection.change(sql, params![topic.name(), now.as_millis(), failure, attempts, source, body]).map(drop)
}

/// Receives up to `most` messages of a topic, which are then in flight for `visibility`; a message that was
/// received [`MAX_RECEIVE_COUNT`] times is dead-lettered instead.
pub(super) fn receive(
    connection: &Connection,
    topic: Topic,
    most: usize,
    visibility: Duration,
    now: Timestamp,
) -> rusqlite::Result<Vec<Delivery>> {
    let sql = "SELECT id, receive_count, body FROM messages WHERE topic = ?1 AND visible_at <= ?2 ORDER BY visible_at LIMIT ?3";
    let mut deliveries = Vec::new();
    loop {
        let found =
            connection.rows(sql, params![topic.name(), now.as_millis(), most - deliveries.len()], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, u32>(1)?, row.get::<_, String>(2)?))
            })?;
        if found.is_empty() {
            return Ok(deliveries);
        }
        for (id, received, body) in found {
            if received >= MAX_RECEIVE_COUNT {
                error!(
                    "a message of {topic} is dead-lettered: received {received} times and never acknowledged"
                );
                let failure = format!("received {received} times and never acknowledged");
                let failure = Failure { failure, attempts: received, source: "/topics" };
                dead_letter(connection, topic, &body, &failure, now)?;
                connection.change("DELETE FROM messages WHERE id = ?1", [id])?;
            } else {
                let visible_at = (now + visibility).as_millis();
                let sql =
                    "UPDATE messages SET visible_at = ?2, receive_count = receive_count + 1 WHERE id = ?1";
                connection.change(sql, params![id, visible_at])?;
                deliveries.push(Delivery { id: id.to_string(), body, receive_count: received + 1 });
            }
        }
        if deliveries.len() >= most {
            return Ok(deliveries);
        }
    }
}

/// Makes a received message visible again at once; the receive does not count.
pub(super) fn requeue(connection: &Connection, delivery: &Delivery, now: Timestamp) -> rusqlite::Result<()> {
    let sql = "UPDATE messages SET visible_at = ?2, receive_count = receive_count - 1 WHERE id = ?1 AND receive_count = ?3";
    connection.change(sql, params![delivery.id, now.as_millis(), delivery.receive_count]).map(drop)
}

/// When the next message of a topic becomes visible.
pub(super) fn next_visible(connection: &Connection, topic: Topic) -> rusqlite::Result<Option<Timestamp>> {
    let earliest = "SELECT min(visible_at) FROM messages WHERE topic = ?1";
    let due: Option<i64> = connection.row(earliest, [topic.name()], |row| row.get(0))?.flatten();
    Ok(due.map(Timestamp::from_millis))
}
