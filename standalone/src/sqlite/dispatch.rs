//! Hands messages to waiting receivers, without polling: in the group that sends them, or when they become visible.
//!
//! | a message is handed out | to whom | its row |
//! |---|---|---|
//! | between the writes of the group that sends it | a receiver that takes part in the groups, of a service that does nothing outside before a commit | none, if it is finished in that group |
//! | after the commit of that group | another receiver that waits for it | is born in flight, and deleted when it is finished |
//! | after the commit of a later group | the next receiver | visible until then |
//!
//! In the first case it is sent, handled and acknowledged in one commit, or never was.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use group_commit::Hook;
use messaging::clock::Clock;
use messaging::consumer::Delivery;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use rusqlite::Connection;
use tracing::warn;

use super::in_flight::Receive;
use super::lock;
use super::messages::{self, MAX_RECEIVE_COUNT, Row};
use super::notes::Notes;
use super::recovery::Recovery;
use super::wait_list::{Receiver, WaitList};

/// Takes part in every group.
pub(super) struct Dispatch {
    wait_list: Arc<WaitList>,
    notes: Arc<Notes>,
    clock: Arc<dyn Clock>,
    /// When the next row of each topic is visible, as of the last look.
    due: HashMap<Topic, Timestamp>,
    /// The messages that this group hands out; their receivers get them after the commit.
    handed_out: Vec<(Topic, Receiver, Vec<Delivery>)>,
    /// How many of the undelivered messages this group requeues.
    requeued: usize,
    failed: bool,
    /// How the consumers fared as of the last group that was committed.
    recovery: [Recovery; Topic::COUNT],
    /// What the clock showed in the last group that was committed, and when that was.
    seen: Option<(Timestamp, Instant)>,
    /// The same of this group.
    sees: Option<(Timestamp, Instant)>,
}

/// Clocks are corrected by less than this all the time.
const SMALL_STEP: Duration = Duration::from_secs(1);

/// How long after a group that was not committed messages are committed before they are handed out: longer than until what
/// was in it is redelivered.
const CAREFUL_AFTER_A_FAILURE: Duration = Duration::from_secs(60);

impl Dispatch {
    pub(super) fn new(wait_list: Arc<WaitList>, notes: Arc<Notes>, clock: Arc<dyn Clock>) -> Self {
        Self {
            wait_list,
            notes,
            clock,
            due: HashMap::new(),
            handed_out: Vec::new(),
            requeued: 0,
            failed: false,
            recovery: Default::default(),
            seen: None,
            sees: None,
        }
    }

    /// By how much the clock was set back since the last group.
    fn set_back(&self, now: Timestamp) -> Option<Duration> {
        let (before, at) = self.seen?;
        let back = before.since(now);
        (back > SMALL_STEP).then(|| back + at.elapsed())
    }

    /// Makes messages visible again whose receivers did not fetch them, or did not finish them in time.
    fn land(&mut self, connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        let undelivered = lock(&self.wait_list.undelivered).clone();
        self.requeued = undelivered.len();
        for delivery in &undelivered {
            let Ok(id) = delivery.id.parse() else { continue };
            let ended = lock(&self.wait_list.in_flight).end(id, delivery.receive_count);
            if let Some(receive) = ended {
                messages::land(connection, id, now, receive.count - 1)?;
                self.wait_list.landed(id);
                self.wait_list.touch(receive.topic);
            }
        }
        let overdue = lock(&self.wait_list.in_flight).overdue(now);
        for (id, receive) in overdue {
            lock(&self.wait_list.in_flight).end(id, receive.count);
            messages::land(connection, id, now, receive.count)?;
            self.wait_list.landed(id);
            self.wait_list.touch(receive.topic);
        }
        Ok(())
    }

    /// Makes delayed copies visible whose downstream answers again, or is to be tried.
    fn wake(&self, connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        for topic in Topic::ALL {
            if lock(&self.wait_list.recovery)[topic as usize].wake(connection, topic, now)? > 0 {
                self.wait_list.touch(topic);
            }
        }
        Ok(())
    }

