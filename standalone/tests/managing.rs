//! The customers' keys to their bookings: where they are, and where they are not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use client::ServerProcess;
use support::{Http, booking, bookings};

fn serve(data: &Path, more: &[&str]) -> ServerProcess {
    let mut command = bookings();
    command.args(["serve", "--port", "0", "--data"]).arg(data).args(more).env("RUST_LOG", "trace");
    command.stderr(fs::File::options().create(true).append(true).open(data.with_extension("log")).unwrap());
    ServerProcess::start(command).unwrap()
}

/// Books; answers the id and the token.
async fn book(http: &Http) -> (String, String) {
    let booked = http.0.book(&booking("OS-101", 1, "pm_card_visa"), None).await.unwrap();
    let text = |field: &str| booked[field].as_str().unwrap().to_owned();
    (text("id"), text("manage_token"))
}

async fn status(http: &Http, id: &str, token: &str) -> u16 {
    let get =
        http.0.request("GET", &format!("/bookings/{id}")).header("authorization", format!("Bearer {token}"));
    get.send().await.unwrap().status
}

#[tokio::test]
async fn a_mail_has_a_link_that_opens_its_booking_if_there_is_a_public_url() {
    let scratch = tempfile::tempdir().unwrap();
    for (name, arguments, link) in [
        ("with", &["--public-url", "https://tickets.example.com"][..], Some("https://tickets.example.com/#")),
        ("without", &[][..], None),
    ] {
        let server = serve(&scratch.path().join(name), arguments);
        let http = Http::new(server.url());
        let (id, token) = book(&http).await;
        http.at_rest().await;
        let mails = http.get("/operator/mail").await["items"].take();
        let body = mails[0]["body"].as_str().unwrap();
        assert_eq!(body.contains(&format!("{}{id}/{token}", link.unwrap_or("#"))), link.is_some(), "{body}");
        assert_eq!(body.contains("://"), link.is_some(), "{body}");
    }
}

#[tokio::test]
async fn no_file_and_no_log_holds_a_token_and_no_log_who_flies_or_pays() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    let server = serve(&data, &["--public-url", "https://tickets.example.com"]);
    let http = Http::new(server.url());
    let (id, token) = book(&http).await;
    http.at_rest().await;
    let (cancelled, token_of_cancelled) = book(&http).await;
    http.cancel(&cancelled).await;
    http.at_rest().await;
    assert_eq!(status(&http, &id, &token).await, 200);
    let wrong = "AbCdEfGhIjKlMnOpQrStUv";
    assert_eq!(status(&http, &id, wrong).await, 403);
    server.terminate().unwrap();

    let mut files: Vec<_> = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.push(data.with_extension("log"));
    let mut found = 0;
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        found += usize::from(has(&id));
        for token in [&token, &token_of_cancelled, wrong] {
            assert!(!has(token), "{} has a token", file.display());
        }
    }
    assert!(found > 0, "the log names its orders");
    let log = fs::read_to_string(data.with_extension("log")).unwrap();
    for personal in ["Ada", "Byron", "ada@example.com", "pm_card"] {
        assert!(!log.contains(personal), "{personal} is logged at the level trace");
    }
}

#[tokio::test]
async fn links_survive_one_rotation_of_their_secret_and_not_two() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    let rotate = || bookings().args(["rotate-manage-secret", "--data"]).arg(&data).output().unwrap();
    assert!(!rotate().status.success(), "there is nothing to rotate yet");
    assert!(!data.exists());

    let server = serve(&data, &[]);
    let (id, token) = book(&Http::new(server.url())).await;
    let in_use = rotate();
    assert!(!in_use.status.success());
    assert!(String::from_utf8(in_use.stderr).unwrap().contains("in use"));
    server.terminate().unwrap();

    for accepted in [200, 403] {
        assert!(rotate().status.success());
        let server = serve(&data, &[]);
        let http = Http::new(server.url());
        assert_eq!(status(&http, &id, &token).await, accepted);
        let (fresh, its_token) = book(&http).await;
        assert_eq!(status(&http, &fresh, &its_token).await, 200);
        server.terminate().unwrap();
    }
}

#[test]
fn a_bad_public_url_is_refused_at_the_start() {
    let refused = Command::new(env!("CARGO_BIN_EXE_bookings"))
        .args(["serve", "--public-url", "tickets"])
        .output()
        .unwrap();
    assert!(!refused.status.success());
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.contains("--public-url") && error.contains("https://tickets.example.com/"), "{error}");
}
