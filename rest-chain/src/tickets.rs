//! The ticket server: seats, and who holds them.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use group_commit::{Json, Statements};
use messaging::clock::Clock;
use messaging::store::StoreError;
use protocol::flight::FlightId;
use protocol::ids::OrderId;
use rusqlite::{Connection, params};
use shared_http::{Problem, json};
use ticket_service::flight::{Flight, Terms};
use ticket_service::reservation::Hold;
use ticket_service::store::Wanted;

use crate::call::stopped;
use crate::server::parse;
use crate::store::Store;
use crate::switches::{Link, Switches};
use crate::unavailable;
use crate::wire::{Done, Release, Reserve, Reserved};

pub(crate) struct TicketServer {
    pub(crate) store: Arc<Store>,
    pub(crate) flights: HashMap<FlightId, Flight>,
    pub(crate) switches: Arc<dyn Switches>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl TicketServer {
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/reservations", post(reserve))
            .route("/releases", post(release))
            .with_state(Arc::new(self))
    }
}

/// What became of a reservation.
enum Outcome {
    Held,
    /// The booking holds other seats: its idempotency key was used for another one.
    Otherwise,
    SoldOut,
}

/// Holds the seats, in one transaction. Seats that were released are held anew.
fn hold(connection: &Connection, booking: OrderId, hold: &Hold, capacity: u32) -> rusqlite::Result<Outcome> {
    let (flight, seats) = (hold.flight_id.as_str(), hold.seats.get());
    let sql = "SELECT held, body FROM reservations WHERE booking_id = ?1";
    let found = connection
        .row(sql, [booking.as_bytes()], |row| Ok((row.get::<_, bool>(0)?, row.get::<_, Json<Hold>>(1)?)))?;
    match found {
        Some((true, Json(held))) if held == *hold => return Ok(Outcome::Held),
        Some((true, _)) => return Ok(Outcome::Otherwise),
        Some((false, _)) | None => {}
    }
    let sql = "INSERT INTO seats (flight_id, held) SELECT ?1, ?2 WHERE ?2 <= ?3
                   ON CONFLICT (flight_id) DO UPDATE SET held = held + ?2 WHERE held + ?2 <= ?3";
    if connection.change(sql, params![flight, seats, capacity])? == 0 {
        return Ok(Outcome::SoldOut);
    }
    let sql = "INSERT INTO reservations (booking_id, held, body) VALUES (?1, 1, ?2)
               ON CONFLICT (booking_id) DO UPDATE SET held = 1, body = ?2";
    connection.change(sql, params![booking.as_bytes(), Json(hold)])?;
    Ok(Outcome::Held)
}

/// Releases the seats of a booking once, in one transaction.
fn free(connection: &Connection, booking: OrderId) -> rusqlite::Result<()> {
    let sql = "UPDATE reservations SET held = 0 WHERE booking_id = ?1 AND held = 1 RETURNING body";
    let Some(Json(hold)) = connection.row(sql, [booking.as_bytes()], |row| row.get::<_, Json<Hold>>(0))?
    else {
        return Ok(());
    };
    let sql = "UPDATE seats SET held = held - ?2 WHERE flight_id = ?1";
    connection.change(sql, params![hold.flight_id.as_str(), hold.seats.get()]).map(drop)
}

async fn reserve(
    State(server): State<Arc<TicketServer>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    if !server.switches.is_running(Link::Tickets) {
        return Err(stopped("ticket"));
    }
    let Reserve { booking_id, flight_id, seats, expected_amount } = parse(&headers, body).await?;
    let conflict = |why| Err(Problem::new(StatusCode::CONFLICT, why));
    let Some(flight) = server.flights.get(&flight_id) else {
        return Err(Problem::new(StatusCode::NOT_FOUND, format!("there is no flight {flight_id}")));
    };
    let wanted = Wanted { flight_id, seats, expected_amount };
    let terms = match flight.terms(&wanted, server.clock.now()) {
        Some(Terms::Seats(terms)) => terms,
        Some(Terms::Departed) => return conflict("the flight has departed; nothing was charged"),
        Some(Terms::PriceChanged) => {
            return conflict("the seats cost another amount than expected; nothing was charged");
        }
        None => return conflict("the price of so many seats cannot be said"),
    };
    let reserved = Reserved { amount: terms.amount.clone(), departs_at: terms.departs_at };
    let capacity = flight.capacity;
    let database = &server.store.open().await.map_err(unavailable)?.database;
    let held = database.write(move |connection| hold(connection, booking_id, &terms, capacity));
    match held.await.map_err(unavailable)? {
        Outcome::Held => Ok(json(StatusCode::OK, "application/json", &reserved)),
        Outcome::SoldOut => conflict("the flight has too few seats left; nothing was charged"),
        Outcome::Otherwise => Err(crate::gateway::key_reused()),
    }
}

async fn release(
    State(server): State<Arc<TicketServer>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    if !server.switches.is_running(Link::Tickets) {
        return Err(stopped("ticket"));
    }
    let Release { booking_id } = parse(&headers, body).await?;
    let database = &server.store.open().await.map_err(unavailable)?.database;
    let freed: Result<(), StoreError> = database.write(move |connection| free(connection, booking_id)).await;
    freed.map_err(unavailable)?;
    Ok(json(StatusCode::OK, "application/json", &Done {}))
}