    /// Hands the visible messages of a topic to its receivers.
    fn hand_out(&mut self, connection: &Connection, topic: Topic, now: Timestamp) -> rusqlite::Result<()> {
        while let Some(receiver) = self.wait_list.next(topic) {
            match self.receive(connection, topic, &receiver, now) {
                Ok(deliveries) if !deliveries.is_empty() => {
                    self.handed_out.push((topic, receiver, deliveries))
                }
                Ok(_) => {
                    self.wait_list.wait_on(topic, receiver);
                    let alone = self.wait_list.alone(now);
                    match messages::next_due(connection, topic, now, alone)? {
                        Some(due) => self.due.insert(topic, due),
                        None => self.due.remove(&topic),
                    };
                    return Ok(());
                }
                Err(error) => {
                    // The receiver keeps waiting: the group fails, and is tried again.
                    self.wait_list.wait_on(topic, receiver);
                    return Err(error);
                }
            }
        }
        // There may be more for the next receiver.
        self.due.insert(topic, now);
        Ok(())
    }

    /// What one receiver gets. A message that was received [`MAX_RECEIVE_COUNT`] times is dead-lettered instead; a suspect is
    /// given out in a batch of its own, and only while no other one is handled alone.
    fn receive(
        &mut self,
        connection: &Connection,
        topic: Topic,
        receiver: &Receiver,
        now: Timestamp,
    ) -> rusqlite::Result<Vec<Delivery>> {
        let with_suspects = self.wait_list.alone(now).is_none();
        let mut deliveries = Vec::new();
        loop {
            let wanted = receiver.most - deliveries.len();
            let visible = messages::visible(connection, topic, wanted, now, with_suspects)?;
            let (all, mut taken) = (visible.len(), 0);
            for row in visible {
                if row.receive_count >= MAX_RECEIVE_COUNT {
                    let about = (topic, row.receive_count, row.letter);
                    let (body, failure) = messages::give_up(connection, row.id, about, now)?;
                    self.notes.given_up(topic, &body, &failure);
                    taken += 1;
                    continue;
                }
                let is_suspect = lock(&self.wait_list.suspects).contains(&row.id);
                if is_suspect && !deliveries.is_empty() {
                    // Its turn comes when it is the oldest.
                    continue;
                }
                messages::take_off(connection, row.id)?;
                if is_suspect {
                    self.wait_list.handled_alone(row.id, now + receiver.visibility);
                }
                deliveries.push(self.take_off(row, receiver, now));
                taken += 1;
                if is_suspect {
                    return Ok(deliveries);
                }
            }
            // Those that were neither taken nor dead-lettered wait for a receiver of their own.
            if all < wanted || taken == 0 || deliveries.len() >= receiver.most {
                return Ok(deliveries);
            }
        }
    }

    /// A message is in flight from now on.
    fn take_off(&self, row: Row, receiver: &Receiver, now: Timestamp) -> Delivery {
        let Row { id, topic, since, receive_count, letter, body } = row;
        let (count, until) = (receive_count + 1, now + receiver.visibility);
        lock(&self.wait_list.in_flight).begin(id, Receive { topic, count, until, since, letter });
        Delivery { id: id.to_string(), body, receive_count: count }
    }

    /// Whether nothing of that topic has waited longer.
    fn is_first(&self, topic: Topic, now: Timestamp) -> bool {
        self.due.get(&topic).is_none_or(|due| *due > now)
    }

    /// What a receiver gets of the messages that the group has sent: it is in flight, and not written yet.
    fn give(&self, rows: &mut VecDeque<Row>, receiver: &Receiver, now: Timestamp) -> Vec<Delivery> {
        let given = rows.drain(..rows.len().min(receiver.most));
        let give = |row: Row| {
            lock(&self.wait_list.unwritten).insert(row.id, row.clone());
            self.take_off(row, receiver, now)
        };
        given.map(give).collect()
    }

    /// Hands what the group has sent to receivers that handle it in the same group.
    fn hand_out_within(&mut self, now: Timestamp) {
        for (topic, mut rows) in take(&self.wait_list.sent) {
            while !self.wait_list.commits_first(topic) && self.is_first(topic, now) && !rows.is_empty() {
                let Some(receiver) = self.wait_list.next_within(topic) else { break };
                let deliveries = self.give(&mut rows, &receiver, now);
                if let Err(deliveries) = receiver.reply.send(deliveries) {
                    self.wait_list.requeue(deliveries);
                }
            }
            lock(&self.wait_list.sent).extend(rows);
        }
    }

