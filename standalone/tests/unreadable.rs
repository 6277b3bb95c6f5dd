//! A record that cannot be read is a trouble of its own order, and of no other.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use booking_gateway::check::NextCheck;
use booking_gateway::store::{Check, OrderStore};
use messaging::clock::SystemClock;
use messaging::store::StoreError;
use protocol::flight::{FlightId, SeatCount};
use protocol::ids::OrderId;
use protocol::money::{Currency, Money};
use protocol::time::Timestamp;
use rusqlite::params;
use standalone::sqlite::database::FILE;
use standalone::sqlite::{self, SqliteStores};
use tempfile::TempDir;
use ticket_service::flight::Flight;
use ticket_service::run::Run;
use ticket_service::store::{Held, TicketStore, Wanted};

fn stores() -> (SqliteStores, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let (database, _) = sqlite::open(directory.path(), Arc::new(SystemClock)).unwrap();
    (SqliteStores(database), directory)
}

fn file(directory: &TempDir) -> rusqlite::Connection {
    rusqlite::Connection::open(directory.path().join(FILE)).unwrap()
}

fn order(number: u8) -> OrderId {
    OrderId::from_bytes([number; 16])
}

#[tokio::test]
async fn of_a_run_of_holds_only_the_order_fails_whose_record_cannot_be_read() {
    let (stores, directory) = stores();
    let flight = Flight {
        id: FlightId::parse("OS-101").unwrap(),
        from: "Vienna".to_owned(),
        to: "Lisbon".to_owned(),
        departs_at: Timestamp::from_millis(1_800_000_000_000),
        time_zone: Default::default(),
        capacity: 10,
        price: Money { value: 12_950, currency: Currency::parse("EUR").unwrap() },
    };
    stores.put_flight(&flight).await.unwrap();
    let sql = "INSERT INTO reservations (order_id, body) VALUES (?1, '{')";
    file(&directory).execute(sql, [order(2).as_bytes()]).unwrap();
    let wanted = || Wanted {
        flight_id: flight.id.clone(),
        seats: SeatCount::try_from(1).unwrap(),
        expected_amount: None,
    };
    let mut run = Run::of(order(1), wanted());
    assert!(run.join(order(2), wanted()) && run.join(order(3), wanted()));
    let held = stores.hold_run(&run, Timestamp::from_millis(1_700_000_000_000)).await;
    assert!(
        matches!(held[..], [Ok(Held::Held(_)), Err(StoreError::Unreadable(_)), Ok(Held::Held(_))]),
        "{held:?}"
    );
    assert_eq!(stores.offers().await.unwrap()[0].seats_left, 8);
}

#[tokio::test]
async fn a_check_of_an_order_that_cannot_be_read_is_moved_on() {
    let (stores, directory) = stores();
    let sql = "INSERT INTO orders (id, version, next_check, checks, body) VALUES (?1, 1, 1000, 0, '{')";
    file(&directory).execute(sql, params![order(1).as_bytes()]).unwrap();
    let at = Timestamp::from_millis;
    let check = Check { at: at(1_000), order: order(1), count: 0 };
    let moved = stores.postpone(&check, NextCheck { at: at(2_000), count: 1 }).await;
    assert!(matches!(moved, Err(StoreError::Unreadable(_))), "{moved:?}");
    let next: i64 =
        file(&directory).query_row("SELECT next_check FROM orders", [], |row| row.get(0)).unwrap();
    assert_eq!(next, 2_000);
}
