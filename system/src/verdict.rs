//! The audit's verdict, kept fresh without auditing all the time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use messaging::clock::Clock;
use messaging::store::StoreError;
use protocol::time::Timestamp;
use serde::Serialize;

use crate::audit::Audit;
use crate::view::View;

/// A verdict is kept for at least so long.
const FRESH: Duration = Duration::from_millis(500);

/// An audit takes at most one part of so many of a processor's time.
const SHARE: u32 = 30;

/// What the last audit found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// How many differences.
    pub differences: usize,
    /// How many orders were audited.
    pub checked: usize,
    /// When; `None` before the first audit.
    pub at: Option<Timestamp>,
}

/// The last verdict, and when the next is due.
pub struct Verdicts {
    view: Arc<dyn View>,
    clock: Arc<dyn Clock>,
    /// One audit at a time.
    auditing: tokio::sync::Mutex<()>,
    last: Mutex<Option<(Verdict, Instant)>>,
}

impl Verdicts {
    /// Of that platform.
    pub fn of(view: Arc<dyn View>, clock: Arc<dyn Clock>) -> Self {
        Self { view, clock, auditing: tokio::sync::Mutex::default(), last: Mutex::default() }
    }

    /// The verdict: of now, or of a while ago where an audit takes long, or while one is running.
    ///
    /// # Errors
    /// The first audit cannot read what it needs.
    pub async fn verdict(&self) -> Result<Verdict, StoreError> {
        if !self.view.reads_freely() {
            let none = Verdict { differences: 0, checked: 0, at: None };
            return Ok(self.last().map_or(none, |(verdict, _)| verdict));
        }
        let turn = match self.last() {
            // There is nothing to show before the first.
            None => self.auditing.lock().await,
            Some((verdict, due)) if due > Instant::now() => return Ok(verdict),
            Some((verdict, _)) => match self.auditing.try_lock() {
                Ok(turn) => turn,
                Err(_) => return Ok(verdict),
            },
        };
        if let Some((verdict, due)) = self.last()
            && due > Instant::now()
        {
            return Ok(verdict);
        }
        let (at, begun) = (self.clock.now(), Instant::now());
        let audit = self.view.audit().await?;
        let verdict = self.keep(&audit, at, FRESH.max(begun.elapsed() * SHARE));
        drop(turn);
        Ok(verdict)
    }

    /// Audits now, and keeps the verdict.
    ///
    /// # Errors
    /// The audit cannot read what it needs.
    pub async fn audit(&self) -> Result<Audit, StoreError> {
        let at = self.clock.now();
        let audit = self.view.audit().await?;
        self.keep(&audit, at, FRESH);
        Ok(audit)
    }

    fn keep(&self, audit: &Audit, at: Timestamp, fresh: Duration) -> Verdict {
        let (differences, checked) = (audit.discrepancies.len(), audit.orders);
        let verdict = Verdict { differences, checked, at: Some(at) };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((verdict, Instant::now() + fresh));
        verdict
    }

    fn last(&self) -> Option<(Verdict, Instant)> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
