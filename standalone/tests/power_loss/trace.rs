//! The trace that `record.c` writes: what was done to the files of a directory and what was answered, in order.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

/// What was done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// A file was created by that name.
    Created { name: String, inode: u64 },
    /// A directory was created by that name.
    MadeDirectory { name: String, inode: u64 },
    /// The name was taken away.
    Removed { name: String },
    /// Bytes were written at that offset.
    Wrote { inode: u64, offset: u64, bytes: Vec<u8> },
    /// The file has that size now.
    Resized { inode: u64, size: u64 },
    /// A sync of a file or directory has returned; it covers what had been recorded up to that position.
    Synced { inode: u64, covers: u64 },
    /// A successful answer of HTTP, with its head, is about to be sent.
    Answered { bytes: Vec<u8> },
}

/// A step, and the position in the trace where its record ends.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) end: u64,
    pub(crate) step: Step,
}

/// The records of a trace, from its beginning.
pub(crate) struct Trace {
    file: BufReader<File>,
    position: u64,
}

impl Trace {
    pub(crate) fn open(path: &Path) -> Self {
        Self { file: BufReader::with_capacity(1 << 20, File::open(path).unwrap()), position: 0 }
    }
}

impl Iterator for Trace {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let mut head = [0; 32];
        match self.file.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return None,
            Err(error) => panic!("{error}"),
        }
        let [kind, inode, number, length] =
            [0, 8, 16, 24].map(|at| u64::from_ne_bytes(head[at..at + 8].try_into().unwrap()));
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        self.file.read_exact(&mut bytes).unwrap();
        self.position += 32 + length;
        let name = |bytes| String::from_utf8(bytes).unwrap();
        let step = match kind {
            1 => Step::Created { name: name(bytes), inode },
            2 => Step::MadeDirectory { name: name(bytes), inode },
            3 => Step::Removed { name: name(bytes) },
            4 => Step::Wrote { inode, offset: number, bytes },
            5 => Step::Resized { inode, size: number },
            6 => Step::Synced { inode, covers: number },
            7 => Step::Answered { bytes },
            other => panic!("a record of kind {other}"),
        };
        Some(Record { end: self.position, step })
    }
}
