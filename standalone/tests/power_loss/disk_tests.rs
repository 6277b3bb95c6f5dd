//! The model of the disk, by itself.

use std::collections::BTreeSet;

use fastrand::Rng;

use super::disk::{Disk, Fate};
use super::trace::{Record, Step};

const ROOT: u64 = 1;
const DIRECTORY: u64 = 2;
const FILE: u64 = 3;

/// A disk after these steps, of which each record ends ten bytes after the one before. The directory `d` is there, and the
/// file `d/f` was created before them.
fn disk(steps: impl IntoIterator<Item = Step>) -> Disk {
    let mut disk = Disk::empty(ROOT);
    let before = [
        Step::MadeDirectory { name: "d".to_owned(), inode: DIRECTORY },
        synced(ROOT),
        Step::Created { name: "d/f".to_owned(), inode: FILE },
    ];
    for (number, step) in (1..).zip(before.into_iter().chain(steps)) {
        disk.apply(Record { end: number * 10, step });
    }
    disk
}

fn wrote(offset: u64, bytes: &[u8]) -> Step {
    Step::Wrote { inode: FILE, offset, bytes: bytes.to_vec() }
}

fn resized(size: u64) -> Step {
    Step::Resized { inode: FILE, size }
}

fn synced(inode: u64) -> Step {
    Step::Synced { inode, covers: u64::MAX }
}

/// What is in `d/f` after each of many power losses; `None` is no such file.
fn found(fate: Fate, steps: impl IntoIterator<Item = Step>) -> BTreeSet<Option<Vec<u8>>> {
    let (disk, mut rng) = (disk(steps), Rng::with_seed(7));
    (0..500).map(|_| disk.after_power_loss(fate, &mut rng).remove("d/f").flatten()).collect()
}

/// Sectors, each full of one byte.
fn sectors(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| [*byte; 512]).collect()
}

fn all_of<const N: usize>(contents: [&[u8]; N]) -> BTreeSet<Option<Vec<u8>>> {
    contents.into_iter().map(|content| Some(content.to_vec())).collect()
}

#[test]
fn what_a_sync_covers_survives_every_power_loss() {
    let steps = || [wrote(0, b"new"), synced(FILE), synced(DIRECTORY)];
    for fate in [Fate::Lost, Fate::Kept, Fate::Random] {
        assert_eq!(found(fate, steps()), all_of([b"new"]));
    }
}

#[test]
fn a_sync_covers_nothing_that_was_written_after_it_began() {
    // Its records end at 40 (the file's name is 30), 50, and 60.
    let began_before_the_second = Step::Synced { inode: FILE, covers: 40 };
    let steps = [wrote(0, b"1"), wrote(1, b"2"), began_before_the_second, synced(DIRECTORY)];
    assert_eq!(found(Fate::Lost, steps.clone()), all_of([b"1"]));
    assert_eq!(found(Fate::Kept, steps), all_of([b"12"]));
}

#[test]
fn an_unsynced_write_is_torn_between_sectors_and_never_within_one() {
    let before = [wrote(0, &sectors(b"aaa")), synced(FILE), synced(DIRECTORY)];
    let found = found(Fate::Random, before.into_iter().chain([wrote(0, &sectors(b"bbb"))]));
    let expected = ["aaa", "aab", "aba", "abb", "baa", "bab", "bba", "bbb"];
    assert_eq!(found, expected.into_iter().map(|bytes| Some(sectors(bytes.as_bytes()))).collect());
}

#[test]
fn a_later_write_may_be_on_disk_without_an_earlier_one_but_a_sector_never_goes_back() {
    let before = [wrote(0, &sectors(b"aa")), synced(FILE), synced(DIRECTORY)];
    let after = [wrote(0, &sectors(b"b")), wrote(512, &sectors(b"x")), wrote(0, b"c")];
    let found = found(Fate::Random, before.into_iter().chain(after));
    let both = [sectors(b"b"), sectors(b"x")].concat();
    let last = [b"c".to_vec(), both[1..].to_vec()].concat();
    let later_alone = sectors(b"ax");
    for possible in [both, last, later_alone, sectors(b"aa"), sectors(b"ba")] {
        assert!(found.contains(&Some(possible)));
    }
    // `c` is the second change to its sector.
    let c_alone = [b"c".to_vec(), sectors(b"aa")[1..].to_vec()].concat();
    assert!(!found.contains(&Some(c_alone)));
}

#[test]
fn a_size_that_is_not_synced_may_be_the_old_one_or_be_filled_with_zeros() {
    let before = [wrote(0, &sectors(b"a")), synced(FILE), synced(DIRECTORY)];
    let found_longer = found(Fate::Random, before.clone().into_iter().chain([wrote(512, &sectors(b"b"))]));
    assert_eq!(found_longer, all_of([&sectors(b"a"), &sectors(b"ab"), &sectors(b"a\0")]));

    let shorter = found(Fate::Random, before.into_iter().chain([resized(0), wrote(0, b"z")]));
    for possible in [sectors(b"a"), Vec::new(), b"z".to_vec(), b"\0".to_vec(), b"a".to_vec()] {
        assert!(shorter.contains(&Some(possible)));
    }
}

#[test]
fn a_created_file_may_be_missing_and_a_removed_one_back_until_the_directory_is_synced() {
    let created = [wrote(0, b"new"), synced(FILE)];
    let either = BTreeSet::from([None, Some(b"new".to_vec())]);
    assert_eq!(found(Fate::Random, created.clone()), either);
    assert_eq!(found(Fate::Lost, created.clone()), BTreeSet::from([None]));

    let removed = Step::Removed { name: "d/f".to_owned() };
    let removed = created.into_iter().chain([synced(DIRECTORY), removed]);
    assert_eq!(found(Fate::Random, removed.clone()), either);
    assert_eq!(found(Fate::Random, removed.chain([synced(DIRECTORY)])), BTreeSet::from([None]));
}

#[test]
fn a_number_that_is_used_again_names_the_new_file_and_the_old_one_may_be_back() {
    let again = [
        wrote(0, b"old"),
        synced(FILE),
        synced(DIRECTORY),
        Step::Removed { name: "d/f".to_owned() },
        Step::Created { name: "d/f".to_owned(), inode: FILE },
        wrote(0, b"new"),
        synced(FILE),
    ];
    assert_eq!(
        found(Fate::Random, again),
        BTreeSet::from([None, Some(b"old".to_vec()), Some(b"new".to_vec())])
    );
}
