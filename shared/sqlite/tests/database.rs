//! The one writing connection: groups, and failed writes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use group_commit::{Database, NoHook, reader};
use messaging::store::StoreError;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::task::JoinSet;

const FILE: &str = "test.sqlite";

fn database() -> (Database, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let table = "CREATE TABLE settings (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT";
    let prepare = |connection: &mut Connection| connection.execute_batch(table);
    (Database::open(&directory.path().join(FILE), prepare, NoHook).unwrap(), directory)
}

fn insert(connection: &Connection, name: &str) -> rusqlite::Result<usize> {
    connection.execute("INSERT INTO settings (name, value) VALUES (?1, x'00')", [name])
}

/// As another process sees them.
fn names(directory: &TempDir) -> Vec<String> {
    let connection = reader(&directory.path().join(FILE)).unwrap();
    let mut statement = connection.prepare("SELECT name FROM settings ORDER BY name").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_answered_is_committed() {
    let (database, directory) = database();
    let mut writes = JoinSet::new();
    for number in 0..64 {
        let (database, path) = (database.clone(), directory.path().join(FILE));
        writes.spawn(async move {
            let name = format!("write {number}");
            let written = name.clone();
            database.write(move |connection| insert(connection, &written)).await.unwrap();
            let sql = "SELECT count(*) FROM settings WHERE name = ?1";
            let seen: u32 = reader(&path).unwrap().query_row(sql, [&name], |row| row.get(0)).unwrap();
            assert_eq!(seen, 1, "{name} is answered, and another connection does not see it");
        });
    }
    writes.join_all().await;
}

#[tokio::test]
async fn a_write_that_fails_or_panics_is_undone_alone() {
    let (database, directory) = database();
    // Asked before any is waited for, so that they share groups.
    let good = database.write(|connection| insert(connection, "a, good"));
    let failing = database.write(|connection| {
        insert(connection, "b, failing")?;
        insert(connection, "a, good")
    });
    let panicking = database.write(|connection| -> rusqlite::Result<()> {
        insert(connection, "c, panicking")?;
        panic!("as asked")
    });
    let later = database.write(|connection| insert(connection, "d, good too"));
    assert!(good.await.is_ok());
    assert!(matches!(failing.await, Err(StoreError::Unavailable(_))));
    assert!(matches!(panicking.await, Err(StoreError::Unavailable(_))));
    assert!(later.await.is_ok());
    assert_eq!(names(&directory), ["a, good", "d, good too"]);
}

#[tokio::test]
async fn a_write_takes_place_even_if_its_answer_is_not_awaited() {
    let (database, directory) = database();
    drop(database.write(|connection| insert(connection, "not awaited")));
    database.close();
    assert_eq!(names(&directory), ["not awaited"]);
}

#[tokio::test]
async fn a_closed_database_refuses_at_once() {
    let (database, _directory) = database();
    database.close();
    assert!(matches!(
        database.write(|connection| insert(connection, "late")).await,
        Err(StoreError::Unavailable(_))
    ));
}

/// How many descriptors the database has in this process.
fn descriptors(directory: &TempDir) -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let open = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    open.filter(|file| file.starts_with(directory.path())).count()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn however_many_read_at_once_a_few_connections_do_it() {
    let (database, directory) = database();
    let mut reads = JoinSet::new();
    for _ in 0..256 {
        let database = database.clone();
        reads.spawn(async move {
            let scan = |connection: &Connection| {
                std::thread::sleep(std::time::Duration::from_millis(2));
                connection.query_row("SELECT count(*) FROM settings", [], |row| row.get::<_, u32>(0))
            };
            database.scan(scan).await.unwrap();
            database.read(scan).await.unwrap()
        });
    }
    assert_eq!(reads.join_all().await, [0; 256]);
    let threads = std::thread::available_parallelism().unwrap().get();
    // Each has the file and its log open, and so has the writer; all share a third file.
    let most = 2 * (4 + threads) + 3;
    let open = descriptors(&directory);
    assert!(open <= most, "{open} descriptors, at most {most}");
}

#[tokio::test]
async fn work_within_a_group_sees_what_it_wrote_and_is_answered_after_its_commit() {
    let (database, directory) = database();
    let (within, path) = (database.clone(), directory.path().join(FILE));
    let count = "SELECT count(*) FROM settings";
    let work = async move {
        within.join(|connection| insert(connection, "joined")).await.unwrap();
        let here: u32 =
            within.read(|connection| connection.query_row(count, [], |row| row.get(0))).await.unwrap();
        let committed = within.read_committed(|connection| connection.query_row(count, [], |row| row.get(0)));
        let committed: u32 = committed.await.unwrap();
        // A write is answered after the commit also here.
        within.write(|connection| insert(connection, "written")).await.unwrap();
        let after: u32 = reader(&path).unwrap().query_row(count, [], |row| row.get(0)).unwrap();
        within.join(|connection| insert(connection, "with the answer")).await.unwrap();
        (here, committed, after)
    };
    assert_eq!(database.within(work).await.unwrap(), (1, 0, 2));
    assert_eq!(names(&directory), ["joined", "with the answer", "written"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_within_groups_may_wait_for_timers_and_other_threads() {
    let (database, _directory) = database();
    let (told, told_of) = tokio::sync::oneshot::channel();
    let work = database.within(async move {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        told_of.await.unwrap()
    });
    tokio::spawn(async move { told.send("another thread").unwrap() });
    assert_eq!(work.await.unwrap(), "another thread");
}

#[tokio::test]
async fn work_that_panics_in_a_write_takes_its_group_with_it_and_is_answered_with_an_error() {
    let (database, directory) = database();
    let within = database.clone();
    let panicking = database.within(async move {
        within.join(|connection| insert(connection, "a, before")).await.unwrap();
        let panicking = within.join(|connection| -> rusqlite::Result<()> {
            insert(connection, "b, panicking")?;
            panic!("as asked")
        });
        let _ = panicking.await;
    });
    assert!(panicking.await.is_err());
    // The next group.
    while database.within(async {}).await.is_err() {}
    assert!(names(&directory).is_empty());
}

#[tokio::test]
async fn a_write_with_a_savepoint_that_panics_is_undone_alone() {
    let (database, directory) = database();
    let within = database.clone();
    let panicking = database.within(async move {
        within.join(|connection| insert(connection, "a, before")).await.unwrap();
        let panicking = within.write(|connection| -> rusqlite::Result<()> {
            insert(connection, "b, panicking")?;
            panic!("as asked")
        });
        let _ = panicking.await;
    });
    assert!(panicking.await.is_err());
    // Its group is committed.
    database.within(async {}).await.unwrap();
    assert_eq!(names(&directory), ["a, before"]);
}

#[tokio::test]
async fn work_that_is_not_awaited_any_more_ends() {
    let (database, _directory) = database();
    let (held, dropped) = tokio::sync::oneshot::channel::<()>();
    let work = database.within(async move {
        let _held = held;
        std::future::pending::<()>().await;
    });
    drop(work);
    assert!(dropped.await.is_err());
}

/// Ends the transaction under the group, so that its COMMIT fails.
async fn break_the_group(database: &Database) {
    let _ = database.join(|connection| connection.execute("ROLLBACK", [])).await;
}

#[tokio::test]
async fn work_is_not_answered_as_done_if_its_group_was_not_committed() {
    let (database, directory) = database();
    let within = database.clone();
    let failed = database.within(async move {
        within.join(|connection| insert(connection, "lost")).await.unwrap();
        break_the_group(&within).await;
    });
    assert!(failed.await.is_err());
    assert!(names(&directory).is_empty());
    assert!(database.write(|connection| insert(connection, "later")).await.is_ok());
}

#[tokio::test]
async fn half_a_write_takes_its_group_with_it() {
    let (database, directory) = database();
    let within = database.clone();
    let halves = database.within(async move {
        within.join(|connection| insert(connection, "beside it")).await.unwrap();
        let half = within.join(|connection| {
            insert(connection, "half")?;
            insert(connection, "half")
        });
        half.await
    });
    assert!(halves.await.is_err());
    assert!(names(&directory).is_empty());
}

#[tokio::test]
async fn a_write_that_has_changed_nothing_fails_alone() {
    let (database, directory) = database();
    let within = database.clone();
    let fails = database.within(async move {
        within.join(|connection| insert(connection, "beside it")).await.unwrap();
        within.join(|connection| insert(connection, "beside it")).await
    });
    assert!(fails.await.unwrap().is_err());
    assert_eq!(names(&directory), ["beside it"]);
}

#[tokio::test]
async fn nothing_is_written_after_a_transaction_that_has_ended() {
    let (database, directory) = database();
    let within = database.clone();
    let lost = database.within(async move {
        within.join(|connection| insert(connection, "undone")).await.unwrap();
        break_the_group(&within).await;
        within.join(|connection| insert(connection, "alone")).await
    });
    assert!(lost.await.is_err());
    assert!(names(&directory).is_empty());
}

#[tokio::test]
async fn nothing_is_written_after_a_read_that_has_ended_the_transaction() {
    let (database, directory) = database();
    let within = database.clone();
    let lost = database.within(async move {
        within.join(|connection| insert(connection, "undone")).await.unwrap();
        // As SQLite does by itself where a disk fails.
        let _ = within.read(|connection| connection.execute("ROLLBACK", [])).await;
        within.join(|connection| insert(connection, "alone")).await
    });
    assert!(lost.await.is_err());
    assert!(names(&directory).is_empty());
}

#[tokio::test]
async fn an_attempt_does_nothing_more_once_a_group_was_not_committed() {
    let (database, directory) = database();
    let within = database.clone();
    let attempt = database.attempt(async move {
        within.join(|connection| insert(connection, "undone")).await.unwrap();
        break_the_group(&within).await;
        // It waits until the next group.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        within.join(|connection| insert(connection, "because of it")).await.unwrap();
    });
    assert!(database.within(attempt).await.unwrap().is_err());
    assert!(names(&directory).is_empty());
    let again = database.clone();
    let attempt = database.attempt(async move { again.join(|connection| insert(connection, "again")).await });
    assert!(database.within(attempt).await.unwrap().unwrap().is_ok());
    assert_eq!(names(&directory), ["again"]);
}
