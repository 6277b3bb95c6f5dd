//! The patches of `proofs/guards` are run by `proofs/guards/check.sh`, which takes its time. This
//! sees that none has gone stale.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

/// The text that each hunk of a patch expects in its file.
fn expected(patch: &str) -> Vec<String> {
    let mut hunks = Vec::new();
    for line in patch.lines() {
        match line.chars().next() {
            Some('@') => hunks.push(String::new()),
            Some(' ' | '-') if !line.starts_with("--- ") => {
                let hunk: &mut String = hunks.last_mut().unwrap();
                hunk.push_str(&line[1..]);
                hunk.push('\n');
            }
            _ => {}
        }
    }
    hunks
}

#[test]
fn every_guard_that_a_patch_takes_out_is_still_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let patches: Vec<_> = fs::read_dir(root.join("proofs/guards"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "patch"))
        .collect();
    assert!(!patches.is_empty());
    for path in patches {
        let patch = fs::read_to_string(&path).unwrap();
        assert!(patch.starts_with("Proof: cargo test -p "), "{} names no proof", path.display());
        let file = patch.lines().find_map(|line| line.strip_prefix("--- a/")).unwrap();
        let source = fs::read_to_string(root.join(file)).unwrap();
        let hunks = expected(&patch);
        assert!(!hunks.is_empty(), "{} changes nothing", path.display());
        for hunk in hunks {
            assert!(source.contains(&hunk), "{} no longer fits {file}", path.display());
        }
    }
}
