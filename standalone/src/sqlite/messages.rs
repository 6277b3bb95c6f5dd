//! The rows of the topics: how a message is sent and received.

use std::collections::HashSet;
use std::time::Duration;

use messaging::consumer::Delivery;
use messaging::topics::{Failure, Outgoing};
use protocol::headline::Headline;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use rusqlite::{Connection, params};
use tracing::error;

use super::Statements;
use super::letters;
use super::notes::Notes;

/// How often a message is received before it goes to the dead-letter queue. Only crashes and
/// bugs count: waiting is a delayed copy.
pub const MAX_RECEIVE_COUNT: u32 = 5;

/// From this receive count on, a message that was in flight when a process died is a suspect. It is handled alone: if it ends
/// the process, no other message is blamed for that, and if it does not, it is not blamed for another.
const SUSPECT_RECEIVE_COUNT: u32 = 2;

/// The pause before a message is redelivered: 1 s after the first receive, doubling.
pub(super) fn pause(receive_count: u32) -> Duration {
    Duration::from_secs(1 << (receive_count.clamp(1, MAX_RECEIVE_COUNT) - 1))
}

/// Sends a message. A dead letter, or a copy, of a message that was redriven is still that `letter`.
pub(super) fn send(
    connection: &Connection,
    message: &Outgoing,
    letter: Option<i64>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    match &message.dead_letter {
        Some(failure) => letters::add(connection, message.topic, &message.body, failure, letter, now),
        None => {
            let since = match &message.about {
                Some(about) => Some(about.time),
                None => Headline::of(&message.body).time,
            };
            let times = (now + message.delay, since.unwrap_or(now));
            insert(connection, message.topic, &message.body, times, letter, now)
        }
    }
}

/// Adds a message to its topic, to be received at the first time; by its event, it is as old as the second says.
pub(super) fn insert(
    connection: &Connection,
    topic: Topic,
    body: &str,
    (visible_at, since): (Timestamp, Timestamp),
    letter: Option<i64>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO messages (topic, visible_at, sent_at, since, letter, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (visible_at, since) = (visible_at.as_millis(), since.as_millis());
    connection.change(sql, params![topic.name(), visible_at, now.as_millis(), since, letter, body]).map(drop)
}

/// What a receiver gets.
#[derive(Default)]
pub(super) struct Received {
    pub(super) deliveries: Vec<Delivery>,
    /// The one of them that is handled alone.
    pub(super) alone: Option<i64>,
}

/// Receives up to `most` messages of a topic, which are then in flight for `visibility`; a message that was
/// received [`MAX_RECEIVE_COUNT`] times is dead-lettered instead.
///
/// A suspect is given out in a batch of its own, and only where `may_be_alone` says that no other one is handled alone just
/// now.
#[expect(clippy::too_many_arguments, reason = "one call, and each is another noun")]
pub(super) fn receive(
    connection: &Connection,
    topic: Topic,
    most: usize,
    visibility: Duration,
    now: Timestamp,
    suspects: &HashSet<i64>,
    may_be_alone: bool,
    notes: &Notes,
) -> rusqlite::Result<Received> {
    let sql = "SELECT id, receive_count, letter, body FROM messages
               WHERE topic = ?1 AND visible_at <= ?2 AND (?4 OR receive_count < ?5 OR receive_count >= ?6)
               ORDER BY visible_at LIMIT ?3";
    let mut received = Received::default();
    loop {
        let wanted = most - received.deliveries.len();
        let params = params![
            topic.name(),
            now.as_millis(),
            wanted,
            may_be_alone,
            SUSPECT_RECEIVE_COUNT,
            MAX_RECEIVE_COUNT
        ];
        let found = connection.rows(sql, params, |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, u32>(1)?, row.get(2)?, row.get::<_, String>(3)?))
        })?;
        let (all, mut taken) = (found.len(), 0);
        for (id, count, letter, body) in found {
            if count >= MAX_RECEIVE_COUNT {
                connection.change("DELETE FROM messages WHERE id = ?1", [id])?;
                let failure = give_up(connection, topic, &body, count, letter, now)?;
                notes.given_up(topic, &body, &failure);
                taken += 1;
                continue;
            }
            let is_suspect = suspects.contains(&id);
            if is_suspect && !received.deliveries.is_empty() {
                // Its turn comes when it is the oldest.
                continue;
            }
            let visible_at = (now + visibility).as_millis();
            let sql = "UPDATE messages SET visible_at = ?2, receive_count = receive_count + 1 WHERE id = ?1";
            connection.change(sql, params![id, visible_at])?;
            received.deliveries.push(Delivery { id: id.to_string(), body, receive_count: count + 1 });
            taken += 1;
            if is_suspect {
                received.alone = Some(id);
                return Ok(received);
            }
        }
        // Those that were neither taken nor dead-lettered wait for a receiver of their own.
        if all < wanted || taken == 0 || received.deliveries.len() >= most {
            return Ok(received);
        }
    }
}

