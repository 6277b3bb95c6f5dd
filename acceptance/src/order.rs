//! The order that a customer sends.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// The payment method that pays.
pub const VISA: &str = "pm_card_visa";

/// The body of `POST /bookings`, valid until a test changes it.
#[derive(Debug, Clone)]
pub struct Order {
    /// `flight_id`.
    pub flight_id: String,
    /// `seats`.
    pub seats: u64,
    /// `passenger.name`.
    pub name: String,
    /// `passenger.email`: a new one for each order, so that mails can be told apart.
    pub email: String,
    /// `payment_method`.
    pub payment_method: String,
}

impl Order {
    /// An order that will be confirmed while the flight has the seats.
    pub fn new(flight_id: &str, seats: u64) -> Self {
        Self {
            flight_id: flight_id.to_owned(),
            seats,
            name: "Ada Byron".to_owned(),
            email: format!("{}@example.com", unique("ada")),
            payment_method: VISA.to_owned(),
        }
    }

    /// An order for a flight that does not exist: it ends `rejected`, and holds nothing.
    pub fn for_no_flight() -> Self {
        Self::new("XX-404", 1)
    }

    /// The same order, paid with a card that the bank refuses.
    pub fn with_declined_card(mut self) -> Self {
        self.payment_method = "pm_card_chargeDeclined".to_owned();
        self
    }

    /// The wire form.
    pub fn json(&self) -> Value {
        json!({
            "flight_id": self.flight_id,
            "seats": self.seats,
            "passenger": { "name": self.name, "email": self.email },
            "payment_method": self.payment_method,
        })
    }
}

/// A word that no other test run on a shared system has used.
pub fn unique(prefix: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    format!("{prefix}-{now:x}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
