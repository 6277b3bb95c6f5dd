//! The Ticket Service's flights and reservations.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use messaging::entropy::SeededEntropy;
use messaging::store::StoreError;
use protocol::flight::FlightId;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use testkit::dynamodb;
use ticket_service::flight::{Flight, Offer, Terms};
use ticket_service::reservation::Reservation;
use ticket_service::run::Run;
use ticket_service::store::{FlightPut, Held, TicketStore, Wanted};

use super::Intercepted;
use crate::memory::Memory;
use crate::memory::contents::{Seats, Stored};
use crate::port_call::{PortCall, port_calls};
use crate::simulation::task::intercept;
use crate::stores::Contents;

/// The topic of the service that owns it.
pub const OWNER: Topic = Topic::Tickets;

port_calls! {
    order_path {
        TICKET_STORE_HOLD_RUN = TicketStore::hold_run, Writes;
        TICKET_STORE_DECIDE = TicketStore::decide, Writes;
        TICKET_STORE_RELEASE = TicketStore::release, Writes;
    }
    elsewhere {
        TICKET_STORE_FIND = TicketStore::find, Reads;
        TICKET_STORE_OFFERS = TicketStore::offers, Reads;
        TICKET_STORE_PUT_FLIGHT = TicketStore::put_flight, Writes;
    }
}

/// The Ticket Service's records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Records {
    /// The flights.
    pub flights: BTreeMap<FlightId, Seats>,
    /// What was decided about each order.
    pub reservations: BTreeMap<OrderId, Stored<Reservation>>,
}

/// The store of AWS, with a table of its own.
pub async fn on_dynamodb(client: &Client) -> Arc<dyn TicketStore> {
    let table = dynamodb::table(client, "TicketsTable").await;
    let entropy = Arc::new(SeededEntropy::new(1));
    Arc::new(ticket_service_lambda::dynamodb::DynamoTickets::new(client.clone(), table, entropy))
}

fn find(contents: &Contents, order: OrderId) -> Option<Reservation> {
    contents.tickets.reservations.get(&order).map(|record| (**record).clone())
}

