//! Power loss: what was answered is on disk.
//!
//! A server's writes and syncs are recorded while customers book, it is killed, stopped and started again. Then a disk is rebuilt
//! as it may be after a power loss at random positions of that trace, and the server starts on it: [`disk`] says what may be
//! on it. Every booking that was answered `202` before is there with its secrets and settles, what was seen of it holds, and
//! the audit is clean.
//!
//! `POWER_CUTS=300` makes more than the default, `POWER_SEED=7` chooses the same positions of another trace,
//! `POWER_BOOKINGS=5000` makes a longer trace.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod customers;
mod cut;
mod disk;
mod disk_tests;
mod recording;
#[path = "../support/mod.rs"]
mod support;
mod trace;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::str::FromStr;
use std::time::Instant;

use fastrand::Rng;
use messaging::entropy::{Entropy, OsEntropy};
use standalone::sqlite::database::FILE;
use tokio::sync::watch;

use customers::Customer;
use cut::Broken;
use disk::{Disk, Entries, Fate};
use recording::{DATA, Recording};
use support::Http;
use trace::{Record, Step};

/// The first start makes some hundred steps, with the tables, the secrets and the flights.
const STEPS_OF_A_START: usize = 150;

fn setting<T: FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

/// A recorded server that was killed and stopped, and what its customers were answered.
struct Run {
    recording: Recording,
    http: Http,
    customers: Vec<Customer>,
}

impl Run {
    /// A third of the customers until the server is killed, a third until it is stopped, a third until it is stopped again.
    async fn with(bookings: usize) -> Self {
        let third = bookings / 3;
        let mut recording = Recording::new();
        let (position, mut http) = (recording.position(), Http::new("http://127.0.0.1"));
        let mut customers = Vec::new();
        for round in 0..3 {
            let mut server = recording.serve();
            http = http.moved_to(server.url());
            // Those without an answer ask again, under their keys.
            let (answered, unanswered): (Vec<Customer>, _) =
                customers.into_iter().partition(|customer: &Customer| customer.booked.is_some());
            customers = answered;
            let coming =
                unanswered.into_iter().chain((third * round..third * (round + 1)).map(Customer::new));
            let visited = watch::Sender::new(0);
            let visits = customers::book(&position, &http, coming.collect(), &visited);
            if round == 0 {
                let mut visited = visited.subscribe();
                let kill = async {
                    visited.wait_for(|visited| *visited > third * 9 / 10).await.unwrap();
                    recording.kill(&mut server);
                };
                customers.extend(tokio::join!(visits, kill).0);
            } else {
                customers.extend(visits.await);
                assert!(server.terminate().unwrap().success());
            }
        }
        Self { recording, http, customers }
    }

    /// Rebuilds a disk in that empty directory, and checks it.
    async fn check(
        &self,
        (disk, fate): (&Disk, Fate),
        position: u64,
        rng: &mut Rng,
        root: &Path,
    ) -> Result<usize, Broken> {
        for (name, content) in disk.after_power_loss(fate, rng) {
            let path = root.join(name);
            match content {
                Some(content) => fs::write(path, content).unwrap(),
                None => fs::create_dir(path).unwrap(),
            }
        }
        // The index of the WAL is shared memory, which nobody syncs: anything may be in its file.
        let index = root.join(DATA).join(format!("{FILE}-shm"));
        if rng.bool() && root.join(DATA).is_dir() {
            fs::write(index, std::iter::repeat_with(|| rng.u8(..)).take(32 * 1024).collect::<Vec<_>>())
                .unwrap();
        }
        cut::check(root, &self.recording.flights(), position, &self.http, &self.customers).await
    }

    /// How the orders have ended, as far as a customer has seen it.
    fn endings(&self) -> BTreeSet<&str> {
        let ended = self.customers.iter().filter_map(|customer| Some(customer.ended.as_ref()?.1.as_str()));
        ended
            .chain(self.customers.iter().filter_map(|customer| customer.cancelled.map(|_| "cancelled")))
            .collect()
    }
}

/// The positions of a trace.
struct Positions {
    all: Vec<u64>,
    /// During a checkpoint: there is a WAL, and the database has writes that no sync covers.
    in_checkpoints: Vec<u64>,
    checkpoints: usize,
    /// Shortly after a start of the server.
    starts: Vec<u64>,
    syncs: usize,
}

