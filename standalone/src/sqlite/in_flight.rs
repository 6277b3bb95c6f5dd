//! Which messages are in flight: a fact of this process, not of the file, where such a row only says that it is not
//! visible.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use protocol::time::Timestamp;
use protocol::topic::Topic;

/// One receive of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receive {
    pub(super) topic: Topic,
    /// How often it was received, this time included.
    pub(super) count: u32,
    /// When it is redelivered if it is not finished.
    pub(super) until: Timestamp,
    /// Since when it waits, by its own event.
    pub(super) since: Timestamp,
    /// The dead letter it was redriven from.
    pub(super) letter: Option<i64>,
}

/// The receives in progress, by the ids of their messages. What a group changed is undone if it is not committed.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    receives: HashMap<i64, Receive>,
    ends: BTreeSet<(Timestamp, i64)>,
    /// What the group in progress has changed, and what stood before.
    before: Vec<(i64, Option<Receive>)>,
}

impl InFlight {
    /// A message is received.
    pub(super) fn begin(&mut self, id: i64, receive: Receive) {
        let before = self.put(id, Some(receive));
        self.before.push((id, before));
    }

    /// That receive of a message, if it has not ended.
    pub(super) fn of(&self, id: i64, count: u32) -> Option<Receive> {
        self.receives.get(&id).filter(|receive| receive.count == count).copied()
    }

    /// A message is in flight no longer; answers its receive. `None` if that receive has ended before.
    pub(super) fn end(&mut self, id: i64, count: u32) -> Option<Receive> {
        let receive = self.of(id, count)?;
        let before = self.put(id, None);
        self.before.push((id, before));
        Some(receive)
    }

    /// Those that end at that moment or before.
    pub(super) fn overdue(&self, now: Timestamp) -> Vec<(i64, Receive)> {
        let overdue = self.ends.iter().take_while(|(end, _)| *end <= now);
        overdue.filter_map(|(_, id)| Some((*id, *self.receives.get(id)?))).collect()
    }

    /// When the next one ends.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        self.ends.first().map(|(end, _)| *end)
    }

    /// Since when the oldest of a topic waits.
    pub(super) fn oldest(&self, topic: Topic) -> Option<Timestamp> {
        self.receives.values().filter(|receive| receive.topic == topic).map(|receive| receive.since).min()
    }

    /// The clock was set back by so much.
    pub(super) fn set_back(&mut self, by: Duration) {
        let all: Vec<_> = self.receives.iter().map(|(id, receive)| (*id, *receive)).collect();
        for (id, receive) in all {
            let until = Timestamp::from_millis(receive.until.as_millis() - by.as_millis() as i64);
            self.begin(id, Receive { until, ..receive });
        }
    }

    /// The group is committed, or undone.
    pub(super) fn settle(&mut self, committed: bool) {
        for (id, before) in std::mem::take(&mut self.before).into_iter().rev() {
            if !committed {
                self.put(id, before);
            }
        }
    }

    fn put(&mut self, id: i64, receive: Option<Receive>) -> Option<Receive> {
        let before = match receive {
            Some(receive) => {
                self.ends.insert((receive.until, id));
                self.receives.insert(id, receive)
            }
            None => self.receives.remove(&id),
        };
        if let Some(before) = before
            && receive.is_none_or(|receive| receive.until != before.until)
        {
            self.ends.remove(&(before.until, id));
        }
        before
    }
}
