//! The binary: what it does with bad directories, files and flags, and how it ends.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use support::{Http, bookings, serve};

fn run(arguments: &[&str], directory: &Path) -> Output {
    bookings().args(arguments).current_dir(directory).output().unwrap()
}

/// The error of a start that must fail.
fn refused(arguments: &[&str], directory: &Path) -> String {
    let output = run(&[&["serve", "--port", "0"], arguments].concat(), directory);
    assert!(!output.status.success());
    assert!(output.stdout.is_empty(), "no line says that it listens");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!error.contains("panicked"), "{error}");
    error
}

/// SIGTERM.
fn terminate(server: &Child) {
    assert!(Command::new("kill").arg(server.id().to_string()).status().unwrap().success());
}

fn flights(directory: &Path, text: &str) -> String {
    fs::write(directory.join("flights.json"), text).unwrap();
    refused(&["--data", "data", "--flights", "flights.json"], directory)
}

#[test]
fn help_and_version_say_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let help = String::from_utf8(run(&["--help"], directory.path()).stdout).unwrap();
    for word in
        ["airline tickets", "serve", "audit", "dead-letters", "drill", "load", "RUST_LOG", "--version"]
    {
        assert!(help.contains(word), "{help}");
    }
    let serve = String::from_utf8(run(&["serve", "--help"], directory.path()).stdout).unwrap();
    for word in [
        "--port",
        "--host",
        "--data",
        "--flights",
        "--hold-deadline",
        "--payment-provider",
        "STRIPE_SECRET_KEY",
        "--smtp",
        "SMTP_PASSWORD",
        "--mail-from",
        "8080",
        "./data",
        "48h",
    ] {
        assert!(serve.contains(word), "{serve}");
    }
    let version = String::from_utf8(run(&["--version"], directory.path()).stdout).unwrap();
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
}

#[test]
fn serve_prints_where_it_listens_then_its_data_payments_process_and_page() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = bookings();
    command.args(["serve", "--port", "0", "--data", "data"]).current_dir(directory.path());
    let mut server = command.env("RUST_LOG", "error").stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines().take(6);
    let lines: Vec<_> = lines.map(|line| line.unwrap()).collect();
    let process = server.id().to_string();
    terminate(&server);
    assert!(server.wait().unwrap().success());

    let url = lines[0].strip_prefix("listening on ").unwrap();
    for (line, begin, part) in [
        (1, "data ", directory.path().join("data").display().to_string()),
        (2, "payments ", "simulated, nothing real is charged".to_owned()),
        (
            3,
            "break it ",
            format!("curl -X PUT {url}/operator/services/billing-service -d '{{\"running\": false}}'"),
        ),
        (4, "process ", process),
        (5, "watch it ", format!("{url}/system")),
    ] {
        assert!(lines[line].starts_with(begin) && lines[line].contains(&part), "{lines:?}");
    }
}

#[test]
fn a_server_whose_output_is_closed_serves_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = bookings();
    command.args(["serve", "--port", "0", "--data", "data"]).current_dir(directory.path());
    let mut server = command.env("RUST_LOG", "error").stdout(Stdio::piped()).spawn().unwrap();
    drop(server.stdout.take());
    // The server handles signals before it creates the database.
    while !directory.path().join("data/bookings.sqlite").exists() {
        assert!(server.try_wait().unwrap().is_none(), "the server ended");
        std::thread::sleep(Duration::from_millis(5));
    }
    terminate(&server);
    assert!(server.wait().unwrap().success());
}

#[test]
fn bad_flags_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    for (flags, named) in [
        (["--port", "70000"], "--port"),
        (["--hold-deadline", "48"], "--hold-deadline"),
        (["--hold-deadline", "0h"], "--hold-deadline"),
        (["--hold-deadline", "é"], "--hold-deadline"),
        (["--speed", "fast"], "--speed"),
    ] {
        let error = refused(&flags, directory.path());
        assert!(error.contains(named), "{error}");
    }
    assert!(refused(&["--host", "no such host"], directory.path()).contains("cannot listen on"));
}

#[test]
fn a_file_in_place_of_the_directory_is_named() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("data"), "").unwrap();
    assert!(
        refused(&["--data", "data"], directory.path())
            .contains("data is a file; --data must name a directory")
    );
    assert!(refused(&["--data", "data/below"], directory.path()).contains("--data must name a directory"));
}

#[test]
fn a_directory_that_cannot_be_written_to_is_named() {
    let directory = tempfile::tempdir().unwrap();
    // Not even root can make a directory there.
    let error = refused(&["--data", "/proc/bookings"], directory.path());
    assert!(error.contains("/proc/bookings cannot be written to"), "{error}");
}

