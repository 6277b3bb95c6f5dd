//! The rows of the dead-letter queues. A letter keeps its row while it is redriven, so that it keeps its id, its first time
//! and its attempts if it is dead-lettered again; `redriven_at` says that it is in its topic, not in its queue.

use messaging::store::StoreError;
use messaging::topics::Failure;
use protocol::headline::Headline;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use rusqlite::{Connection, Row, params};
use system::journal::Phase;
use system::view::{DeadLetter, LetterId};

use super::topics::SqliteTopics;
use super::{Statements, messages};

/// Adds a letter, or puts one back that was redriven.
pub(super) fn add(
    connection: &Connection,
    topic: Topic,
    body: &str,
    failure: &Failure,
    letter: Option<i64>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let Failure { failure, attempts, source } = failure;
    let now = now.as_millis();
    let again = "UPDATE dead_letters SET redriven_at = NULL, dead_lettered_at = ?2, failure = ?3,
                 attempts = attempts + ?4, source = ?5, body = ?6 WHERE id = ?1";
    if letter.is_some()
        && connection.change(again, params![letter, now, failure, attempts, source, body])? == 1
    {
        return Ok(());
    }
    let sql = "INSERT INTO dead_letters (topic, first_at, dead_lettered_at, failure, attempts, source, body)
               VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6)";
    connection.change(sql, params![topic.name(), now, failure, attempts, source, body]).map(drop)
}

/// A redriven letter was handled: it is no letter any more.
pub(super) fn handled(connection: &Connection, letter: i64) -> rusqlite::Result<()> {
    connection
        .change("DELETE FROM dead_letters WHERE id = ?1 AND redriven_at IS NOT NULL", [letter])
        .map(drop)
}

/// How many are in the queue of a topic.
pub(super) fn count(connection: &Connection, topic: Topic) -> rusqlite::Result<u64> {
    let sql = "SELECT count(*) FROM dead_letters WHERE topic = ?1 AND redriven_at IS NULL";
    Ok(connection.row(sql, [topic.name()], |row| row.get(0))?.unwrap_or_default())
}

/// Those in the queue of a topic, oldest first.
pub(super) fn of(connection: &Connection, topic: Topic) -> rusqlite::Result<Vec<DeadLetter>> {
    let sql = "SELECT id, body, failure, attempts, redrives, source, first_at, dead_lettered_at
               FROM dead_letters WHERE topic = ?1 AND redriven_at IS NULL ORDER BY id";
    let read = |row: &Row<'_>| {
        Ok(DeadLetter {
            id: LetterId::Number(row.get(0)?),
            topic,
            body: row.get(1)?,
            failure: row.get(2)?,
            attempts: row.get(3)?,
            redrives: row.get(4)?,
            source: row.get(5)?,
            first_at: Timestamp::from_millis(row.get(6)?),
            dead_lettered_at: Timestamp::from_millis(row.get(7)?),
        })
    };
    connection.rows(sql, [topic.name()], read)
}

impl SqliteTopics {
    /// The letters in the dead-letter queue of a topic, oldest first.
    pub async fn dead_letters(&self, topic: Topic) -> Result<Vec<DeadLetter>, StoreError> {
        self.database.scan(move |connection| of(connection, topic)).await
    }

    /// Moves dead letters back to their topics: one, or all of them; answers how many.
    ///
    /// **Crash contract:** each letter is in its dead-letter queue or in its topic, before and after, and never in both.
    pub async fn redrive(&self, one: Option<i64>) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let (wait_list, notes) = (self.wait_list.clone(), self.database.notes());
        let write = move |connection: &Connection| {
            let letters = queued(connection, one)?;
            for Queued { id, topic, body, .. } in &letters {
                let since = Headline::of(body).time.unwrap_or(now);
                let row = wait_list.row(*topic, body.clone(), since, Some(*id));
                messages::insert(connection, &row, Some(now), now)?;
            }
            let sql = "UPDATE dead_letters SET redriven_at = ?2, redrives = redrives + 1
                       WHERE redriven_at IS NULL AND (?1 IS NULL OR id = ?1)";
            connection.change(sql, params![one, now.as_millis()])?;
            wait_list.touch_all();
            for Queued { topic, body, .. } in &letters {
                notes.letter(*topic, body, Phase::Redriven, None);
            }
            Ok(letters.len())
        };
        self.database.write(write).await
    }

    /// Deletes a dead letter, and keeps what it was and the reason; answers how many there were.
    ///
    /// **Crash contract:** one write. Before it the letter is in its queue, after it there is only the record.
    pub async fn discard(&self, id: i64, reason: &str) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let (reason, notes) = (reason.to_owned(), self.database.notes());
        let write = move |connection: &Connection| {
            let letters = queued(connection, Some(id))?;
            for Queued { id, topic, body, failure } in &letters {
                // Not the body: it may have a name or a payment token, and there is nothing to be done with it.
                let Headline { order, kind, .. } = Headline::of(body);
                let sql =
                    "INSERT INTO discarded (letter, topic, order_id, type, failure, reason, discarded_at)
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
                let order = order.as_ref().map(|order| *order.as_bytes());
                connection
                    .change(sql, params![id, topic.name(), order, kind, failure, reason, now.as_millis()])?;
                connection.change("DELETE FROM dead_letters WHERE id = ?1", [id])?;
            }
            for Queued { topic, body, .. } in &letters {
                notes.letter(*topic, body, Phase::Discarded, Some(&reason));
            }
            Ok(letters.len())
        };
        self.database.write(write).await
    }
}

/// A letter in its queue.
struct Queued {
    id: i64,
    topic: Topic,
    body: String,
    failure: String,
}

/// One letter, or all.
fn queued(connection: &Connection, one: Option<i64>) -> rusqlite::Result<Vec<Queued>> {
    let sql = "SELECT id, topic, body, failure FROM dead_letters
               WHERE redriven_at IS NULL AND (?1 IS NULL OR id = ?1) ORDER BY id";
    let found = connection
        .rows(sql, [one], |row| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?, row.get(3)?)))?;
    let letters = found.into_iter().filter_map(|(id, topic, body, failure)| {
        Some(Queued { id, topic: topic.parse().ok()?, body, failure })
    });
    Ok(letters.collect())
}
