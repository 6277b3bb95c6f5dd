//! What may be on the disk after a power loss.
//!
//! The model is stricter than ext4, and as strict as what SQLite is written for:
//! - What a sync covers, once it has returned, is on disk. Nothing else has to be, and anything else may be.
//! - Sectors of 512 bytes are written whole or not at all, each at its own time, in any order: of the unsynced changes to it, a
//!   sector has the first few, none or all. So a write may be torn, and a later one may be there without an earlier one. The
//!   size of a file is written at its own time too; what it takes in beyond the sectors that were written is zeros.
//! - A name is on disk once its directory was synced. A sync of the file alone, which is enough on ext4, does not count: POSIX
//!   does not promise it. Until then a created file may be missing and a removed one may be back, each name by itself.

use std::collections::{BTreeMap, HashMap, HashSet};

use fastrand::Rng;

use super::trace::{Record, Step};

const SECTOR: usize = 512;

/// What becomes of that which no sync covers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fate {
    /// It is lost.
    Lost,
    /// It is on disk, as after the death of the process alone.
    Kept,
    /// Some of it is on disk.
    Random,
}

/// What is on a disk, by name: the content of a file, `None` for a directory.
pub(crate) type Entries = BTreeMap<String, Option<Vec<u8>>>;

/// A disk, as far as a trace tells.
pub(crate) struct Disk {
    /// Those that were removed are kept: they may be back.
    nodes: Vec<Node>,
    /// The latest node of that number: a file system uses a number again.
    inodes: HashMap<u64, usize>,
    names: BTreeMap<String, Name>,
}

enum Node {
    /// Its name.
    Directory(String),
    File(Content),
}

/// The node that a name names.
#[derive(Default)]
struct Name {
    synced: Option<usize>,
    /// With the positions of their records.
    unsynced: Vec<(u64, Option<usize>)>,
}

#[derive(Default)]
struct Content {
    synced: Vec<u8>,
    /// With the positions of their records.
    unsynced: Vec<(u64, Change)>,
}

enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Resize(usize),
}

impl Disk {
    /// A disk with nothing but the root, of that inode.
    pub(crate) fn empty(root: u64) -> Self {
        let nodes = vec![Node::Directory(String::new())];
        Self { nodes, inodes: HashMap::from([(root, 0)]), names: BTreeMap::new() }
    }

    /// Takes the next record of the trace.
    pub(crate) fn apply(&mut self, Record { end, step }: Record) {
        match step {
            Step::Created { name, inode } => self.name(end, name, inode, Node::File(Content::default())),
            Step::MadeDirectory { name, inode } => {
                let node = Node::Directory(name.clone());
                self.name(end, name, inode, node);
            }
            Step::Removed { name } => self.names.entry(name).or_default().unsynced.push((end, None)),
            Step::Wrote { inode, offset, bytes } => {
                let offset = usize::try_from(offset).unwrap();
                self.change(inode, end, Change::Write { offset, bytes });
            }
            Step::Resized { inode, size } => {
                self.change(inode, end, Change::Resize(usize::try_from(size).unwrap()));
            }
            Step::Synced { inode, covers } => self.sync(inode, covers),
            Step::Answered { .. } => {}
        }
    }

    fn name(&mut self, end: u64, name: String, inode: u64, node: Node) {
        let id = self.nodes.len();
        self.nodes.push(node);
        self.inodes.insert(inode, id);
        self.names.entry(name).or_default().unsynced.push((end, Some(id)));
    }

    fn change(&mut self, inode: u64, end: u64, change: Change) {
        match &mut self.nodes[self.inodes[&inode]] {
            Node::File(content) => content.unsynced.push((end, change)),
            Node::Directory(name) => panic!("the directory {name} was written to"),
        }
    }

    fn sync(&mut self, inode: u64, covers: u64) {
        match &mut self.nodes[self.inodes[&inode]] {
            Node::File(content) => content.sync(covers),
            Node::Directory(directory) => {
                let names = self.names.iter_mut().filter(|(name, _)| parent(name) == directory);
                for (_, name) in names {
                    let covered = name.unsynced.partition_point(|(end, _)| *end <= covers);
                    if let Some((_, last)) = name.unsynced.drain(..covered).next_back() {
                        name.synced = last;
                    }
                }
            }
        }
    }