#[test]
fn a_second_server_on_the_same_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let first = serve(&directory.path().join("data"), None);
    assert!(refused(&["--data", "data"], directory.path()).contains("is in use by another server"));
    drop(first);
    let third = serve(&directory.path().join("data"), None);
    assert!(third.terminate().unwrap().success(), "the lock goes with the process that held it");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let first = serve(&directory.path().join("one"), None);
    let port = first.port().to_string();
    let output = run(&["serve", "--data", "two", "--port", &port], directory.path());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("cannot listen on 127.0.0.1:") && error.contains("--port 0"), "{error}");
}

#[test]
fn a_database_of_a_newer_version_or_of_another_program_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    assert!(serve(&data, None).terminate().unwrap().success());
    let file = data.join("bookings.sqlite");
    let open = || rusqlite::Connection::open(&file).unwrap();

    open().pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(&file).unwrap();
    let error = refused(&["--data", "data"], directory.path());
    assert!(error.contains("newer version") && error.contains("schema 99"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), before, "nothing was changed");

    open().pragma_update(None, "application_id", 7).unwrap();
    assert!(refused(&["--data", "data"], directory.path()).contains("not a booking database"));

    fs::write(
        &file,
        "this is no database, and long enough to be taken for a header of one ........................",
    )
    .unwrap();
    assert!(refused(&["--data", "data"], directory.path()).contains("bookings.sqlite cannot be opened"));
}

#[test]
fn a_bad_flights_file_is_refused_whole_and_says_where() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let good = r#"{"id":"A-1","from":"a","to":"b","departs_at":"2099-01-01T00:00:00Z","capacity":3,"price":{"value":1,"currency":"EUR"}}"#;
    assert!(
        refused(&["--data", "data", "--flights", "none.json"], path).contains("none.json cannot be read")
    );
    assert!(flights(path, "{").contains("is not a JSON array of flights"));
    assert!(flights(path, "{}").contains("is not a JSON array of flights"));
    for (from, to, named) in [
        ("\"A-2\"", "\"no spaces\"", "flight 2 (no spaces)"),
        ("3", "-3", "flight 2 (A-2)"),
        ("\"EUR\"", "\"euro\"", "ISO 4217"),
        ("2099-01-01T00:00:00Z", "tomorrow", "RFC 3339"),
        ("\"from\"", "\"whence\"", "whence"),
        ("\"capacity\":3,", "", "capacity"),
        ("\"value\":1", "\"value\":9007199254740993", "price.value"),
        ("A-2", "A-1", "used twice"),
        (
            "\"capacity\"",
            "\"time_zone\":\"Mars/Olympus\",\"capacity\"",
            "Mars/Olympus is not in the IANA database",
        ),
        ("\"capacity\"", "\"time_zone\":\"+01:00\",\"capacity\"", "IANA time zone such as Europe/Vienna"),
    ] {
        let error = flights(path, &format!("[{good},{}]", good.replace("A-1", "A-2").replace(from, to)));
        let named_first = if named.starts_with("flight") { named } else { "flight 2" };
        assert!(error.contains(named) && error.contains(named_first), "{error}");
    }
    assert!(!path.join("data").exists(), "a refused start leaves nothing behind");
}

#[tokio::test]
async fn a_flights_file_is_upserted_and_cannot_take_seats_that_are_held() {
    let directory = tempfile::tempdir().unwrap();
    let (data, file) = (directory.path().join("data"), directory.path().join("flights.json"));
    let write = |capacity: u32| {
        let flight = serde_json::json!([{"id": "A-1", "from": "a", "to": "b", "departs_at": "2099-01-01T00:00:00Z",
            "capacity": capacity, "price": {"value": 100, "currency": "EUR"}}]);
        fs::write(&file, flight.to_string()).unwrap();
    };
    write(5);
    let server = serve(&data, Some(&file));
    let http = Http::new(server.url());
    let id = http.book("A-1", 4, "pm_card_visa").await;
    http.settled(&id).await;
    assert!(server.terminate().unwrap().success());

    write(3);
    let error = refused(&["--data", "data", "--flights", "flights.json"], directory.path());
    assert!(error.contains("flight A-1 cannot have 3 seats: 4 are held"), "{error}");

    write(9);
    let server = serve(&data, Some(&file));
    let flights = Http::new(server.url()).get("/flights").await;
    assert_eq!((&flights[0]["capacity"], &flights[0]["seats_left"]), (&9.into(), &5.into()));
    assert!(server.terminate().unwrap().success());
}

#[tokio::test]
async fn a_stopped_server_finishes_and_waiting_messages_are_handled_after_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let server = serve(&data, None);
    let http = Http::new(server.url());
    http.put("/operator/services/billing-service", serde_json::json!({"running": false})).await;
    let id = http.book("OS-101", 1, "pm_card_visa").await;
    assert!(server.terminate().unwrap().success());

    let server = serve(&data, None);
    let http = Http::new(server.url());
    http.put("/operator/services/billing-service", serde_json::json!({"running": true})).await;
    assert_eq!(http.settled(&id).await["status"], "confirmed");
}

