//! Forgetting who an order was for.

use protocol::passenger::Passenger;
use protocol::payment::PaymentMethod;
use protocol::time::Timestamp;

use crate::order::{Order, State};

/// Whether the passenger of an order may be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// It may: this is the order without it.
    Erased(Box<Order>),
    /// It was before.
    Before,
    /// The order is not settled: its mail has yet to be sent.
    Unsettled,
    /// The order is confirmed, and its flight has not left.
    NotDeparted,
}

impl Order {
    /// Forgets who it is for. A repeated `POST` still finds the order, by its digest.
    pub fn erase(&self, now: Timestamp) -> Erasure {
        let flies = self.state == State::Confirmed && self.departs_at.is_none_or(|departure| now < departure);
        if !self.state.is_settled() {
            return Erasure::Unsettled;
        } else if flies {
            return Erasure::NotDeparted;
        } else if self.request.passenger == Passenger::erased() {
            return Erasure::Before;
        }
        let mut erased = self.clone();
        // What a customer sees has changed.
        erased.version += 1;
        erased.request.passenger = Passenger::erased();
        erased.request.payment_method = PaymentMethod::dropped();
        Erasure::Erased(Box::new(erased))
    }
}