fn hold(
    contents: &mut Contents,
    order: OrderId,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<Held, StoreError> {
    if let Some(record) = find(contents, order) {
        return Ok(Held::Decided(record));
    }
    let Some(Seats { flight, free }) = contents.tickets.flights.get_mut(&wanted.flight_id) else {
        return Ok(Held::UnknownFlight);
    };
    let hold = match flight.terms(wanted, now).ok_or_else(Flight::unbounded)? {
        Terms::Seats(hold) => hold,
        Terms::Departed => return Ok(Held::Departed),
        Terms::PriceChanged => return Ok(Held::PriceChanged),
    };
    let Some(left) = free.checked_sub(u32::from(wanted.seats.get())) else {
        return Ok(Held::SoldOut);
    };
    *free = left;
    contents.tickets.reservations.insert(order, Stored::new(Reservation::Held(hold.clone())));
    Ok(Held::Held(hold))
}

/// What each order of a run is answered: where the call failed, all are answered that.
fn each(run: &Run, held: Result<Vec<Result<Held, StoreError>>, StoreError>) -> Vec<Result<Held, StoreError>> {
    held.unwrap_or_else(|error| vec![Err(error); run.len()])
}

#[async_trait]
impl TicketStore for Memory {
    async fn hold_run(&self, run: &Run, now: Timestamp) -> Vec<Result<Held, StoreError>> {
        let hold_all = |contents: &mut Contents| {
            let orders = run.orders().iter();
            orders.map(|(order, wanted)| hold(contents, *order, wanted, now)).collect()
        };
        each(run, self.write(PortCall::TICKET_STORE_HOLD_RUN, hold_all).await)
    }

    async fn decide(&self, order: OrderId, decision: &Reservation) -> Result<Reservation, StoreError> {
        self.write(PortCall::TICKET_STORE_DECIDE, |contents| {
            let record =
                contents.tickets.reservations.entry(order).or_insert_with(|| Stored::new(decision.clone()));
            (**record).clone()
        })
        .await
    }

    async fn release(&self, order: OrderId) -> Result<Option<Reservation>, StoreError> {
        self.write(PortCall::TICKET_STORE_RELEASE, |contents| {
            let record = find(contents, order)?;
            let Reservation::Held(hold) = record else {
                return Some(record);
            };
            if let Some(flight) = contents.tickets.flights.get_mut(&hold.flight_id) {
                flight.free += u32::from(hold.seats.get());
            }
            contents.tickets.reservations.insert(order, Stored::new(Reservation::Released));
            Some(Reservation::Released)
        })
        .await
    }

    async fn find(&self, order: OrderId) -> Result<Option<Reservation>, StoreError> {
        self.read(PortCall::TICKET_STORE_FIND, |contents| find(contents, order)).await
    }

    async fn offers(&self) -> Result<Vec<Offer>, StoreError> {
        self.read(PortCall::TICKET_STORE_OFFERS, |contents| {
            let seats = contents.tickets.flights.values();
            let mut offers: Vec<_> = seats
                .map(|seats| Offer { flight: (*seats.flight).clone(), seats_left: seats.free })
                .collect();
            offers.sort_by(|one, other| {
                (one.flight.departs_at, &one.flight.id).cmp(&(other.flight.departs_at, &other.flight.id))
            });
            offers
        })
        .await
    }

    async fn put_flight(&self, flight: &Flight) -> Result<FlightPut, StoreError> {
        self.write(PortCall::TICKET_STORE_PUT_FLIGHT, |contents| {
            let before = contents.tickets.flights.get(&flight.id);
            let held = before.map_or(0, |seats| seats.flight.capacity - seats.free);
            let Some(free) = flight.capacity.checked_sub(held) else {
                return FlightPut::BelowHeld { held };
            };
            contents
                .tickets
                .flights
                .insert(flight.id.clone(), Seats { flight: Stored::new(flight.clone()), free });
            FlightPut::Stored
        })
        .await
    }
}

#[async_trait]
impl TicketStore for Intercepted<dyn TicketStore> {
    async fn hold_run(&self, run: &Run, now: Timestamp) -> Vec<Result<Held, StoreError>> {
        let held = async { Ok(self.0.hold_run(run, now).await) };
        each(run, intercept(PortCall::TICKET_STORE_HOLD_RUN, held).await)
    }

    async fn decide(&self, order: OrderId, decision: &Reservation) -> Result<Reservation, StoreError> {
        intercept(PortCall::TICKET_STORE_DECIDE, self.0.decide(order, decision)).await
    }

    async fn release(&self, order: OrderId) -> Result<Option<Reservation>, StoreError> {
        intercept(PortCall::TICKET_STORE_RELEASE, self.0.release(order)).await
    }

    async fn find(&self, order: OrderId) -> Result<Option<Reservation>, StoreError> {
        intercept(PortCall::TICKET_STORE_FIND, self.0.find(order)).await
    }

    async fn offers(&self) -> Result<Vec<Offer>, StoreError> {
        intercept(PortCall::TICKET_STORE_OFFERS, self.0.offers()).await
    }

    async fn put_flight(&self, flight: &Flight) -> Result<FlightPut, StoreError> {
        intercept(PortCall::TICKET_STORE_PUT_FLIGHT, self.0.put_flight(flight)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores::tests::{in_memory, on_sqlite};

    mod memory {
        use super::*;

        async fn fresh() -> (Arc<dyn TicketStore>, ()) {
            (in_memory().tickets, ())
        }

        ticket_service_contract::ticket_store_contract!(fresh);
    }

    mod sqlite {
        use super::*;

        async fn fresh() -> (Arc<dyn TicketStore>, tempfile::TempDir) {
            let (stores, directory) = on_sqlite();
            (stores.tickets, directory)
        }

        ticket_service_contract::ticket_store_contract!(fresh);
    }
}
