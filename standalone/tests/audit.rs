//! The audit: no false alarm on a running system, and it finds every change made on purpose.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use billing_service::provider::ProviderName;
use client::ClientError;
use messaging::clock::{Clock, SystemClock};
use serde_json::json;
use standalone::sqlite::snapshot::read;
use standalone::{Options, Server};
use support::{Http, bookings};
use system::audit::{Audit, audit};
use tempfile::TempDir;

fn look(data: &Path) -> Audit {
    audit(&read(data).unwrap(), SystemClock.now() + Duration::from_secs(600))
}

/// A system at rest with one order of each ending, stopped; and the ids by status.
async fn endings() -> (TempDir, PathBuf, String, String) {
    let kept = tempfile::tempdir().unwrap();
    let data = kept.path().join("data");
    let server = Server::start(Options::new(&data)).await.unwrap();
    let http = Http::new(server.url());
    let mut ids = Vec::new();
    for (flight, seats, method) in [
        ("OS-101", 2, "pm_card_visa"),
        ("OS-101", 1, "pm_card_visa"),
        ("OS-101", 1, "pm_card_chargeDeclined"),
        ("OS-512", 9, "pm_card_visa"),
        ("XX-000", 1, "pm_card_visa"),
    ] {
        let id = http.book(flight, seats, method).await;
        http.settled(&id).await;
        ids.push(id);
    }
    http.cancel(&ids[1]).await;
    http.settled(&ids[1]).await;
    http.at_rest().await;
    server.stop().await;
    (kept, data, ids[0].clone(), ids[1].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_at_rest_has_no_discrepancy() {
    let (_kept, data, ..) = endings().await;
    let audit = look(&data);
    assert_eq!((audit.orders, audit.at_rest), (5, 5));
    assert_eq!(audit.discrepancies, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_system_raises_no_false_alarm() {
    let kept = tempfile::tempdir().unwrap();
    let data = kept.path().join("data");
    let server = Server::start(Options::new(&data)).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let auditor = std::thread::spawn({
        let (data, done) = (data.clone(), done.clone());
        move || {
            let mut at_work = 0;
            while !done.load(Ordering::SeqCst) {
                let audit = audit(&read(&data).unwrap(), SystemClock.now());
                assert_eq!(audit.discrepancies, []);
                at_work += usize::from(audit.at_rest < audit.orders);
            }
            at_work
        }
    });
    let http = Http::new(server.url());
    let mut customers = tokio::task::JoinSet::new();
    for customer in 0..8 {
        let http = http.clone();
        customers.spawn(async move {
            for number in 0..12 {
                let method = if number % 4 == 0 { "pm_card_chargeDeclined" } else { "pm_card_visa" };
                let id = http.book("OS-900", 1, method).await;
                if (customer + number) % 3 == 0 {
                    // Not one whose card was declined in the meantime.
                    let cancelled = http.0.cancel(&id).await;
                    assert!(
                        matches!(cancelled, Ok(_) | Err(ClientError::Refused { status: 409, .. })),
                        "{cancelled:?}"
                    );
                }
                http.settled(&id).await;
            }
        });
    }
    customers.join_all().await;
    done.store(true, Ordering::SeqCst);
    let at_work = auditor.join().unwrap();
    assert!(at_work > 5, "it was looked at {at_work} times while at work");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_broken_on_purpose_is_found() {
    let (_kept, data, confirmed, cancelled) = endings().await;
    let uuid = |id: &str| format!("x'{}'", id.replace('-', ""));
    let ids = [confirmed.clone(), cancelled.clone(), "6f1c1f0e-5d3b-4a0e-9b1a-2f4c6d8e0a1b".to_owned()];
    let (confirmed, cancelled) = (uuid(&confirmed), uuid(&cancelled));
    let message = r#"{"subject":"6f1c1f0e-5d3b-4a0e-9b1a-2f4c6d8e0a1b"}"#;
    let breakages = [
        ("paid but not confirmed", format!("UPDATE ledger SET body = json_set(body, '$.stage', 'captured') WHERE order_id = {cancelled}"), "0 due"),
        ("confirmed but unpaid", format!("UPDATE ledger SET body = json_set(body, '$.stage', 'voided') WHERE order_id = {confirmed}"), "0 kept"),
        ("confirmed, and not even a payment", format!("DELETE FROM payments WHERE order_id = {confirmed}"), "the record says None"),
        ("captured twice", format!("UPDATE ledger SET body = json_set(body, '$.amount.value', 51800) WHERE order_id = {confirmed}"), "51800 captured"),
        ("held but cancelled", format!("UPDATE reservations SET body = (SELECT body FROM reservations WHERE order_id = {confirmed}) WHERE order_id = {cancelled}"), "Cancelled, and the record says"),
        ("confirmed without seats", format!("DELETE FROM reservations WHERE order_id = {confirmed}"), "Confirmed, and the record says None"),
        ("seats that do not add up", "UPDATE flights SET seats_left = seats_left - 1 WHERE id = 'OS-101'".to_owned(), "flight OS-101: 177 free + 2 held, 180 in all"),
        ("unsettled, and no message anywhere", format!("UPDATE orders SET next_check = 1, body = json_set(body, '$.state', 'pending') WHERE id = {cancelled}"), "no message anywhere"),
        ("unsettled, and not watched", format!("UPDATE orders SET body = json_set(body, '$.state', 'pending') WHERE id = {cancelled}"), "next check None"),
        ("settled, and still watched", format!("UPDATE orders SET next_check = 1 WHERE id = {cancelled}"), "next check Some"),
        ("a mail that is missing", format!("DELETE FROM mails WHERE order_id = {cancelled}"), "the last mail said None"),
        ("a payment being undone for good", format!("UPDATE payments SET body = json_object('state', 'reversing', 'provider', 'simulated', 'reference', 'sim_1', 'amount', json_object('value', 1, 'currency', 'EUR')) WHERE order_id = {cancelled}"), "Reversing"),
        ("records of no order", format!("DELETE FROM orders WHERE id = {confirmed}"), "an order that does not exist"),
        ("a dead letter", format!("INSERT INTO dead_letters (topic, dead_lettered_at, failure, attempts, source, body) VALUES ('billing', 1, 'it broke', 5, '/topics', '{message}')"), "one in billing-dlq: it broke"),
        ("a dead letter that names nothing", "INSERT INTO dead_letters (topic, dead_lettered_at, failure, attempts, source, body) VALUES ('email', 1, 'garbage', 1, '/topics', '?')".to_owned(), "one in email-dlq: garbage"),
    ];
    for (name, sql, expected) in breakages {
        let copy = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(&data).unwrap().map(Result::unwrap) {
            std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
        let connection = rusqlite::Connection::open(copy.path().join("bookings.sqlite")).unwrap();
        assert_eq!(connection.execute(&sql, []).unwrap(), 1, "{name}");
        drop(connection);
        let audit = look(copy.path());
        let found = audit.discrepancies.iter().find(|found| found.actual.contains(expected));
        let found = found.unwrap_or_else(|| panic!("{name}: {:?}", audit.discrepancies));
        let broken = [sql.ends_with(&confirmed), sql.ends_with(&cancelled), sql.contains(message)];
        let about = ids.iter().zip(broken).find(|(_, broken)| *broken).map(|(id, _)| id.clone());
        assert_eq!(found.booking_id.map(|id| id.to_string()), about, "{name}");
        assert!(!found.expected.is_empty(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_reads_beside_a_server_and_ends_with_1_on_a_discrepancy() {
    let kept = tempfile::tempdir().unwrap();
    let data = kept.path().join("data");
    let command = |arguments: &[&str]| {
        let mut command = bookings();
        command.arg("audit").arg("--data").arg(&data).args(arguments).output().unwrap()
    };
    let missing = command(&[]);
    assert!(!missing.status.success());
    assert!(String::from_utf8_lossy(&missing.stderr).contains("there is no directory"), "{missing:?}");

    let server = Server::start(Options::new(&data)).await.unwrap();
    let http = Http::new(server.url());
    let id = http.book("OS-101", 1, "pm_card_visa").await;
    http.settled(&id).await;
    http.at_rest().await;
    let clean = command(&[]);
    assert!(clean.status.success(), "{clean:?}");
    assert!(
        String::from_utf8_lossy(&clean.stdout)
            .contains("1 orders, 1 of them at rest\neverything is as it should be")
    );
    server.stop().await;

    let connection = rusqlite::Connection::open(data.join("bookings.sqlite")).unwrap();
    connection.execute("DELETE FROM mails", []).unwrap();
    let broken = command(&["--json"]);
    assert_eq!(broken.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&broken.stdout).unwrap();
    assert_eq!(report["discrepancies"][0]["booking_id"], json!(id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_by_stripe_is_held_to_its_record() {
    let (_kept, data, confirmed, _) = endings().await;
    let connection = rusqlite::Connection::open(data.join("bookings.sqlite")).unwrap();
    let id = format!("x'{}'", confirmed.replace('-', ""));
    let paid = |amount: &str| {
        connection
            .execute_batch(&format!(
                "UPDATE payments SET body = json_set(body, '$.provider', 'stripe', '$.amount.value', {amount})
                 WHERE order_id = {id};
                 DELETE FROM ledger WHERE order_id = {id};"
            ))
            .unwrap();
        look(&data)
    };
    assert_eq!(look(&data).books_not_compared, []);
    let due = "json_extract(body, '$.amount.value')";
    let by_record = paid(due);
    assert_eq!(by_record.discrepancies, []);
    assert_eq!(by_record.books_not_compared, [ProviderName::STRIPE]);
    let found = paid(&format!("{due} - 1")).discrepancies;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].expected.starts_with("captured"), "{found:?}");
}