    /// What is on the disk after a power loss now.
    pub(crate) fn after_power_loss(&self, fate: Fate, rng: &mut Rng) -> Entries {
        let mut entries = Entries::from([(String::new(), None)]);
        // A directory comes before what is in it.
        for (path, name) in &self.names {
            let kept = match fate {
                Fate::Lost => 0,
                Fate::Kept => name.unsynced.len(),
                Fate::Random => rng.usize(..=name.unsynced.len()),
            };
            let node = kept.checked_sub(1).map_or(name.synced, |last| name.unsynced[last].1);
            let has_place = entries.get(parent(path)).is_some_and(Option::is_none);
            if let Some(node) = node.filter(|_| has_place) {
                let content = match &self.nodes[node] {
                    Node::Directory(_) => None,
                    Node::File(content) => Some(content.after_power_loss(fate, rng)),
                };
                entries.insert(path.clone(), content);
            }
        }
        entries.remove("");
        entries
    }
}

/// The directory that a name is in; the root has an empty name.
fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(directory, _)| directory)
}

impl Content {
    fn sync(&mut self, covers: u64) {
        let covered = self.unsynced.partition_point(|(end, _)| *end <= covers);
        for (_, change) in self.unsynced.drain(..covered) {
            match change {
                Change::Write { offset, bytes } => {
                    let end = offset + bytes.len();
                    self.synced.resize(self.synced.len().max(end), 0);
                    self.synced[offset..end].copy_from_slice(&bytes);
                }
                Change::Resize(size) => self.synced.resize(size, 0),
            }
        }
    }

    fn after_power_loss(&self, fate: Fate, rng: &mut Rng) -> Vec<u8> {
        let all = self.unsynced.len();
        match fate {
            Fate::Lost => self.synced.clone(),
            Fate::Kept => self.mixed(|_| 1.0, all, rng),
            Fate::Random => match rng.u8(..8) {
                0 => self.synced.clone(),
                1 => self.mixed(|_| 1.0, all, rng),
                // In order, the last one torn.
                2 | 3 => {
                    let last = rng.usize(..=all);
                    let size = (last + rng.usize(..2)).min(all);
                    let chance = |number: usize| [1.0, 0.5, 0.0][(number + 1).saturating_sub(last).min(2)];
                    self.mixed(chance, size, rng)
                }
                kind => {
                    let chance = [0.5, 0.9, 0.99, rng.f64()][usize::from(kind - 4)];
                    let size = if rng.bool() { all } else { rng.usize(..=all) };
                    self.mixed(|_| chance, size, rng)
                }
            },
        }
    }

    /// The content, if each sector that the unsynced change `number` touches takes it with that chance, and nothing more once
    /// it did not; the size is that after `sized` changes.
    fn mixed(&self, chance: impl Fn(usize) -> f64, sized: usize, rng: &mut Rng) -> Vec<u8> {
        let mut size = self.synced.len();
        let sizes: Vec<usize> = std::iter::once(size)
            .chain(self.unsynced.iter().map(|(_, change)| {
                size = match change {
                    Change::Write { offset, bytes } => size.max(offset + bytes.len()),
                    Change::Resize(size) => *size,
                };
                size
            }))
            .collect();
        let largest = sizes.iter().copied().max().unwrap_or_default();
        let mut image = self.synced.clone();
        image.resize(largest, 0);
        let mut behind = HashSet::new();
        for (number, (_, change)) in self.unsynced.iter().enumerate() {
            let chance = chance(number);
            let (from, to) = match change {
                Change::Write { offset, bytes } => (*offset, offset + bytes.len()),
                Change::Resize(size) => (*size, largest),
            };
            let mut at = from;
            while at < to {
                let sector = at / SECTOR;
                let next = ((sector + 1) * SECTOR).min(to);
                if !behind.contains(&sector) && rng.f64() < chance {
                    match change {
                        Change::Write { bytes, .. } => {
                            image[at..next].copy_from_slice(&bytes[at - from..next - from]);
                        }
                        Change::Resize(_) => image[at..next].fill(0),
                    }
                } else {
                    behind.insert(sector);
                }
                at = next;
            }
        }
        image.resize(sizes[sized], 0);
        image
    }
}