/// Dead-letters a message that was received too often; answers the failure.
pub(super) fn give_up(
    connection: &Connection,
    topic: Topic,
    body: &str,
    count: u32,
    letter: Option<i64>,
    now: Timestamp,
) -> rusqlite::Result<String> {
    let failure = format!("received {count} times and never acknowledged");
    error!("a message of {topic} is dead-lettered: {failure}");
    let failure = Failure { failure, attempts: count, source: "/topics" };
    letters::add(connection, topic, body, &failure, letter, now)?;
    Ok(failure.failure)
}

/// Makes a received message visible again at once; the receive does not count.
pub(super) fn requeue(connection: &Connection, delivery: &Delivery, now: Timestamp) -> rusqlite::Result<()> {
    let sql = "UPDATE messages SET visible_at = ?2, receive_count = receive_count - 1 WHERE id = ?1 AND receive_count = ?3";
    connection.change(sql, params![delivery.id, now.as_millis(), delivery.receive_count]).map(drop)
}

/// Makes in-flight messages visible again; answers the suspects among them. One that was in flight for the first time is
/// redelivered at once, a suspect after a pause that doubles: so a process that is killed again and again in a short time
/// dead-letters none.
pub(super) fn requeue_in_flight(connection: &Connection, now: Timestamp) -> rusqlite::Result<HashSet<i64>> {
    let sql = "UPDATE messages SET visible_at = ?1 WHERE receive_count BETWEEN 1 AND ?2 AND visible_at > ?1";
    connection.change(sql, params![now.as_millis(), SUSPECT_RECEIVE_COUNT - 1])?;
    for count in SUSPECT_RECEIVE_COUNT..=MAX_RECEIVE_COUNT {
        // One that paused already is not put off by another start.
        let sql = "UPDATE messages SET visible_at = min(visible_at, ?2) WHERE receive_count = ?1 AND visible_at > ?2";
        connection.change(sql, params![count, (now + pause(count)).as_millis()])?;
    }
    let suspects = "SELECT id FROM messages WHERE receive_count >= ?1";
    let suspects = connection.rows(suspects, [SUSPECT_RECEIVE_COUNT], |row| row.get(0))?;
    Ok(suspects.into_iter().collect())
}

/// The clock was set back by so much while messages waited: what is left of their delays stays the same.
pub(super) fn set_back(connection: &Connection, by: Duration) -> rusqlite::Result<()> {
    let sql = "UPDATE messages SET visible_at = visible_at - ?1, sent_at = sent_at - ?1";
    connection.change(sql, [i64::try_from(by.as_millis()).unwrap_or_default()]).map(drop)
}

/// Messages that were sent in the future: the clock was set back while no process ran. Their delays begin now.
pub(super) fn bring_back(connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    let sql = "UPDATE messages SET visible_at = visible_at - (sent_at - ?1), sent_at = ?1 WHERE sent_at > ?1";
    connection.change(sql, [now.as_millis()]).map(drop)
}

/// When the next message of a topic can be received. While one is handled alone, until when is `alone`: the suspects that
/// are due wait for its end.
pub(super) fn next_due(
    connection: &Connection,
    topic: Topic,
    now: Timestamp,
    alone: Option<Timestamp>,
) -> rusqlite::Result<Option<Timestamp>> {
    let earliest = "SELECT min(visible_at) FROM messages WHERE topic = ?1 AND visible_at > ?2";
    let after = alone.map_or(i64::MIN, |_| now.as_millis());
    let due: Option<i64> =
        connection.row(earliest, params![topic.name(), after], |row| row.get(0))?.flatten();
    Ok(due.map(Timestamp::from_millis).into_iter().chain(alone).min())
}
