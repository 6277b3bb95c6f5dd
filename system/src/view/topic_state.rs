//! The state of a topic.

use serde::{Deserialize, Serialize};

/// The state of a topic: `sent − finished = waiting + in_flight + delayed`, on a platform that counts them. What a platform
/// does not know is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicState {
    /// Messages that can be received now.
    pub waiting: u64,
    /// Messages that were received and not acknowledged yet.
    pub in_flight: u64,
    /// Messages that cannot be received until a delay has passed.
    pub delayed: u64,
    /// Messages in its dead-letter queue.
    pub dead_lettered: u64,
    /// How long ago the oldest of the first three was sent first, by its event's own time: a delayed copy is as old as its
    /// original. 0 if there are none.
    pub oldest_age_seconds: Option<u64>,
    /// Messages that were ever sent to it.
    pub sent: Option<u64>,
    /// Those of them that were acknowledged or dead-lettered.
    pub finished: Option<u64>,
}
