//! What a connection waits for, and since when.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Limits;

#[derive(Clone, Copy)]
enum Phase {
    /// The client has connected, or begun a request, and its header is not complete.
    Header { since: Instant },
    /// A request is handled.
    Busy,
    /// The client sends no more of its body, or takes no more of its answer.
    Stalled { since: Instant },
    /// The client has its answer, and may ask again.
    Idle { since: Instant },
}

/// The state of one connection: its task changes it, what needs room for another reads it.
pub(super) struct Watch {
    phase: Mutex<Phase>,
    /// Told when this one begins to wait for its client.
    waits: Arc<Notify>,
}

impl Watch {
    /// Of a connection that was just accepted.
    pub(super) fn new(waits: Arc<Notify>) -> Self {
        Self { phase: Mutex::new(Phase::Header { since: Instant::now() }), waits }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes came.
    pub(super) fn received(&self) {
        let mut phase = self.phase();
        match *phase {
            Phase::Idle { .. } => *phase = Phase::Header { since: Instant::now() },
            Phase::Stalled { .. } => *phase = Phase::Busy,
            Phase::Header { .. } | Phase::Busy => {}
        }
    }

    /// The header is complete.
    pub(super) fn requested(&self) {
        *self.phase() = Phase::Busy;
    }

    /// More of the body is needed, or of the answer was not taken.
    pub(super) fn stalled(&self) {
        let mut phase = self.phase();
        if let Phase::Busy = *phase {
            *phase = Phase::Stalled { since: Instant::now() };
            self.waits.notify_one();
        }
    }

    /// Some of it came, or was taken.
    pub(super) fn moved(&self) {
        let mut phase = self.phase();
        if let Phase::Stalled { .. } = *phase {
            *phase = Phase::Busy;
        }
    }

    /// The whole answer is given to the connection.
    pub(super) fn answered(&self) {
        *self.phase() = Phase::Idle { since: Instant::now() };
        self.waits.notify_one();
    }

    /// Since when it waits for its client; `None` while a request is handled.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        match *self.phase() {
            Phase::Header { since } | Phase::Stalled { since } | Phase::Idle { since } => Some(since),
            Phase::Busy => None,
        }
    }

    /// When it has waited for too long.
    pub(super) fn closes_at(&self, limits: &Limits) -> Option<Instant> {
        match *self.phase() {
            Phase::Header { since } => Some(since + limits.header),
            Phase::Stalled { since } | Phase::Idle { since } => Some(since + limits.idle),
            Phase::Busy => None,
        }
    }

    /// Whether no request is in progress.
    pub(super) fn is_unasked(&self) -> bool {
        matches!(*self.phase(), Phase::Header { .. } | Phase::Idle { .. })
    }
}
