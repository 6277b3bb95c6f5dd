//! The port to the flights and the reservations.

use async_trait::async_trait;
use messaging::store::StoreError;
use protocol::flight::{FlightId, SeatCount};
use protocol::ids::OrderId;
use protocol::money::Money;
use protocol::time::Timestamp;

use crate::flight::{Flight, Offer};
use crate::reservation::{Hold, Reservation};
use crate::run::Run;

/// Flights and reservations, which change together: on every flight, free + held = capacity.
///
/// **Crash contract** of the writes: before the call nothing is written; during it all of it is
/// there or nothing; once it is answered it survives. Each may be repeated.
#[async_trait]
pub trait TicketStore: Send + Sync {
    /// Holds for each order of a run, and answers for each, in the run's order, as if they were held one
    /// after another. To hold is to take the seats off the flight and to record that, in one transaction, if
    /// nothing was decided about the order before, the flight's terms at `now` are those that are wanted
    /// ([`Flight::terms`]), and the seats are free. Of several reasons against it the first in [`Held`]
    /// counts. None rests on a flight as it was some time ago.
    ///
    /// An order's error is its own. An adapter that transactions of others can collide with answers it for an
    /// order whose record collides, and for all that are left if the flight keeps colliding.
    ///
    /// **Crash contract:** an adapter may need several transactions for a run. Each holds for some of its
    /// orders, or for none of them: no order is recorded without its seats. After a crash the rest is held
    /// when the run is repeated, and those that were held are answered from their records.
    async fn hold_run(&self, run: &Run, now: Timestamp) -> Vec<Result<Held, StoreError>>;

    /// Holds for one order.
    async fn hold(&self, order: OrderId, wanted: &Wanted, now: Timestamp) -> Result<Held, StoreError> {
        let held = self.hold_run(&Run::of(order, wanted.clone()), now).await.pop();
        held.unwrap_or_else(|| Err(StoreError::unavailable("a hold was not answered")))
    }

    /// Records a decision that touches no flight, unless one was made before; answers the one
    /// that stands.
    async fn decide(&self, order: OrderId, decision: &Reservation) -> Result<Reservation, StoreError>;

    /// Releases the held seats and records that, in one transaction; answers
    /// the record that stands, or `None` where nothing was decided yet.
    async fn release(&self, order: OrderId) -> Result<Option<Reservation>, StoreError>;

    /// What was decided about an order. Consistent.
    async fn find(&self, order: OrderId) -> Result<Option<Reservation>, StoreError>;

    /// All flights, by departure.
    async fn offers(&self) -> Result<Vec<Offer>, StoreError>;

    /// Adds a flight, or changes it without touching the seats that are held.
    async fn put_flight(&self, flight: &Flight) -> Result<FlightPut, StoreError>;
}

/// The seats that an order wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// On this flight.
    pub flight_id: FlightId,
    /// So many.
    pub seats: SeatCount,
    /// For this amount in all, if the customer has said so.
    pub expected_amount: Option<Money>,
}

/// What became of a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// The seats are held now.
    Held(Hold),
    /// The order was decided before, like this.
    Decided(Reservation),
    /// There is no such flight; nothing is recorded.
    UnknownFlight,
    /// The flight has left; nothing is recorded.
    Departed,
    /// The seats cost another amount than the customer expects; nothing is recorded.
    PriceChanged,
    /// The flight has too few free seats; nothing is recorded.
    SoldOut,
}

/// What became of a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlightPut {
    /// It is stored.
    Stored,
    /// More seats are held than it would have.
    BelowHeld {
        /// So many are.
        held: u32,
    },
}
