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
mod positions;
mod promises;
mod recording;
mod run;
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

use cut::Broken;
use disk::{Disk, Entries, Fate};
use positions::Positions;
use recording::DATA;
use run::Run;
use trace::Step;

fn setting<T: FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
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
    let (cuts, bookings) = (setting("POWER_CUTS").unwrap_or(6), setting("POWER_BOOKINGS").unwrap_or(1800));
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
    assert_eq!(
        run.endings(),
        BTreeSet::from(["cancelled", "confirmed", "payment_declined", "rejected"].map(str::to_owned))
    );

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
    let mut booked: Vec<u64> = run.bookings.iter().map(|booking| booking.promise.booked).collect();
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
