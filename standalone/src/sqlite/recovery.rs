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
    /// When those that wait were woken last.
    woken_at: Option<Timestamp>,
    /// From when on those that wait are woken, if there are any.
    wake_from: Option<Timestamp>,
}

impl Recovery {
    /// That of a topic when a process begins: what waited is tried.
    pub(super) fn begun(topic: Topic, now: Timestamp) -> Self {
        Self { wake_from: topic.carries_commands().then_some(now), ..Self::default() }
    }

    /// A message of a topic was handled: it is done, or waits as a delayed copy.
    pub(super) fn saw(&mut self, topic: Topic, is_done: bool, now: Timestamp) {
        // An update that is too early waits for its order, which no other update stands for.
        if !topic.carries_commands() {
            return;
        }
        self.tried_at = Some(now);
        if is_done {
            if self.is_outage() {
                self.wake_from = Some(self.woken_at.map_or(now, |woken| now.max(woken + EVERY)));
            }
            self.failures_in_a_row = 0;
        } else {
            self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
            self.wake_from = self.wake_from.filter(|_| !self.is_outage());
        }
    }

    /// The clock was set back by so much.
    pub(super) fn set_back(&mut self, by: Duration) {
        let moved = |at: Timestamp| Timestamp::from_millis(at.as_millis() - by.as_millis() as i64);
        for at in [&mut self.tried_at, &mut self.woken_at, &mut self.wake_from] {
            *at = at.map(moved);
        }
    }

    /// Whether the downstream is taken to be away.
    pub(super) fn is_outage(&self) -> bool {
        self.failures_in_a_row >= OUTAGE
    }

    /// When something is to be done.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let probe = self.tried_at.filter(|_| self.is_outage()).map(|tried| tried + EVERY);
        self.wake_from.or(probe)
    }

    /// Makes delayed copies of the topic visible, if that is due; answers how many.
    pub(super) fn wake(
        &mut self,
        connection: &Connection,
        topic: Topic,
        now: Timestamp,
    ) -> rusqlite::Result<usize> {
        if self.due().is_none_or(|due| due > now) {
            return Ok(0);
        }
        let most = if self.wake_from.is_some() { WOKEN_AT_ONCE } else { 1 };
        // Not those that pause since they failed: they are no copies.
        let sql = "UPDATE messages SET visible_at = ?2 WHERE id IN (
                       SELECT id FROM messages WHERE topic = ?1 AND visible_at > ?2 AND receive_count = 0
                       ORDER BY visible_at LIMIT ?3)";
        let woken = connection.change(sql, params![topic.name(), now.as_millis(), most])?;
        self.tried_at = Some(now);
        if self.wake_from.is_some() {
            self.woken_at = if woken > 0 { Some(now) } else { self.woken_at };
            self.wake_from = self.wake_from.filter(|_| woken == most);
        }
        Ok(woken)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const TOPIC: Topic = Topic::Billing;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    /// A topic with a delayed message.
    fn with_one() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        let table = "CREATE TABLE messages (id INTEGER PRIMARY KEY, topic TEXT, visible_at INTEGER, receive_count INTEGER)";
        connection.execute(table, []).unwrap();
        connection.execute("INSERT INTO messages VALUES (1, 'billing', 900000, 0)", []).unwrap();
        connection
    }

    #[test]
    fn an_answer_in_an_outage_wakes_what_waits_though_it_was_woken_a_moment_ago() {
        let mut recovery = Recovery::default();
        for seconds in [0, 1] {
            recovery.saw(TOPIC, false, at(seconds));
        }
        assert_eq!(recovery.due(), Some(at(6)), "a try");
        recovery.saw(TOPIC, true, at(2));
        assert_eq!(recovery.due(), Some(at(2)), "all are woken");
        recovery.wake(&with_one(), TOPIC, at(2)).unwrap();
        assert_eq!(recovery.due(), None);
        for seconds in [3, 3] {
            recovery.saw(TOPIC, false, at(seconds));
        }
        recovery.saw(TOPIC, true, at(4));
        assert_eq!(recovery.due(), Some(at(7)), "five seconds after those before");
    }

    #[test]
    fn a_clock_that_is_set_back_delays_no_try_and_no_wake() {
        let mut recovery = Recovery::default();
        for _ in 0..2 {
            recovery.saw(TOPIC, false, at(3600));
        }
        recovery.set_back(Duration::from_secs(3600));
        assert_eq!(recovery.due(), Some(at(5)));
    }

    #[test]
    fn updates_that_are_too_early_are_no_outage() {
        let mut recovery = Recovery::default();
        for _ in 0..3 {
            recovery.saw(Topic::OrderUpdates, false, at(0));
        }
        assert_eq!(recovery.due(), None);
    }
}
