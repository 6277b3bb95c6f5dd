//! Flights: read from `GET /flights`, and written into a flights file.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::TestApp;
use crate::shape::{assert_keys, count, money, text, time};

/// A flight as `GET /flights` shows it, checked.
#[derive(Debug, Clone)]
pub struct Flight {
    /// `id`.
    pub id: String,
    /// `capacity`.
    pub capacity: u64,
    /// `seats_left`.
    pub seats_left: u64,
    /// `price.value`, for one seat, in minor units.
    pub price: u64,
    /// `price.currency`.
    pub currency: String,
    /// `departs_at`.
    pub departs_at: Timestamp,
    /// The whole entry.
    pub json: Value,
}

impl Flight {
    /// Fails unless the entry has exactly the promised keys and sane values.
    pub fn read(json: &Value) -> Self {
        assert_keys(
            json,
            &["id", "from", "to", "departs_at", "time_zone", "capacity", "seats_left", "price"],
        );
        for member in ["id", "from", "to"] {
            assert!(!text(json, member).is_empty(), "`{member}` is not empty: {json:#}");
        }
        let flight = Self {
            id: text(json, "id").to_owned(),
            capacity: count(json, "capacity"),
            seats_left: count(json, "seats_left"),
            price: money(json, "price"),
            currency: text(&json["price"], "currency").to_owned(),
            departs_at: time(json, "departs_at"),
            json: json.clone(),
        };
        assert!(flight.seats_left <= flight.capacity, "free seats fit in the plane: {json:#}");
        flight
    }

    /// Whether it leaves late enough to be booked and cancelled by a test.
    pub fn is_open(&self) -> bool {
        self.departs_at.duration_since(Timestamp::now()).as_secs() > 600
    }
}

/// A line of a flights file.
#[derive(Debug, Clone)]
pub struct NewFlight {
    /// `id`.
    pub id: String,
    /// `capacity`.
    pub capacity: u64,
    /// `price.value`, for one seat, in euro cents.
    pub price: u64,
    /// From now to `departs_at`.
    pub departs_in: Duration,
}

impl NewFlight {
    /// A flight next month, at 129 euro a seat.
    pub fn new(id: &str, capacity: u64) -> Self {
        Self { id: id.to_owned(), capacity, price: 12_900, departs_in: Duration::from_secs(30 * 86_400) }
    }

    /// The same flight, leaving soon.
    pub fn departing_in(mut self, departs_in: Duration) -> Self {
        self.departs_in = departs_in;
        self
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "id": self.id,
            "from": "VIE",
            "to": "LIS",
            "departs_at": (Timestamp::now() + self.departs_in).to_string(),
            "capacity": self.capacity,
            "price": { "value": self.price, "currency": "EUR" },
        })
    }
}

impl TestApp {
    /// All flights, as `GET /flights` shows them now.
    pub async fn flights(&self) -> Vec<Flight> {
        let response = self.get("/flights").await.expect(200);
        let json = response.json();
        json.as_array().unwrap_or_else(|| panic!("an array: {response}")).iter().map(Flight::read).collect()
    }

    /// One flight as it is now.
    pub async fn flight(&self, id: &str) -> Flight {
        let found = self.flights().await.into_iter().find(|flight| flight.id == id);
        found.unwrap_or_else(|| panic!("GET /flights lists {id}"))
    }

    /// The flight with the most free seats that does not leave for a while.
    pub async fn open_flight(&self) -> Flight {
        let open = self.flights().await.into_iter().filter(Flight::is_open);
        let flight = open.max_by_key(|flight| flight.seats_left).expect("a flight that can be booked");
        assert!(flight.seats_left >= 9, "seats to book: {flight:?}");
        flight
    }
}