#[test]
fn a_load_reports_how_every_booking_ended() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(&["load", "--bookings", "40", "--concurrency", "4"], directory.path());
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{report}");
    for line in [
        "40 bookings by 4 customers",
        "settled   40 (40 confirmed)",
        "refused   0",
        "lost      0",
        "p50",
        "p99",
        "MiB",
    ] {
        assert!(report.contains(line), "{report}");
    }
    assert!(String::from_utf8(output.stderr).unwrap().contains("40 of 40 bookings settled"));
    let output = run(&["load", "--url", "http://127.0.0.1:1"], directory.path());
    assert!(String::from_utf8(output.stderr).unwrap().contains("is the server running?"));
}

/// Runs a command whose reader closes the pipe before it has written; answers how it ended, and its other output.
fn unread(arguments: &[&str], directory: &Path) -> Output {
    let mut command = Command::new("sh");
    // The reader is gone before the writer starts.
    command.args(["-c", "{ sleep 0.2; \"$0\" \"$@\"; echo \"ended $?\" >&2; } | true"]);
    command.arg(bookings().get_program()).args(arguments).current_dir(directory).output().unwrap()
}

#[test]
fn a_command_whose_reader_has_closed_the_pipe_does_not_panic() {
    let directory = tempfile::tempdir().unwrap();
    let server = serve(&directory.path().join("data"), None);
    for (arguments, code) in [
        (&["audit"][..], 0),
        (&["audit", "--json"], 0),
        (&["dead-letters", "list", "--url", server.url()], 0),
        (&["dead-letters", "redrive", "--all", "--url", server.url()], 0),
        (&["dead-letters", "explain", "7", "--url", server.url()], 1),
        (&["load", "--bookings", "3", "--concurrency", "1"], 0),
        (&["--help"], 0),
        (&["--version"], 0),
    ] {
        let errors = String::from_utf8(unread(arguments, directory.path()).stderr).unwrap();
        assert!(!errors.contains("panicked"), "{arguments:?}: {errors}");
        assert!(errors.contains(&format!("ended {code}")), "{arguments:?}: {errors}");
    }
}

#[tokio::test]
async fn a_server_whose_log_is_not_read_serves_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = bookings();
    command.args(["serve", "--port", "0", "--data", "data"]).current_dir(directory.path());
    command.env("RUST_LOG", "debug").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = command.spawn().unwrap();
    drop(server.stderr.take());
    let line = BufReader::new(server.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let http = Http::new(line.strip_prefix("listening on ").unwrap());
    let id = http.book("OS-101", 1, "pm_card_visa").await;
    assert_eq!(http.settled(&id).await["status"], "confirmed");
    terminate(&server);
    assert!(server.wait().unwrap().success());
}

/// The error of a start where no file may become larger than that many blocks of 512 bytes, as on a full disk.
fn on_a_full_disk(blocks: u32, arguments: &[&str], directory: &Path) -> String {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec timeout 60 \"$0\" \"$@\"")]);
    command.arg(bookings().get_program()).args(["serve", "--port", "0", "--data", "data"]).args(arguments);
    let output = command.current_dir(directory).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{error}");
    assert!(!error.contains("panicked"), "{error}");
    error
}

#[test]
fn a_start_on_a_full_disk_names_what_it_could_not_write() {
    let directory = tempfile::tempdir().unwrap();
    // Not even the tables fit.
    for blocks in [0, 8, 100] {
        let error = on_a_full_disk(blocks, &[], directory.path());
        assert!(error.contains("data/bookings.sqlite cannot be opened"), "{blocks}: {error}");
    }
    // And with room again it starts.
    assert!(serve(&directory.path().join("data"), None).terminate().unwrap().success());

    // The tables are there, and there is no room for flights.
    let flights = (0..300).map(|number| {
        serde_json::json!({"id": format!("A-{number}"), "from": "a", "to": "b", "departs_at": "2099-01-01T00:00:00Z",
            "capacity": 3, "price": {"value": 100, "currency": "EUR"}})
    });
    let flights = serde_json::Value::Array(flights.collect()).to_string();
    fs::write(directory.path().join("flights.json"), flights).unwrap();
    let error = on_a_full_disk(70, &["--flights", "flights.json"], directory.path());
    assert!(error.contains("data/bookings.sqlite cannot be used") && error.contains("disk full"), "{error}");
}

#[test]
fn a_start_on_a_database_that_cannot_be_written_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    fs::create_dir_all(data.join("bookings.sqlite")).unwrap();
    let error = refused(&["--data", "data"], directory.path());
    assert!(error.contains("data/bookings.sqlite cannot be opened"), "{error}");
    fs::remove_dir(data.join("bookings.sqlite")).unwrap();
    fs::remove_file(data.join("lock")).unwrap();
    fs::create_dir(data.join("lock")).unwrap();
    let error = refused(&["--data", "data"], directory.path());
    assert!(error.contains("data cannot be written to"), "{error}");
}
