//! The audit's verdict, kept fresh at any size: one full audit, then of what changed alone. A full audit still runs now and
//! then, and finds what was changed behind this process's back.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use messaging::clock::Clock;
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tracing::warn;

use crate::audit::{Audit, Discrepancy, Tally};
use crate::view::{Changed, View, Watched};

/// A verdict that is asked for is kept for so long, and one that no one asks for.
const LOOK: Pace = Pace { asked: Duration::from_millis(500), unasked: Duration::from_secs(5), share: 10 };

/// The same of full audits.
const FULL: Pace = Pace { asked: Duration::from_secs(2), unasked: Duration::from_secs(60), share: 30 };

/// A full audit that is needed since it is not known what changed.
const LOST: Pace = Pace { share: 2, ..FULL };

/// For so long a verdict counts as asked for.
const ASKED: Duration = Duration::from_secs(5);

/// How often the background looks what is due.
const TICK: Duration = Duration::from_millis(250);

/// How many differences are described.
const DESCRIBED: usize = 100;

/// How often something is done.
struct Pace {
    asked: Duration,
    unasked: Duration,
    /// It takes at most one part of so many of a processor's time.
    share: u32,
}

/// What the last audit found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// How many differences.
    pub differences: usize,
    /// How many orders and flights could not be judged, on a platform whose topics cannot be looked into.
    #[serde(skip_serializing_if = "is_none")]
    pub undecided: usize,
    /// How many orders were audited.
    pub checked: usize,
    /// When; `None` before the first audit.
    pub at: Option<Timestamp>,
}

/// A verdict, and what differs.
#[derive(Clone, Debug, Serialize)]
pub struct Differences {
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Its differences, the first of them where there are many.
    pub discrepancies: Vec<Discrepancy>,
}

/// The verdict of a platform.
#[derive(Clone)]
pub struct Verdicts(Arc<Inner>);

struct Inner {
    view: Arc<dyn View>,
    clock: Arc<dyn Clock>,
    last: watch::Sender<Differences>,
    times: Mutex<Times>,
    /// Held during a look.
    kept: tokio::sync::Mutex<Kept>,
    /// Held during a full audit.
    full: tokio::sync::Mutex<()>,
}

/// What is known between two looks.
#[derive(Default)]
struct Kept {
    /// `None` until a full audit is done.
    tally: Option<Box<Tally>>,
    /// What changed since the full audit under way began.
    since_full: Option<BTreeSet<OrderId>>,
    /// What the next look audits although it did not change.
    owed: BTreeSet<OrderId>,
    /// Whether it was unknown for a moment what changed, since the full audit under way began.
    lost: bool,
}

#[derive(Default)]
struct Times {
    asked: Option<Instant>,
    look: Option<Done>,
    full: Option<Done>,
    lost: bool,
}

/// Something that ended then, and took so long.
#[derive(Clone, Copy)]
struct Done(Instant, Duration);

impl Times {
    fn is_due(&self, done: Option<Done>, pace: &Pace) -> bool {
        let Some(Done(ended, took)) = done else { return true };
        let asked = self.asked.is_some_and(|asked| asked.elapsed() < ASKED);
        let rest = if asked { pace.asked } else { pace.unasked };
        ended.elapsed() >= rest.max(took * pace.share)
    }
}

impl Verdicts {
    /// Of that platform.
    pub fn of(view: Arc<dyn View>, clock: Arc<dyn Clock>) -> Self {
        let none = Verdict { differences: 0, undecided: 0, checked: 0, at: None };
        let (last, _) = watch::channel(Differences { verdict: none, discrepancies: Vec::new() });
        let (times, kept, full) = Default::default();
        Self(Arc::new(Inner { view, clock, last, times, kept, full }))
    }

