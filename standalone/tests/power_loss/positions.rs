//! The moments at which the power is lost.

use fastrand::Rng;
use standalone::sqlite::database::FILE;

use super::recording::Recording;
use super::trace::{Record, Step};

/// The first start makes some hundred steps, with the tables, the secrets and the flights.
const STEPS_OF_A_START: usize = 150;

/// The positions of a trace.
pub(crate) struct Positions {
    pub(crate) all: Vec<u64>,
    /// During a checkpoint: pages are copied from the WAL to the database, and not synced there.
    in_checkpoints: Vec<u64>,
    pub(crate) checkpoints: usize,
    /// Shortly after a start of the server.
    starts: Vec<u64>,
    /// As an answer leaves, when a sync that comes late is missed.
    answers: Vec<u64>,
    pub(crate) syncs: usize,
}

impl Positions {
    pub(crate) fn of(recording: &Recording) -> Self {
        let mut found = Self {
            all: vec![0],
            in_checkpoints: Vec::new(),
            checkpoints: 0,
            starts: vec![0],
            answers: Vec::new(),
            syncs: 0,
        };
        let (mut database, mut has_wal, mut in_checkpoint) = (None, false, false);
        let mut starts = recording.starts.iter().peekable();
        let mut since_start = 0;
        for Record { end, step } in recording.records() {
            match step {
                Step::Created { name, inode } if name.ends_with(FILE) => database = Some(inode),
                Step::Created { name, .. } => has_wal |= name.ends_with("-wal"),
                Step::Wrote { inode, .. } => {
                    let is_copied = has_wal && Some(inode) == database;
                    found.checkpoints += usize::from(is_copied && !in_checkpoint);
                    in_checkpoint = is_copied;
                }
                Step::Synced { inode, .. } => {
                    found.syncs += 1;
                    in_checkpoint &= Some(inode) != database;
                }
                Step::Answered { bytes } if bytes.starts_with(b"HTTP/1.1 202") => found.answers.push(end),
                _ => {}
            }
            since_start = if starts.next_if(|start| **start < end).is_some() { 0 } else { since_start + 1 };
            found.all.push(end);
            if in_checkpoint {
                found.in_checkpoints.push(end);
            }
            if since_start < STEPS_OF_A_START {
                found.starts.push(end);
            }
        }
        found
    }

    /// That many, in their order.
    pub(crate) fn choose(&self, cuts: usize, rng: &mut Rng) -> Vec<u64> {
        let Self { all, in_checkpoints, starts, answers, .. } = self;
        let kinds = [all, in_checkpoints, answers, starts, answers, in_checkpoints];
        let mut chosen: Vec<u64> =
            kinds.iter().cycle().take(cuts).map(|kind| kind[rng.usize(..kind.len())]).collect();
        chosen.sort_unstable();
        chosen
    }
}
