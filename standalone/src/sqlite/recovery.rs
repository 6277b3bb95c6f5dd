//! What becomes of delayed copies when the downstream of a consumer answers again: they need not wait for their times.
//!
//! While a downstream is away, each message is tried once, and then one of those that wait every five seconds: so many that
//! wait cost no more than few. The first answer after failures wakes the others, and so does a start.

use std::time::Duration;

use protocol::time::Timestamp;
use protocol::topic::Topic;
use rusqlite::{Connection, params};

use super::Statements;

/// So many failures in a row are an outage. A message that fails alone, among others that do not, wakes nothing.
const OUTAGE: u32 = 2;

/// A downstream that is away is tried at least so often, and the messages that wait for it are woken at most so often.
const EVERY: Duration = Duration::from_secs(5);

/// How many are woken in one group: what is sent meanwhile need not wait for all of them.
const WOKEN_AT_ONCE: usize = 256;

/// How the consumer of a topic fares with its downstream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Recovery {
    failures_in_a_row: u32,
    /// When it was tried last.
    tried_at: Option<Timestamp>,
    woken_at: Option<Timestamp>,
    /// Whether some of those that wait are still to be woken.
    waking: bool,
}

impl Recovery {
    /// Of a process that begins: what waited is tried.
    pub(super) fn begun(now: Timestamp) -> Self {
        Self { tried_at: Some(now), waking: true, ..Self::default() }
    }

    /// A message of a topic was handled: it is done, or waits as a delayed copy.
    pub(super) fn saw(&mut self, topic: Topic, is_done: bool, now: Timestamp) {
        // An update that is too early waits for its order, which no other update stands for.
        if !topic.carries_commands() {
            return;
        }
        self.tried_at = Some(now);
        if !is_done {
            self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
            self.waking &= !self.is_outage();
            return;
        }
        let rested = self.woken_at.is_none_or(|woken| now.since(woken) >= EVERY);
        if self.is_outage() && rested {
            (self.waking, self.woken_at) = (true, Some(now));
        }
        self.failures_in_a_row = 0;
    }

    /// Whether the downstream is taken to be away.
    pub(super) fn is_outage(&self) -> bool {
        self.failures_in_a_row >= OUTAGE
    }

    /// When something is to be done.
    pub(super) fn due(&self) -> Option<Timestamp> {
        match self.waking {
            true => self.tried_at,
            false if self.is_outage() => self.tried_at.map(|tried| tried + EVERY),
            false => None,
        }
    }

    /// Makes delayed copies of the topic visible, if that is due; answers how many.
    pub(super) fn wake(
        &mut self,
        connection: &Connection,
        topic: Topic,
        now: Timestamp,
    ) -> rusqlite::Result<usize> {
        if !topic.carries_commands() || self.due().is_none_or(|due| due > now) {
            self.waking &= topic.carries_commands();
            return Ok(0);
        }
        let most = if self.waking { WOKEN_AT_ONCE } else { 1 };
        // Not those that pause since they failed: they are no copies.
        let sql = "UPDATE messages SET visible_at = ?2 WHERE id IN (
                       SELECT id FROM messages WHERE topic = ?1 AND visible_at > ?2 AND receive_count = 0
                       ORDER BY visible_at LIMIT ?3)";
        let woken = connection.change(sql, params![topic.name(), now.as_millis(), most])?;
        self.tried_at = Some(now);
        self.waking &= woken == most;
        Ok(woken)
    }
}