    /// Keeps the verdict fresh in the background, also while no one asks, until `ended` changes. Where a platform does not
    /// know what changes, it does nothing.
    pub async fn keep_fresh(self, mut ended: watch::Receiver<()>) {
        if self.0.view.watched().is_none() {
            return;
        }
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ended.changed() => return,
                _ = ticks.tick() => {}
            }
            if self.0.is_full_due() {
                // Apart: looks go on while it runs. Only this task begins them.
                tokio::spawn(self.clone().audit_in_background());
            }
            if let Err(error) = self.look().await {
                warn!(%error, "the verdict cannot be refreshed");
            }
        }
    }

    /// The verdict: of now, or of a while ago where that takes long.
    ///
    /// # Errors
    /// What changed cannot be read.
    pub async fn verdict(&self) -> Result<Verdict, StoreError> {
        if self.0.view.watched().is_some() {
            self.0.times().asked = Some(Instant::now());
            // A small system is audited within a moment of its start.
            let mut last = self.0.last.subscribe();
            let _ = tokio::time::timeout(LOOK.asked, last.wait_for(|last| last.verdict.at.is_some())).await;
            self.look().await?;
        }
        Ok(self.0.last.borrow().verdict)
    }

    /// What differs, as the last verdict has it. Reads nothing.
    pub fn differences(&self) -> Differences {
        self.0.last.borrow().clone()
    }

    /// Audits everything now.
    ///
    /// # Errors
    /// The audit cannot read what it needs.
    pub async fn audit(&self) -> Result<Audit, StoreError> {
        let at = self.0.clock.now();
        let audit = self.0.view.audit().await?;
        if self.0.view.watched().is_some() {
            // What it found behind this process's back is in the next verdict too.
            let differing = audit.discrepancies.iter().filter_map(|found| found.booking_id);
            self.0.kept.lock().await.owed.extend(differing);
            self.0.times().look = None;
        }
        let (differences, checked) = (audit.discrepancies.len(), audit.orders);
        let undecided = audit.undecided.len() + audit.flights_not_compared.len();
        let verdict = Verdict { differences, undecided, checked, at: Some(at) };
        self.0.publish(verdict, &audit.discrepancies);
        Ok(audit)
    }

    /// Audits what changed, if that is due and no other look is under way.
    async fn look(&self) -> Result<(), StoreError> {
        if !self.0.is_look_due() {
            return Ok(());
        }
        let inner = self.0.clone();
        // A task of its own: a caller that stops waiting would drop the tally with the look.
        let look = tokio::spawn(async move {
            let Some(watched) = inner.view.watched() else { return Ok(()) };
            let Ok(mut kept) = inner.kept.try_lock() else { return Ok(()) };
            inner.look(watched, &mut kept).await
        });
        look.await.map_err(StoreError::unavailable)?
    }

    async fn audit_in_background(self) {
        let Some(watched) = self.0.view.watched() else { return };
        let Ok(_turn) = self.0.full.try_lock() else { return };
        if let Err(error) = self.0.audit_all(watched).await {
            warn!(%error, "the orders cannot be audited");
        }
    }
}

impl Inner {
    fn times(&self) -> std::sync::MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_look_due(&self) -> bool {
        let times = self.times();
        times.is_due(times.look, &LOOK)
    }

    fn is_full_due(&self) -> bool {
        let times = self.times();
        self.full.try_lock().is_ok() && times.is_due(times.full, if times.lost { &LOST } else { &FULL })
    }

    /// A full audit, while looks go on. What changes meanwhile is audited again by the next look.
    async fn audit_all(&self, watched: &dyn Watched) -> Result<(), StoreError> {
        {
            let mut kept = self.kept.lock().await;
            // From here on: what a look before this took is in what the full audit reads.
            (kept.since_full, kept.lost) = (Some(BTreeSet::new()), false);
        }
        let (at, begun) = (self.clock.now(), Instant::now());
        let audited = watched.audit_all().await;
        let mut kept = self.kept.lock().await;
        let changed = kept.since_full.take().unwrap_or_default();
        let lost = kept.lost;
        {
            let mut times = self.times();
            times.full = Some(Done(Instant::now(), begun.elapsed()));
            times.lost = lost || audited.is_err();
        }
        let tally = Box::new(audited?);
        // Even if the changes were lost it was right at its moment.
        if kept.tally.is_none() {
            self.publish_tally(&tally, at);
        }
        if !lost {
            kept.tally = Some(tally);
            kept.owed.extend(changed);
            self.times().look = None;
        }
        Ok(())
    }

    /// Audits what changed since the last look.
    async fn look(&self, watched: &dyn Watched, kept: &mut Kept) -> Result<(), StoreError> {
        let Some(tally) = kept.tally.take() else { return Ok(()) };
        let (at, begun) = (self.clock.now(), Instant::now());
        let owed = std::mem::take(&mut kept.owed);
        let changed = watched.audit_changed(*tally, owed).await;
        self.times().look = Some(Done(Instant::now(), begun.elapsed()));
        match changed {
            Ok(Changed::These(tally, changed)) => {
                self.publish_tally(&tally, at);
                kept.tally = Some(tally);
                if let Some(since_full) = &mut kept.since_full {
                    since_full.extend(changed);
                }
                Ok(())
            }
            Ok(Changed::TooMany) => {
                self.lose(kept);
                Ok(())
            }
            Err(error) => {
                self.lose(kept);
                Err(error)
            }
        }
    }

    /// It is unknown what changed: only a full audit that begins from here on tells.
    fn lose(&self, kept: &mut Kept) {
        kept.lost = true;
        self.times().lost = true;
    }

    fn publish_tally(&self, tally: &Tally, at: Timestamp) {
        let (differences, checked) = (tally.differences(), tally.orders());
        let verdict = Verdict { differences, undecided: 0, checked, at: Some(at) };
        self.publish(verdict, tally.described());
    }

    fn publish<'a>(&self, verdict: Verdict, found: impl IntoIterator<Item = &'a Discrepancy>) {
        let discrepancies = found.into_iter().take(DESCRIBED).cloned().collect();
        self.last.send_replace(Differences { verdict, discrepancies });
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape serde wants")]
fn is_none(count: &usize) -> bool {
    *count == 0
}
