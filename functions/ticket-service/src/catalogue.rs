//! The flights on offer: from a file, or a default set.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZoneDatabase;
use messaging::store::StoreError;
use protocol::flight::{FlightId, TimeZoneName};
use protocol::money::{Currency, Money};
use protocol::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::flight::Flight;
use crate::store::{FlightPut, TicketStore};

/// A flights file cannot be used. No flight of it was.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum FlightsError {
    #[error("the flights file {path} cannot be read: {error}")]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("the flights file {path} is not a JSON array of flights: {error}")]
    NotJson { path: PathBuf, error: serde_json::Error },
    #[error("the flights file {path}, flight {number}{id}: {error}")]
    BadFlight { path: PathBuf, number: usize, id: String, error: String },
    #[error("flight {id} cannot have {capacity} seats: {held} are held")]
    BelowHeld { id: FlightId, capacity: u32, held: u32 },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A flight as a flights file describes it: nothing in it may be unknown, since that would be a slip.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    id: FlightId,
    from: String,
    to: String,
    departs_at: Timestamp,
    #[serde(default)]
    time_zone: TimeZoneName,
    capacity: u32,
    price: Money,
}

impl From<Described> for Flight {
    fn from(described: Described) -> Self {
        let Described { id, from, to, departs_at, time_zone, capacity, price } = described;
        Self { id, from, to, departs_at, time_zone, capacity, price }
    }
}

/// Reads a flights file: a JSON array of flights as `GET /flights` shows them, without
/// `seats_left`. `time_zone` is that of the departure airport, UTC without one.
pub fn read(path: &Path) -> Result<Vec<Flight>, FlightsError> {
    let text = fs::read_to_string(path)
        .map_err(|error| FlightsError::Unreadable { path: path.to_owned(), error })?;
    let values: Vec<Value> = serde_json::from_str(&text)
        .map_err(|error| FlightsError::NotJson { path: path.to_owned(), error })?;
    let mut flights: Vec<Flight> = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        let id = value.get("id").and_then(Value::as_str).map(|id| format!(" ({id})")).unwrap_or_default();
        let bad =
            |error: String| FlightsError::BadFlight { path: path.to_owned(), number: index + 1, id, error };
        let flight = match serde_json::from_value::<Described>(value) {
            Ok(described) => Flight::from(described),
            Err(error) => return Err(bad(error.to_string())),
        };
        if TimeZoneDatabase::bundled().get(flight.time_zone.as_str()).is_err() {
            return Err(bad(format!(
                "time_zone {} is not in the IANA database; one is Europe/Vienna",
                flight.time_zone
            )));
        }
        if flights.iter().any(|other| other.id == flight.id) {
            return Err(bad("its id is used twice".to_owned()));
        }
        if flight.price.value > MOST_EXPENSIVE {
            return Err(bad(format!("price.value must be at most {MOST_EXPENSIVE}")));
        }
        flights.push(flight);
    }
    Ok(flights)
}

/// The highest price of a seat, in minor units: amounts stay exact wherever JSON is read.
const MOST_EXPENSIVE: u64 = 1_000_000_000_000;

/// Adds or changes these flights. A capacity below the seats that are held is refused, and then
/// none of the flights is changed.
pub async fn upsert(store: &dyn TicketStore, flights: &[Flight]) -> Result<(), FlightsError> {
    let offers = store.offers().await?;
    for flight in flights {
        let offer = offers.iter().find(|offer| offer.flight.id == flight.id);
        let held = offer.map_or(0, |offer| offer.flight.capacity - offer.seats_left);
        if flight.capacity < held {
            return Err(FlightsError::BelowHeld { id: flight.id.clone(), capacity: flight.capacity, held });
        }
    }
    for flight in flights {
        if let FlightPut::BelowHeld { held } = store.put_flight(flight).await? {
            return Err(FlightsError::BelowHeld { id: flight.id.clone(), capacity: flight.capacity, held });
        }
    }
    Ok(())
}

/// Id, from, to; days ahead, hour and minute (UTC) of its departure, its time zone; seats; price in cents.
type Row = (&'static str, &'static str, &'static str, u64, u64, u64, &'static str, u32, u64);

/// What a new server offers. The last but one is nearly sold out.
const SEED: [Row; 8] = [
    ("OS-101", "Vienna", "Lisbon", 7, 6, 40, "Europe/Vienna", 180, 12_950),
    ("OS-118", "Vienna", "Oslo", 9, 10, 15, "Europe/Vienna", 132, 9_900),
    ("OS-204", "Lisbon", "Vienna", 14, 17, 5, "Europe/Lisbon", 180, 13_450),
    ("OS-233", "Vienna", "Reykjavík", 12, 9, 30, "Europe/Vienna", 150, 18_900),
    ("OS-347", "Vienna", "Athens", 8, 13, 20, "Europe/Vienna", 174, 8_400),
    ("OS-410", "Graz", "Zürich", 5, 7, 55, "Europe/Vienna", 76, 14_200),
    ("OS-512", "Innsbruck", "Elba", 6, 11, 0, "Europe/Vienna", 3, 24_500),
    ("OS-900", "Vienna", "Tokyo", 21, 12, 45, "Europe/Vienna", 260, 64_900),
];

const DAY: u64 = 24 * 60 * 60;

/// The seed, with departures in the days after `now`.
pub fn seed(now: Timestamp) -> Vec<Flight> {
    let today = Timestamp::from_millis(now.as_millis() / (DAY as i64 * 1000) * (DAY as i64 * 1000));
    let flight = |(id, from, to, days, hour, minute, zone, capacity, cents): Row| {
        Some(Flight {
            id: FlightId::parse(id).ok()?,
            from: from.to_owned(),
            to: to.to_owned(),
            departs_at: today + Duration::from_secs(days * DAY + hour * 3600 + minute * 60),
            time_zone: TimeZoneName::parse(zone).ok()?,
            capacity,
            price: Money { value: cents, currency: Currency::parse("EUR").ok()? },
        })
    };
    SEED.into_iter().filter_map(flight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flight_of_the_seed_is_offered_and_leaves_in_the_days_ahead() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let flights = seed(now);
        assert_eq!(flights.len(), SEED.len());
        assert!(flights.iter().all(|flight| flight.departs_at > now + Duration::from_secs(4 * DAY)));
        let known = |flight: &Flight| TimeZoneDatabase::bundled().get(flight.time_zone.as_str()).is_ok();
        assert!(flights.iter().all(known), "each is told in a time zone that exists");
    }
}
