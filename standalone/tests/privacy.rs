//! Other users of the machine read nothing of the data directory.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use client::ServerProcess;
use support::{Http, bookings, serve};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The mode of each file, by its name.
fn files(directory: &Path) -> BTreeMap<String, u32> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), mode(&entry.path()))).collect()
}

fn opened_to_all(path: &Path) {
    for entry in fs::read_dir(path).unwrap() {
        fs::set_permissions(entry.unwrap().path(), Permissions::from_mode(0o666)).unwrap();
    }
    fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
}

fn all_closed(data: &Path) {
    let found = files(data);
    for name in ["lock", "bookings.sqlite", "bookings.sqlite-wal", "bookings.sqlite-shm"] {
        assert_eq!(found.get(name), Some(&0o600), "{name}: {found:?}");
    }
    assert!(found.values().all(|mode| *mode == 0o600), "{found:?}");
}

#[tokio::test]
async fn a_new_data_directory_is_closed_to_other_users_whatever_the_umask() {
    let kept = tempfile::tempdir().unwrap();
    let data = kept.path().join("below/data");
    let mut command = Command::new("sh");
    command.args(["-c", "umask 000 && exec \"$0\" \"$@\""]);
    command.arg(bookings().get_program()).args(["serve", "--port", "0", "--data"]).arg(&data);
    command.env("RUST_LOG", "error");
    let server = ServerProcess::start(command).unwrap();
    let http = Http::new(server.url());
    let order = http.book("OS-101", 1, "pm_card_visa").await;
    http.settled(&order).await;
    assert_eq!(mode(&data), 0o700);
    all_closed(&data);
    assert!(server.terminate().unwrap().success());
    assert!(files(&data).values().all(|mode| *mode == 0o600), "{:?}", files(&data));
}

#[tokio::test]
async fn a_data_directory_of_before_is_closed_at_the_next_start_also_after_a_crash() {
    let kept = tempfile::tempdir().unwrap();
    let data = kept.path().join("data");
    let mut server = serve(&data, None);
    Http::new(server.url()).book("OS-101", 1, "pm_card_visa").await;
    // Its files are left behind.
    server.kill();
    opened_to_all(&data);
    let _server = serve(&data, None);
    assert_eq!(mode(&data), 0o700);
    all_closed(&data);
}

#[tokio::test]
async fn a_directory_that_holds_other_files_stays_as_it_is_with_a_warning() {
    let kept = tempfile::tempdir().unwrap();
    let (data, other) = (kept.path().join("data"), kept.path().join("data/notes.txt"));
    fs::create_dir(&data).unwrap();
    fs::write(&other, "of someone else").unwrap();
    opened_to_all(&data);
    let mut command = bookings();
    command.args(["serve", "--port", "0", "--data"]).arg(&data);
    let log = kept.path().join("log");
    command.env("RUST_LOG", "warn").stderr(fs::File::create(&log).unwrap());
    let _server = ServerProcess::start(command).unwrap();
    assert_eq!((mode(&data), mode(&other)), (0o777, 0o666));
    assert_eq!(files(&data)["bookings.sqlite"], 0o600);
    let warned = fs::read_to_string(log).unwrap();
    assert!(warned.contains("chmod 700") && warned.contains(data.to_str().unwrap()), "{warned}");
}
