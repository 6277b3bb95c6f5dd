//! The Ticket Service's flights and reservations.

use async_trait::async_trait;
use group_commit::store_error;
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use rusqlite::{Connection, params};
use ticket_service::flight::{Flight, Offer, Terms};
use ticket_service::reservation::Reservation;
use ticket_service::run::Run;
use ticket_service::store::{FlightPut, Held, TicketStore, Wanted};

use super::{Json, SqliteStores, Statements};

fn find(connection: &Connection, order: OrderId) -> rusqlite::Result<Option<Reservation>> {
    let sql = "SELECT body FROM reservations WHERE order_id = ?1";
    connection
        .row(sql, [order.as_bytes()], |row| row.get::<_, Json<Reservation>>(0))
        .map(|found| found.map(|Json(record)| record))
}

fn insert(connection: &Connection, order: OrderId, record: &Reservation) -> rusqlite::Result<usize> {
    let sql = "INSERT INTO reservations (order_id, body) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    connection.change(sql, params![order.as_bytes(), Json(record)])
}

/// Holds for one order; `None` where the flight's price does not fit.
fn hold(
    connection: &Connection,
    order: OrderId,
    wanted: &Wanted,
    now: Timestamp,
) -> rusqlite::Result<Option<Held>> {
    if let Some(record) = find(connection, order)? {
        return Ok(Some(Held::Decided(record)));
    }
    let (id, seats) = (wanted.flight_id.as_str(), wanted.seats.get());
    let flight = "SELECT body FROM flights WHERE id = ?1";
    let flight = connection.row(flight, [id], |row| row.get::<_, Json<Flight>>(0))?;
    let Some(Json(flight)) = flight else { return Ok(Some(Held::UnknownFlight)) };
    let hold = match flight.terms(wanted, now) {
        None => return Ok(None),
        Some(Terms::Seats(hold)) => hold,
        Some(Terms::Departed) => return Ok(Some(Held::Departed)),
        Some(Terms::PriceChanged) => return Ok(Some(Held::PriceChanged)),
    };
    let take = "UPDATE flights SET seats_left = seats_left - ?2 WHERE id = ?1 AND seats_left >= ?2";
    if connection.change(take, params![id, seats])? == 0 {
        return Ok(Some(Held::SoldOut));
    }
    insert(connection, order, &Reservation::Held(hold.clone()))?;
    Ok(Some(Held::Held(hold)))
}

#[async_trait]
impl TicketStore for SqliteStores {
    async fn hold_run(&self, run: &Run, now: Timestamp) -> Vec<Result<Held, StoreError>> {
        let (orders, length, notes) = (run.orders().to_vec(), run.len(), self.0.notes());
        let write = move |connection: &Connection| {
            let mut held = Vec::with_capacity(orders.len());
            for (order, wanted) in &orders {
                let found = hold(connection, *order, wanted, now);
                held.push(match found.map_err(|error| (store_error(&error), error)) {
                    Ok(found) => Ok(found),
                    // A record that cannot be read is its own order's; it is read before anything is changed.
                    Err((unreadable @ StoreError::Unreadable(_), _)) => Err(unreadable),
                    Err((_, error)) => return Err(error),
                });
            }
            orders.iter().for_each(|(order, _)| notes.changed(*order));
            Ok(held)
        };
        match self.0.join(write).await {
            Ok(held) => held
                .into_iter()
                .map(|held| held.and_then(|held| held.ok_or_else(Flight::unbounded)))
                .collect(),
            Err(error) => vec![Err(error); length],
        }
    }

    async fn decide(&self, order: OrderId, decision: &Reservation) -> Result<Reservation, StoreError> {
        let (decision, notes) = (decision.clone(), self.0.notes());
        let write = move |connection: &Connection| {
            if insert(connection, order, &decision)? == 1 {
                notes.changed(order);
                return Ok(decision);
            }
            find(connection, order)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
        };
        self.0.join(write).await
    }

    async fn release(&self, order: OrderId) -> Result<Option<Reservation>, StoreError> {
        let notes = self.0.notes();
        let write = move |connection: &Connection| {
            let Some(Reservation::Held(hold)) = find(connection, order)? else {
                return find(connection, order);
            };
            let give_back = "UPDATE flights SET seats_left = seats_left + ?2 WHERE id = ?1";
            connection.change(give_back, params![hold.flight_id.as_str(), hold.seats.get()])?;
            let sql = "UPDATE reservations SET body = ?2 WHERE order_id = ?1";
            connection.change(sql, params![order.as_bytes(), Json(&Reservation::Released)])?;
            notes.changed(order);
            Ok(Some(Reservation::Released))
        };
        self.0.join(write).await
    }

    async fn find(&self, order: OrderId) -> Result<Option<Reservation>, StoreError> {
        self.0.read(move |connection| find(connection, order)).await
    }

    async fn offers(&self) -> Result<Vec<Offer>, StoreError> {
        let sql = "SELECT body, seats_left FROM flights ORDER BY departs_at, id";
        let read = move |connection: &Connection| {
            connection.rows(sql, [], |row| {
                let Json(flight) = row.get(0)?;
                Ok(Offer { flight, seats_left: row.get(1)? })
            })
        };
        self.0.scan(read).await
    }

    async fn put_flight(&self, flight: &Flight) -> Result<FlightPut, StoreError> {
        let flight = flight.clone();
        let write = move |connection: &Connection| {
            let id = flight.id.as_str();
            let held = "SELECT capacity - seats_left FROM flights WHERE id = ?1";
            let held: u32 = connection.row(held, [id], |row| row.get(0))?.unwrap_or(0);
            if flight.capacity < held {
                return Ok(FlightPut::BelowHeld { held });
            }
            let sql = "INSERT INTO flights (id, departs_at, capacity, seats_left, body) VALUES (?1, ?2, ?3, ?4, ?5)
                       ON CONFLICT (id) DO UPDATE SET departs_at = ?2, capacity = ?3, seats_left = ?4, body = ?5";
            let params = params![
                id,
                flight.departs_at.as_millis(),
                flight.capacity,
                flight.capacity - held,
                Json(&flight)
            ];
            connection.change(sql, params)?;
            Ok(FlightPut::Stored)
        };
        self.0.write(write).await
    }
}
