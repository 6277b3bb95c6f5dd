//! The Ticket Service's flights and reservations.

use async_trait::async_trait;
use messaging::store::StoreError;
use protocol::flight::{FlightId, SeatCount};
use protocol::ids::OrderId;
use ticket_service::flight::{Flight, Offer};
use ticket_service::reservation::{Hold, Reservation};
use ticket_service::store::{FlightPut, Held, TicketStore};

use super::Memory;
use super::contents::{Contents, Seats, Stored};
use crate::fault::CallFailure;
use crate::port_call::PortCall;

fn find(contents: &Contents, order: OrderId) -> Option<Reservation> {
    contents.reservations.get(&order).map(|record| (**record).clone())
}

fn hold(
    contents: &mut Contents,
    order: OrderId,
    flight_id: &FlightId,
    seats: SeatCount,
) -> Result<Held, CallFailure> {
    if let Some(record) = find(contents, order) {
        return Ok(Held::Decided(record));
    }
    let Some(Seats { flight, free }) = contents.flights.get_mut(flight_id) else {
        return Ok(Held::UnknownFlight);
    };
    let Some(left) = free.checked_sub(u32::from(seats.get())) else {
        return Ok(Held::SoldOut);
    };
    let amount = flight.price.times(seats).ok_or(CallFailure::Refused)?;
    *free = left;
    let hold = Hold { flight_id: flight_id.clone(), seats, amount, departs_at: flight.departs_at };
    contents.reservations.insert(order, Stored::new(Reservation::Held(hold.clone())));
    Ok(Held::Held(hold))
}

#[async_trait]
impl TicketStore for Memory {
    async fn hold(&self, order: OrderId, flight: &FlightId, seats: SeatCount) -> Result<Held, StoreError> {
        self.call(PortCall::TicketStoreHold, None, |contents, _| hold(contents, order, flight, seats)).await
    }

    async fn decide(&self, order: OrderId, decision: &Reservation) -> Result<Reservation, StoreError> {
        self.write(PortCall::TicketStoreDecide, |contents| {
            let record = contents.reservations.entry(order).or_insert_with(|| Stored::new(decision.clone()));
            (**record).clone()
        })
        .await
    }

    async fn release(&self, order: OrderId) -> Result<Option<Reservation>, StoreError> {
        self.write(PortCall::TicketStoreRelease, |contents| {
            let record = find(contents, order)?;
            let Reservation::Held(hold) = record else {
                return Some(record);
            };
            if let Some(flight) = contents.flights.get_mut(&hold.flight_id) {
                flight.free += u32::from(hold.seats.get());
            }
            contents.reservations.insert(order, Stored::new(Reservation::Released));
            Some(Reservation::Released)
        })
        .await
    }

    async fn find(&self, order: OrderId) -> Result<Option<Reservation>, StoreError> {
        self.read(PortCall::TicketStoreFind, |contents| find(contents, order)).await
    }

    async fn offers(&self) -> Result<Vec<Offer>, StoreError> {
        self.read(PortCall::TicketStoreOffers, |contents| {
            let seats = contents.flights.values();
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
        self.write(PortCall::TicketStorePutFlight, |contents| {
            let before = contents.flights.get(&flight.id);
            let held = before.map_or(0, |seats| seats.flight.capacity - seats.free);
            let Some(free) = flight.capacity.checked_sub(held) else {
                return FlightPut::BelowHeld { held };
            };
            contents.flights.insert(flight.id.clone(), Seats { flight: Stored::new(flight.clone()), free });
            FlightPut::Stored
        })
        .await
    }
}
