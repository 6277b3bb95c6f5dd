//! What the servers of the chain say to each other, as JSON.

use protocol::flight::{FlightId, SeatCount};
use protocol::ids::OrderId;
use protocol::money::Money;
use protocol::passenger::Passenger;
use protocol::payment::PaymentMethod;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// `POST /reservations`: hold these seats. A repeat is answered with the same hold.
#[derive(Serialize, Deserialize)]
pub(crate) struct Reserve {
    pub(crate) booking_id: OrderId,
    pub(crate) flight_id: FlightId,
    pub(crate) seats: SeatCount,
    pub(crate) expected_amount: Option<Money>,
}

/// `200`: the seats are held.
#[derive(Serialize, Deserialize)]
pub(crate) struct Reserved {
    pub(crate) amount: Money,
    pub(crate) departs_at: Timestamp,
}

/// `POST /releases`: release the seats of that booking, if they are held.
#[derive(Serialize, Deserialize)]
pub(crate) struct Release {
    pub(crate) booking_id: OrderId,
}

/// `POST /charges`: charge this amount. The booking's id is the idempotency key: a repeat charges nothing.
#[derive(Serialize, Deserialize)]
pub(crate) struct Charge {
    pub(crate) booking_id: OrderId,
    pub(crate) amount: Money,
    pub(crate) payment_method: PaymentMethod,
}

/// `POST /mails`: tell the passenger that the booking is confirmed. A repeat sends nothing.
#[derive(Serialize, Deserialize)]
pub(crate) struct Mail {
    pub(crate) booking_id: OrderId,
    pub(crate) passenger: Passenger,
    pub(crate) flight_id: FlightId,
    pub(crate) seats: SeatCount,
    pub(crate) amount: Money,
    pub(crate) departs_at: Timestamp,
}

/// `200`: done.
#[derive(Serialize, Deserialize)]
pub(crate) struct Done {}
