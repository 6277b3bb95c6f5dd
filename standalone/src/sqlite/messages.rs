//! The rows of the topics. A row has the time from which it is visible; one without it is in flight.

use std::time::Duration;

use messaging::topics::Failure;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use rusqlite::{Connection, params};
use tracing::error;

use super::Statements;
use super::letters;

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

/// A message, as its row has it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) topic: Topic,
    /// Since when it waits, by its own event.
    pub(super) since: Timestamp,
    /// How often it was received.
    pub(super) receive_count: u32,
    /// The dead letter it was redriven from.
    pub(super) letter: Option<i64>,
    pub(super) body: String,
}

/// Adds a message: in flight, or visible from then on.
pub(super) fn insert(
    connection: &Connection,
    row: &Row,
    visible_at: Option<Timestamp>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO messages (id, topic, visible_at, sent_at, since, letter, body)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let (visible_at, since) = (visible_at.map(Timestamp::as_millis), row.since.as_millis());
    let (topic, now) = (row.topic.name(), now.as_millis());
    connection.change(sql, params![row.id, topic, visible_at, now, since, row.letter, row.body]).map(drop)
}

/// The last id that was given.
pub(super) fn last_id(connection: &Connection) -> rusqlite::Result<i64> {
    Ok(connection.row("SELECT max(id) FROM messages", [], |row| row.get(0))?.flatten().unwrap_or_default())
}

/// Up to `most` messages of a topic that are visible, those that are due first. Suspects only `with_suspects`.
pub(super) fn visible(
    connection: &Connection,
    topic: Topic,
    most: usize,
    now: Timestamp,
    with_suspects: bool,
) -> rusqlite::Result<Vec<Row>> {
    let sql = "SELECT id, since, receive_count, letter, body FROM messages
               WHERE topic = ?1 AND visible_at <= ?2 AND (?4 OR receive_count < ?5 OR receive_count >= ?6)
               ORDER BY visible_at LIMIT ?3";
    let params =
        params![topic.name(), now.as_millis(), most, with_suspects, SUSPECT_RECEIVE_COUNT, MAX_RECEIVE_COUNT];
    connection.rows(sql, params, |row| {
        Ok(Row {
            id: row.get(0)?,
            topic,
            since: Timestamp::from_millis(row.get(1)?),
            receive_count: row.get(2)?,
            letter: row.get(3)?,
            body: row.get(4)?,
        })
    })
}

/// A visible message is in flight.
pub(super) fn take_off(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    connection.change("UPDATE messages SET visible_at = NULL WHERE id = ?1", [id]).map(drop)
}

/// A message that was in flight is visible from then on, and was received so often.
pub(super) fn land(
    connection: &Connection,
    id: i64,
    visible_at: Timestamp,
    receive_count: u32,
) -> rusqlite::Result<()> {
    let sql = "UPDATE messages SET visible_at = ?2, receive_count = ?3 WHERE id = ?1";
    connection.change(sql, params![id, visible_at.as_millis(), receive_count]).map(drop)
}

/// Deletes a message.
pub(super) fn delete(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    connection.change("DELETE FROM messages WHERE id = ?1", [id]).map(drop)
}

/// Dead-letters a message that was received too often; answers its body and the failure.
pub(super) fn give_up(
    connection: &Connection,
    id: i64,
    (topic, count, letter): (Topic, u32, Option<i64>),
    now: Timestamp,
) -> rusqlite::Result<(String, String)> {
    let sql = "DELETE FROM messages WHERE id = ?1 RETURNING body";
    let body: Option<String> = connection.row(sql, [id], |row| row.get(0))?;
    let body = body.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let failure = format!("received {count} times and never acknowledged");
    error!("a message of {topic} is dead-lettered: {failure}");
    let failure = Failure { failure, attempts: count, source: "/topics" };
    letters::add(connection, topic, &body, &failure, letter, now)?;
    Ok((body, failure.failure))
}

/// Makes in-flight messages visible again, each with a receive more. One that was in flight for the first time is
/// redelivered at once, a suspect after a pause that doubles: so a process that is killed again and again in a short time
/// dead-letters none. Answers the suspects among all messages.
pub(super) fn requeue_in_flight(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<i64>> {
    for count in 1..=MAX_RECEIVE_COUNT {
        let pause = if count < SUSPECT_RECEIVE_COUNT { Duration::ZERO } else { pause(count) };
        let sql = "UPDATE messages SET visible_at = ?3, receive_count = ?2 WHERE visible_at IS NULL AND receive_count = ?1";
        connection.change(sql, params![count - 1, count, (now + pause).as_millis()])?;
    }
    let suspects = "SELECT id FROM messages WHERE visible_at IS NOT NULL AND receive_count >= ?1";
    connection.rows(suspects, [SUSPECT_RECEIVE_COUNT], |row| row.get(0))
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

/// When the next message of a topic is visible. While one is handled alone, until when is `alone`: the suspects that
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

/// How many of a topic are visible, and how many later; since when the oldest of them waits.
pub(super) fn count(
    connection: &Connection,
    topic: Topic,
    now: Timestamp,
) -> rusqlite::Result<(u64, u64, Option<Timestamp>)> {
    // All of it is in the index.
    let sql =
        "SELECT count(*) FILTER (WHERE visible_at <= ?2), count(*) FILTER (WHERE visible_at > ?2), min(since)
               FROM messages WHERE topic = ?1 AND visible_at IS NOT NULL";
    let counts = connection.row(sql, params![topic.name(), now.as_millis()], |row| {
        let oldest: Option<i64> = row.get(2)?;
        Ok((row.get(0)?, row.get(1)?, oldest.map(Timestamp::from_millis)))
    })?;
    Ok(counts.unwrap_or_default())
}