impl Positions {
    fn of(recording: &Recording) -> Self {
        let mut found =
            Self { all: vec![0], in_checkpoints: Vec::new(), checkpoints: 0, starts: vec![0], syncs: 0 };
        let (mut database, mut has_wal, mut in_checkpoint) = (None, false, false);
        let mut starts = recording.starts.iter().peekable();
        let mut since_start = 0;
        for Record { end, step } in recording.records() {
            match step {
                Step::Created { name, inode } if name.ends_with(FILE) => database = Some(inode),
                Step::Created { name, .. } => has_wal |= name.ends_with("-wal"),
                Step::Wrote { inode, .. } if has_wal && Some(inode) == database => in_checkpoint = true,
                Step::Synced { inode, .. } => {
                    found.syncs += 1;
                    if Some(inode) == database && std::mem::take(&mut in_checkpoint) {
                        found.checkpoints += 1;
                    }
                }
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

    /// That many, in their order: half of them anywhere, a third in checkpoints, a sixth at starts.
    fn choose(&self, cuts: usize, rng: &mut Rng) -> Vec<u64> {
        let kinds =
            [&self.all, &self.in_checkpoints, &self.all, &self.starts, &self.all, &self.in_checkpoints];
        let mut chosen: Vec<u64> =
            kinds.iter().cycle().take(cuts).map(|kind| kind[rng.usize(..kind.len())]).collect();
        chosen.sort_unstable();
        chosen
    }
}

/// What is on the disk in truth, but for the memory that the server's connections share.
fn entries(root: &Path) -> Entries {
    let data = root.join(DATA);
    let files = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap());
    let named = files.map(|file| (file.file_name().into_string().unwrap(), file.path()));
    let files = named.filter(|(name, _)| !name.ends_with("-shm"));
    let files = files.map(|(name, path)| (format!("{DATA}/{name}"), Some(fs::read(path).unwrap())));
    files.chain([(DATA.to_owned(), None)]).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute of power losses: `.ci/run` runs it"]
async fn after_a_power_loss_every_booking_that_was_answered_is_there_and_settles() {
    let seed = setting("POWER_SEED").unwrap_or_else(|| OsEntropy.below(u64::MAX));
    let (cuts, bookings) = (setting("POWER_CUTS").unwrap_or(6), setting("POWER_BOOKINGS").unwrap_or(900));
    let began = Instant::now();
    let run = Run::with(bookings).await;
    let positions = Positions::of(&run.recording);
    println!(
        "POWER_SEED={seed}: {bookings} bookings in {:.1?}; {} steps, {} syncs, {} checkpoints",
        began.elapsed(),
        positions.all.len(),
        positions.syncs,
        positions.checkpoints
    );
    // Two of the checkpoints are those of the stops.
    assert!(positions.checkpoints > 2, "customers wrote too little for a checkpoint");
    assert_eq!(run.endings(), BTreeSet::from(["cancelled", "confirmed", "payment_declined", "rejected"]));

    let mut rng = Rng::with_seed(seed);
    let (mut disk, mut records) = (run.recording.disk(), run.recording.records().peekable());
    let mut answered = 0;
    for position in positions.choose(cuts, &mut rng) {
        while let Some(record) = records.next_if(|record| record.end <= position) {
            disk.apply(record);
        }
        let (began, root) = (Instant::now(), tempfile::tempdir().unwrap());
        match run.check((&disk, Fate::Random), position, &mut rng, root.path()).await {
            Ok(found) => {
                println!("power lost at {position}: {found} bookings are there, {:.1?}", began.elapsed());
                answered += found;
            }
            Err(broken) => panic!("power lost at {position}: {broken}; see {}", root.keep().display()),
        }
    }
    println!("{cuts} power losses, {answered} answered bookings, none lost, {:.1?}", began.elapsed());

    // Nothing was missed: had nothing been lost, the disk would be the real one.
    records.for_each(|record| disk.apply(record));
    let rebuilt = disk.after_power_loss(Fate::Kept, &mut rng);
    assert!(entries(&run.recording.root()) == rebuilt, "the trace lacks something that was written");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "half a minute of power losses: `.ci/run` runs it"]
async fn without_its_syncs_a_power_loss_loses_bookings() {
    let run = Run::with(300).await;
    let mut booked: Vec<u64> =
        run.customers.iter().filter_map(|customer| Some(customer.booked.as_ref()?.0)).collect();
    booked.sort_unstable();
    // Power is lost when all were answered. The disk ignores the syncs since half of them were.
    let (half, position) = (booked[booked.len() / 2], *booked.last().unwrap());
    let disk = |ignores_syncs: bool| {
        let mut disk = run.recording.disk();
        for record in run.recording.records().take_while(|record| record.end <= position) {
            let is_ignored = ignores_syncs && record.end > half && matches!(record.step, Step::Synced { .. });
            if !is_ignored {
                disk.apply(record);
            }
        }
        disk
    };
    let mut rng = Rng::with_seed(7);
    let mut check = async |disk: &Disk, fate| {
        let root = tempfile::tempdir().unwrap();
        run.check((disk, fate), position, &mut rng, root.path()).await
    };
    assert_eq!(check(&disk(false), Fate::Lost).await.unwrap(), booked.len());
    let without = check(&disk(true), Fate::Lost).await;
    assert!(matches!(without, Err(Broken::Lost { .. })), "{without:?}");
    let without = check(&disk(true), Fate::Random).await;
    assert!(without.is_err(), "{without:?}");
}
