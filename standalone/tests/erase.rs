//! A customer's right to be forgotten.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use client::ClientError;
use messaging::clock::{Clock, ManualClock, SystemClock};
use rusqlite::Connection;
use serde_json::{Value, json};
use standalone::sqlite::database::FILE;
use standalone::{Options, Server};
use support::{Http, bookings};

const NAME: &str = "Augusta King-Noel";
const EMAIL: &str = "augusta@example.com";

fn order(card: &str) -> Value {
    json!({"flight_id": "OS-101", "seats": 1, "payment_method": card, "passenger": {"name": NAME, "email": EMAIL}})
}

async fn erase(http: &Http, id: &str) -> Result<Value, u16> {
    match http.0.post(&format!("/operator/orders/{id}/erase"), &json!({})).await {
        Ok(answer) => Ok(answer),
        Err(ClientError::Refused { status, .. }) => Err(status),
        Err(error) => panic!("{error}"),
    }
}

/// All that the tables hold, as text.
fn contents(data: &Path) -> String {
    let connection = Connection::open(data.join(FILE)).unwrap();
    let mut all = String::new();
    for table in [
        "orders",
        "mailbox",
        "messages",
        "dead_letters",
        "payments",
        "reservations",
        "ledger",
        "mails",
        "undeliverable",
    ] {
        let mut rows = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = rows.column_count();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                all += &format!("{:?} ", row.get_ref(column).unwrap().as_str().unwrap_or_default());
            }
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_forgotten_in_every_record_mail_and_dead_letter_once_the_flight_has_left() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let server = Server::start(Options { clock: clock.clone(), ..Options::new(&data) }).await.unwrap();
    let http = Http::new(server.url());
    let key = Some("a-key");
    let booked = http.0.book(&order("pm_card_visa"), key).await.unwrap();
    let id = booked["id"].as_str().unwrap().to_owned();
    http.settled(&id).await;
    http.at_rest().await;
    let declined = http.0.book(&order("pm_card_chargeDeclined"), None).await.unwrap();
    let declined = declined["id"].as_str().unwrap().to_owned();
    http.settled(&declined).await;
    http.at_rest().await;
    // Its mail was dead-lettered once, and is kept.
    let connection = Connection::open(data.join(FILE)).unwrap();
    let event = json!({"specversion": "1.0", "subject": id, "type": "booking.send.v1",
        "data": {"passenger": {"name": NAME, "email": EMAIL}}});
    let sql = "INSERT INTO dead_letters (topic, dead_lettered_at, failure, attempts, source, body)
               VALUES ('email', 0, 'it is a test', 1, 'email-service', ?1)";
    connection.execute(sql, [event.to_string()]).unwrap();
    let sql = "INSERT INTO undeliverable (address, since, answer) VALUES (?1, 0, '550 5.1.1')";
    connection.execute(sql, [EMAIL]).unwrap();
    drop(connection);

    assert_eq!(erase(&http, &id).await, Err(409), "the flight has not left");
    erase(&http, &declined).await.unwrap();
    let before = http.0.booking(&id).await.unwrap();
    clock.advance(Duration::from_secs(400 * 24 * 60 * 60));
    erase(&http, &id).await.unwrap();
    erase(&http, &id).await.unwrap();

    let after = http.0.booking(&id).await.unwrap();
    assert_eq!(after["passenger"], json!({"name": "Erased", "email": "erased@erased.invalid"}));
    for field in ["status", "amount", "history", "flight_id", "seats"] {
        assert_eq!(after[field], before[field]);
    }
    let again = http.0.book(&order("pm_card_visa"), key).await.unwrap();
    assert_eq!(again["id"], id, "a repeated request still finds it");
    let letters = http.get("/operator/dead-letters").await;
    assert_eq!(letters.as_array().unwrap().len(), 1, "{letters}");
    server.stop().await;
    let all = contents(&data);
    assert!(all.contains("erased@erased.invalid"));
    assert!(!all.contains("Augusta") && !all.contains(EMAIL), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_order_is_erased_whose_mail_has_yet_to_be_sent() {
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(Options::new(scratch.path().join("data"))).await.unwrap();
    let http = Http::new(server.url());
    http.put("/operator/services/email-service", json!({"running": false})).await;
    http.put("/operator/services/billing-service", json!({"running": false})).await;
    let booked = http.0.book(&order("pm_card_chargeDeclined"), None).await.unwrap();
    let id = booked["id"].as_str().unwrap();
    assert_eq!(erase(&http, id).await, Err(409), "it is not settled");
    http.put("/operator/services/billing-service", json!({"running": true})).await;
    http.settled(id).await;
    assert_eq!(erase(&http, id).await, Err(409), "its mail is waiting");
    http.put("/operator/services/email-service", json!({"running": true})).await;
    http.at_rest().await;

    let command = |id: &str| bookings().args(["erase", id, "--url", server.url()]).output().unwrap();
    let done = command(id);
    assert!(done.status.success(), "{done:?}");
    for unknown in ["0b5e7c5a-8f0e-4c43-9f5d-4f1f6f0f2a11", "1"] {
        assert!(!command(unknown).status.success());
        assert_eq!(erase(&http, unknown).await, Err(404));
    }
    server.stop().await;
}