    /// Writes what the group has sent and not finished. What has no receiver yet gets one if there is one, and is handed out
    /// after the commit; the rest is visible from now on.
    fn write_sent(&mut self, connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        for (topic, mut rows) in take(&self.wait_list.sent) {
            while self.is_first(topic, now) && !rows.is_empty() {
                let Some(receiver) = self.wait_list.next(topic) else { break };
                let deliveries = self.give(&mut rows, &receiver, now);
                self.handed_out.push((topic, receiver, deliveries));
            }
            for row in rows {
                messages::insert(connection, &row, Some(now), now)?;
                self.due.entry(topic).and_modify(|due| *due = now.min(*due)).or_insert(now);
            }
        }
        self.write_unfinished(connection, now)
    }

    /// Writes what the group has handed out and not finished: it is in flight.
    fn write_unfinished(&self, connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        for row in std::mem::take(&mut *lock(&self.wait_list.unwritten)).into_values() {
            messages::insert(connection, &row, None, now)?;
        }
        Ok(())
    }
}

/// Takes what was sent, by topic.
fn take(messages: &Mutex<Vec<Row>>) -> BTreeMap<Topic, VecDeque<Row>> {
    let mut by_topic: BTreeMap<Topic, VecDeque<Row>> = BTreeMap::new();
    for row in lock(messages).drain(..) {
        by_topic.entry(row.topic).or_default().push_back(row);
    }
    by_topic
}

impl Hook for Dispatch {
    fn between(&mut self) {
        if lock(&self.wait_list.sent).is_empty() {
            return;
        }
        let now = self.clock.now();
        if !self.wait_list.is_careful(now) {
            self.hand_out_within(now);
        }
    }

    fn before_commit(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let now = self.clock.now();
        self.sees = Some((now, Instant::now()));
        if let Some(by) = self.set_back(now) {
            warn!("the clock was set back by {by:?}");
            messages::set_back(connection, by)?;
            lock(&self.wait_list.in_flight).set_back(by);
            lock(&self.wait_list.recovery).iter_mut().for_each(|recovery| recovery.set_back(by));
            self.wait_list.none_alone();
        }
        self.write_unfinished(connection, now)?;
        self.land(connection, now)?;
        self.wake(connection, now)?;
        let touched = self.wait_list.touched();
        for topic in Topic::ALL {
            let is_due = self.due.get(&topic).is_some_and(|&due| due <= now);
            if touched.contains(&topic) || (is_due && self.wait_list.is_awaited(topic)) {
                self.hand_out(connection, topic, now)?;
            }
        }
        self.write_sent(connection, now)
    }

    fn after_commit(&mut self, committed: bool) {
        self.failed = !committed;
        lock(&self.wait_list.in_flight).settle(committed);
        lock(&self.wait_list.unwritten).clear();
        if committed {
            self.seen = self.sees;
            self.recovery = *lock(&self.wait_list.recovery);
            lock(&self.wait_list.undelivered).drain(..self.requeued);
        } else {
            *lock(&self.wait_list.recovery) = self.recovery;
            lock(&self.wait_list.sent).clear();
            self.wait_list.none_alone();
            // What broke the group may have been sent in it: then it is to be the one that is redelivered.
            self.wait_list.be_careful_until(self.clock.now() + CAREFUL_AFTER_A_FAILURE);
        }
        self.requeued = 0;
        for (topic, receiver, deliveries) in self.handed_out.drain(..) {
            if committed {
                if let Err(deliveries) = receiver.reply.send(deliveries) {
                    self.wait_list.requeue(deliveries);
                }
            } else {
                self.wait_list.wait_on(topic, receiver);
            }
        }
    }

    fn next_wake(&mut self) -> Option<Duration> {
        if self.failed {
            self.wait_list.touch_all();
            return Some(Duration::from_millis(100));
        }
        if !lock(&self.wait_list.undelivered).is_empty() {
            return Some(Duration::ZERO);
        }
        let now = self.clock.now();
        let due =
            self.due.iter().filter(|(topic, _)| self.wait_list.is_awaited(**topic)).map(|(_, due)| *due);
        let end = lock(&self.wait_list.in_flight).next_end();
        let recovery = *lock(&self.wait_list.recovery);
        let wake = recovery.iter().filter_map(|recovery| recovery.due()).min();
        due.chain(end).chain(wake).min().map(|due| due.since(now))
    }
}
