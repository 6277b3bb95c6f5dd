//! A flight, as it is offered.

use messaging::store::StoreError;
use protocol::flight::{FlightId, Route, TimeZoneName};
use protocol::money::Money;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::reservation::Hold;
use crate::store::Wanted;

/// A flight, as it is stored. A field that a later version adds is passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flight {
    /// Names it.
    pub id: FlightId,
    /// From where: an IATA code or a city.
    pub from: String,
    /// To where.
    pub to: String,
    /// When it leaves.
    pub departs_at: Timestamp,
    /// Of the departure airport; UTC for a flight of before.
    #[serde(default)]
    pub time_zone: TimeZoneName,
    /// How many seats it has.
    pub capacity: u32,
    /// The price of one seat.
    pub price: Money,
}

/// What a flight offers to an order, free seats apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terms {
    /// The seats, if they are free.
    Seats(Hold),
    /// It has left.
    Departed,
    /// The seats cost another amount.
    PriceChanged,
}

impl Flight {
    /// Between which places it goes.
    pub fn route(&self) -> Route {
        Route { from: self.from.clone(), to: self.to.clone(), time_zone: self.time_zone.clone() }
    }

    /// The error of a flight whose price of so many seats does not fit.
    pub fn unbounded() -> StoreError {
        StoreError::unreadable("a price beyond all bounds")
    }

    /// What it offers at that moment; `None` where the price of so many seats does not fit.
    pub fn terms(&self, wanted: &Wanted, now: Timestamp) -> Option<Terms> {
        let (seats, departs_at) = (wanted.seats, self.departs_at);
        let amount = self.price.times(seats)?;
        Some(if departs_at <= now {
            Terms::Departed
        } else if wanted.expected_amount.as_ref().is_some_and(|expected| *expected != amount) {
            Terms::PriceChanged
        } else {
            Terms::Seats(Hold {
                flight_id: self.id.clone(),
                seats,
                amount,
                departs_at,
                route: Some(self.route()),
            })
        })
    }
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_flight_of_before_is_told_in_utc_and_one_of_a_later_version_is_read() {
        let stored = r#"{"id":"A-1","from":"a","to":"b","departs_at":"2099-01-01T00:00:00Z","capacity":3,
            "price":{"value":1,"currency":"EUR"},"gate":"B7"}"#;
        let flight: Flight = serde_json::from_str(stored).unwrap();
        assert_eq!(flight.time_zone.as_str(), "UTC");
    }
}
