//! A flight, as it is offered.

use protocol::flight::FlightId;
use protocol::money::Money;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A flight as a flights file describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flight {
    /// Names it.
    pub id: FlightId,
    /// From where: an IATA code or a city.
    pub from: String,
    /// To where.
    pub to: String,
    /// When it leaves.
    pub departs_at: Timestamp,
    /// How many seats it has.
    pub capacity: u32,
    /// The price of one seat.
    pub price: Money,
}

/// A flight as it is shown to customers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// The flight.
    #[serde(flatten)]
    pub flight: Flight,
    /// How many of its seats are free.
    pub seats_left: u32,
}
