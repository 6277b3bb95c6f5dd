//! The Ticket Service's port, kept by the DynamoDB adapter, also under contention for one flight.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use messaging::entropy::{OsEntropy, SeededEntropy};
use messaging::store::StoreError;
use protocol::flight::SeatCount;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use serde_json::{Value, json};
use testkit::dynamodb::{self, InProcess};
use ticket_service::catalogue;
use ticket_service::flight::Flight;
use ticket_service::reservation::Reservation;
use ticket_service::run::Run;
use ticket_service::store::{Held, TicketStore, Wanted};
use ticket_service_lambda::dynamodb::DynamoTickets;

async fn fresh() -> (Arc<dyn TicketStore>, ()) {
    let client = dynamodb::client();
    let table = dynamodb::table(&client, "TicketsTable").await;
    (Arc::new(DynamoTickets::new(client, table, Arc::new(OsEntropy))), ())
}

ticket_service_contract::ticket_store_contract!(fresh);

/// One flight of the default ones, on a DynamoDB that can be made to collide.
async fn popular() -> (InProcess, DynamoTickets, Flight) {
    let database = InProcess::default();
    let table = dynamodb::table(&database.client(), "TicketsTable").await;
    let tickets = DynamoTickets::new(database.client(), table, Arc::new(SeededEntropy::new(1)));
    let flight = catalogue::seed(Timestamp::from_millis(1_800_000_000_000)).remove(0);
    tickets.put_flight(&flight).await.unwrap();
    (database, tickets, flight)
}

fn error(kind: &str, reasons: &[&str]) -> Value {
    let reasons: Vec<_> = reasons.iter().map(|code| json!({"Code": code})).collect();
    let kind = format!("com.amazonaws.dynamodb.v20120810#{kind}");
    json!({"__type": kind, "message": "refused", "CancellationReasons": reasons})
}

fn two_seats(flight: &Flight) -> Wanted {
    let seats = SeatCount::try_from(2).unwrap();
    Wanted { flight_id: flight.id.clone(), seats, expected_amount: None }
}

/// Before any flight leaves.
fn now() -> Timestamp {
    Timestamp::from_millis(0)
}

fn order() -> OrderId {
    OrderId::from_bytes([7; 16])
}

#[tokio::test]
async fn a_hold_or_a_release_that_collides_is_retried() {
    let (database, tickets, flight) = popular().await;
    let collides = error("TransactionCanceledException", &["TransactionConflict", "None"]);
    for _ in 0..3 {
        database.refuse("TransactWriteItems", &collides);
    }
    let held = tickets.hold(order(), &two_seats(&flight), now()).await.unwrap();
    assert!(matches!(held, Held::Held(_)), "{held:?}");
    for _ in 0..3 {
        database.refuse("TransactWriteItems", &collides);
    }
    assert_eq!(tickets.release(order()).await.unwrap(), Some(Reservation::Released));
    assert_eq!(tickets.offers().await.unwrap()[0].seats_left, flight.capacity);
}

#[tokio::test]
async fn a_decision_that_collides_is_retried() {
    let (database, tickets, _) = popular().await;
    for _ in 0..3 {
        database.refuse("PutItem", &error("TransactionConflictException", &[]));
    }
    let decided = tickets.decide(order(), &Reservation::Released).await.unwrap();
    assert_eq!(decided, Reservation::Released);
}

#[tokio::test]
async fn a_hold_that_keeps_colliding_or_is_throttled_holds_nothing_and_can_be_retried() {
    let (database, tickets, flight) = popular().await;
    let wanted = two_seats(&flight);
    let hold = || tickets.hold(order(), &wanted, now());
    for _ in 0..6 {
        database
            .refuse("TransactWriteItems", &error("TransactionCanceledException", &["TransactionConflict"]));
    }
    assert!(matches!(hold().await, Err(StoreError::Unavailable(_))));
    database
        .refuse("TransactWriteItems", &error("TransactionCanceledException", &["None", "ThrottlingError"]));
    assert!(matches!(hold().await, Err(StoreError::Unavailable(_))));
    assert_eq!(tickets.find(order()).await.unwrap(), None);
    assert_eq!(tickets.offers().await.unwrap()[0].seats_left, flight.capacity);
    assert!(matches!(hold().await.unwrap(), Held::Held(_)));
}

/// A run of that many orders of two seats each.
fn run(flight: &Flight, orders: u8) -> Run {
    let order = |number| OrderId::from_bytes([number; 16]);
    let mut run = Run::of(order(1), two_seats(flight));
    (2..=orders).for_each(|number| assert!(run.join(order(number), two_seats(flight))));
    run
}

#[tokio::test]
async fn an_order_of_a_run_whose_record_collides_waits_and_the_others_are_held() {
    let (database, tickets, flight) = popular().await;
    let collides = ["None", "TransactionConflict", "None", "None"];
    database.refuse("TransactWriteItems", &error("TransactionCanceledException", &collides));
    let held = tickets.hold_run(&run(&flight, 3), now()).await;
    assert!(
        matches!(&held[..], [Ok(Held::Held(_)), Err(StoreError::Unavailable(_)), Ok(Held::Held(_))]),
        "{held:?}"
    );
    assert_eq!(tickets.offers().await.unwrap()[0].seats_left, flight.capacity - 4);
    let again = tickets.hold_run(&run(&flight, 3), now()).await;
    assert!(
        matches!(&again[..], [Ok(Held::Decided(_)), Ok(Held::Held(_)), Ok(Held::Decided(_))]),
        "{again:?}"
    );
}

#[tokio::test]
async fn a_run_on_a_flight_that_collides_is_retried_and_in_the_end_all_of_it_waits() {
    let (database, tickets, flight) = popular().await;
    let collides = error("TransactionCanceledException", &["None", "None", "None", "TransactionConflict"]);
    for _ in 0..6 {
        database.refuse("TransactWriteItems", &collides);
    }
    let held = tickets.hold_run(&run(&flight, 3), now()).await;
    assert!(held.iter().all(|held| matches!(held, Err(StoreError::Unavailable(_)))), "{held:?}");
    assert_eq!(tickets.offers().await.unwrap()[0].seats_left, flight.capacity);
    for _ in 0..5 {
        database.refuse("TransactWriteItems", &collides);
    }
    let held = tickets.hold_run(&run(&flight, 3), now()).await;
    assert!(held.iter().all(|held| matches!(held, Ok(Held::Held(_)))), "{held:?}");
}

#[tokio::test]
async fn a_run_that_is_throttled_waits() {
    let (database, tickets, flight) = popular().await;
    let throttled = ["None", "None", "ThrottlingError"];
    database.refuse("TransactWriteItems", &error("TransactionCanceledException", &throttled));
    let held = tickets.hold_run(&run(&flight, 2), now()).await;
    assert!(held.iter().all(|held| matches!(held, Err(StoreError::Unavailable(_)))), "{held:?}");
    assert_eq!(tickets.offers().await.unwrap()[0].seats_left, flight.capacity);
}
