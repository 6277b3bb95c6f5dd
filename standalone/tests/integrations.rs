//! The real binary with Stripe and a mail server.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use client::ServerProcess;
use messaging::clock::SystemClock;
use serde_json::{Value, json};
use stripe_server::{Call, Fault, StripeServer};
use support::smtp_server::SmtpServer;
use support::{Http, bookings};

const KEY: &str = "sk_test_verySecret42";

fn serve(data: &Path) -> Command {
    let mut command = bookings();
    command.args(["serve", "--port", "0", "--data"]).arg(data).env("RUST_LOG", "debug");
    for variable in ["STRIPE_SECRET_KEY", "STRIPE_API_URL", "SMTP_USERNAME", "SMTP_PASSWORD"] {
        command.env_remove(variable);
    }
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_paid_and_refunded_by_stripe_and_mailed_by_smtp() {
    let directory = tempfile::tempdir().unwrap();
    let (data, log) = (directory.path().join("data"), directory.path().join("log"));
    let (stripe, smtp) = (StripeServer::start(Arc::new(SystemClock)).await, SmtpServer::start().await);
    let mut command = serve(&data);
    command
        .args(["--payment-provider", "stripe", "--mail-from", "tickets@example.com", "--smtp"])
        .arg(format!("smtp://127.0.0.1:{}", smtp.port))
        .env("STRIPE_SECRET_KEY", KEY)
        .env("STRIPE_API_URL", stripe.url())
        .env("SMTP_USERNAME", "tickets")
        .env("SMTP_PASSWORD", "alsoSecret42")
        .stderr(Stdio::from(std::fs::File::create(&log).unwrap()));
    let server = ServerProcess::start(command).unwrap();
    let http = Http::new(server.url());

    let book = async |method| {
        let id = http.book("OS-101", 1, method).await;
        (http.settled(&id).await, id)
    };
    let (paid, kept) = book("pm_card_visa").await;
    let (declined, _) = book("pm_card_chargeDeclined").await;
    let (_, cancelled) = book("pm_card_visa").await;
    assert_eq!((&paid["status"], &declined["status"]), (&"confirmed".into(), &"payment_declined".into()));
    // A mail that is overtaken is not sent.
    http.at_rest().await;
    http.cancel(&cancelled).await;
    assert_eq!(http.settled(&cancelled).await["status"], "cancelled");
    http.at_rest().await;

    let amount = paid["amount"]["value"].as_u64().unwrap();
    let entry = |id: &str| stripe.entry(id.parse().unwrap());
    assert_eq!((entry(&kept).captured, entry(&kept).refunded), (amount, 0));
    assert_eq!((entry(&cancelled).captured, entry(&cancelled).refunded), (amount, amount));
    assert_eq!(smtp.taken().len(), 4, "confirmed, declined, confirmed, cancelled");
    assert_eq!(
        http.get("/operator/mail").await["items"].as_array().unwrap().len(),
        4,
        "copies of what was sent"
    );

    for (method, path) in [("GET", "/operator/payments"), ("PUT", "/operator/payment-provider")] {
        let request = http.0.request(method, path).json(&serde_json::json!({"mode": "slow"}));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status, 409, "{answer}");
        assert!(answer.to_string().contains("Stripe"), "{answer}");
    }
    let audit = |json: bool| {
        let mut command = bookings();
        command.args(["audit", "--data"]).arg(&data).args(json.then_some("--json"));
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{said}");
        said
    };
    assert!(audit(false).contains("the books of stripe are not compared"));
    let json: Value = serde_json::from_str(&audit(true)).unwrap();
    assert_eq!(json["books_not_compared"], serde_json::json!(["stripe"]));

    assert!(server.terminate().unwrap().success());
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains("the customer was mailed"), "something is logged");
    for secret in ["verySecret42", "alsoSecret42", "pm_card_visa"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

/// A server with Stripe and a mail server.
fn serve_with(data: &Path, stripe: &StripeServer, smtp: &SmtpServer) -> ServerProcess {
    let mut command = serve(data);
    command
        .args(["--payment-provider", "stripe", "--mail-from", "tickets@example.com", "--smtp"])
        .arg(format!("smtp://127.0.0.1:{}", smtp.port))
        .envs([("STRIPE_SECRET_KEY", KEY), ("STRIPE_API_URL", stripe.url()), ("RUST_LOG", "off")]);
    ServerProcess::start(command).unwrap()
}

/// What differs, once it is one thing: the order, and what is said of it.
async fn the_difference(http: &Http) -> (String, String) {
    http.until("/operator/system", |system| system["audit"]["differences"] == 1).await;
    let found = &http.get("/operator/differences").await["discrepancies"][0];
    assert!(found["advice"].as_str().unwrap().len() > 20, "{found}");
    (found["booking_id"].as_str().unwrap().to_owned(), found["actual"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_that_stripe_refuses_is_a_difference_until_it_is_done() {
    let directory = tempfile::tempdir().unwrap();
    let (stripe, smtp) = (StripeServer::start(Arc::new(SystemClock)).await, SmtpServer::start().await);
    let server = serve_with(&directory.path().join("data"), &stripe, &smtp);
    let http = Http::new(server.url());
    let id = http.book("OS-101", 1, "pm_card_visa").await;
    http.settled(&id).await;
    http.at_rest().await;
    let no_balance = json!({"error": {"type": "invalid_request_error", "code": "balance_insufficient"}});
    for _ in 0..3 {
        stripe.inject(Call::Refund, Fault::Answer(400, no_balance.clone()));
    }
    http.cancel(&id).await;
    let (order, actual) = the_difference(&http).await;
    assert_eq!(order, id);
    assert!(actual.contains("not reversed") && actual.contains("balance_insufficient"), "{actual}");
    // The fourth attempt finds a balance.
    http.settled(&id).await;
    http.at_rest().await;
    http.until("/operator/differences", |found| found["differences"] == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_customer_whose_address_takes_no_mail_is_a_difference() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let (stripe, smtp) = (StripeServer::start(Arc::new(SystemClock)).await, SmtpServer::start().await);
    let server = serve_with(&data, &stripe, &smtp);
    let http = Http::new(server.url());
    smtp.script("RCPT", "550 5.1.1 no such user");
    let id = http.book("OS-101", 1, "pm_card_visa").await;
    http.settled(&id).await;
    http.at_rest().await;
    let (order, actual) = the_difference(&http).await;
    assert_eq!(order, id);
    assert!(actual.contains("undeliverable") && !actual.contains('@'), "{actual}");
    let output = bookings().args(["audit", "--data"]).arg(&data).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success() && said.contains("advice: reach the customer"), "{said}");
    // Cancelled it is done with: no one waits at the airport.
    http.cancel(&id).await;
    http.settled(&id).await;
    http.at_rest().await;
    http.until("/operator/differences", |found| found["differences"] == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_finds_refunds_that_failed_later() {
    let directory = tempfile::tempdir().unwrap();
    let (stripe, smtp) = (StripeServer::start(Arc::new(SystemClock)).await, SmtpServer::start().await);
    let server = serve_with(&directory.path().join("data"), &stripe, &smtp);
    let http = Http::new(server.url());
    let id = http.book("OS-101", 1, "pm_card_visa").await;
    http.settled(&id).await;
    http.cancel(&id).await;
    assert_eq!(http.settled(&id).await["status"], "cancelled");
    let ask = |url: &str, key: &str, arguments: &[&str]| {
        let mut command = bookings();
        command.arg("refunds").args(arguments).envs([("STRIPE_SECRET_KEY", key), ("STRIPE_API_URL", url)]);
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), said, String::from_utf8(output.stderr).unwrap())
    };
    let (status, said, _) = ask(stripe.url(), KEY, &[]);
    assert_eq!(
        (status, said.trim()),
        (Some(0), "1 refunds in the last 30 days; of 0 payments the last one failed")
    );
    stripe.set_refunds("succeeded", "failed");
    let (status, said, _) = ask(stripe.url(), KEY, &["--days", "2"]);
    assert_eq!(status, Some(1), "{said}");
    for part in [&*id, "re_0001", "expired_or_canceled_card", "advice: "] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (_, said, _) = ask(stripe.url(), KEY, &["--json"]);
    let json: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&json["refunds"], &json["discrepancies"][0]["booking_id"]), (&json!(1), &json!(id)));
    let no_one = "http://127.0.0.1:9";
    for (url, key) in [(stripe.url(), ""), (no_one, KEY)] {
        let (status, said, error) = ask(url, key, &[]);
        assert_eq!((status, &*said), (Some(2), ""), "{error}");
        assert!(error.starts_with("error: ") && !error.contains(KEY), "{error}");
    }
}

#[test]
fn a_missing_setting_is_named_and_no_secret_is_shown() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let refused = |arguments: &[&str], variables: &[(&str, &str)]| {
        let output = serve(&data).args(arguments).envs(variables.iter().copied()).output().unwrap();
        assert!(!output.status.success() && output.stdout.is_empty());
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!error.contains("panicked") && !error.contains("verySecret"), "{error}");
        error
    };
    let stripe = ["--payment-provider", "stripe"];
    for key in ["", "pk_test_verySecret", "verySecret", "sk_verySecret é"] {
        let error = refused(&stripe, &[("STRIPE_SECRET_KEY", key)]);
        assert!(error.contains("STRIPE_SECRET_KEY") && error.contains("sk_ or rk_"), "{error}");
    }
    let both = [("STRIPE_SECRET_KEY", KEY), ("STRIPE_API_URL", "http://stripe.example")];
    assert!(refused(&stripe, &both).contains("STRIPE_API_URL"));
    assert!(refused(&["--payment-provider", "paypal"], &[]).contains("--payment-provider"));
    assert!(refused(&["--smtp", "smtp://localhost"], &[]).contains("--mail-from"));
    let from = |address: &'static str| ["--smtp", "smtp://localhost", "--mail-from", address];
    assert!(refused(&from("tickets"), &[]).contains("--mail-from must be an e-mail address"));
    assert!(refused(&from("a@example.com"), &[("SMTP_PASSWORD", "verySecret")]).contains("SMTP_USERNAME"));
    let url = ["--mail-from", "a@example.com", "--smtp", "smtp://a:verySecret@localhost"];
    assert!(refused(&url, &[]).contains("SMTP_PASSWORD"));
    assert!(!data.exists(), "a refused start leaves nothing behind");
}
