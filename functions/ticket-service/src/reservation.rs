//! What was decided about one order. The first decision is final and never deleted: a command that is
//! redriven weeks later must get the same answer.

use protocol::flight::{FlightId, Route, SeatCount};
use protocol::messages::OrderUpdate;
use protocol::money::Money;
use protocol::reason::Unavailable;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The record of one order.
///
/// ```text
/// (none) ──reserve──▶ Held ──release──▶ Released
///    ├─────reserve──▶ Refused
///    └─────release──▶ Released (a tombstone: a late reserve finds it and holds nothing)
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Reservation {
    /// The seats are the order's.
    Held(Hold),
    /// There were none.
    Refused {
        /// Why.
        reason: Unavailable,
    },
    /// The order holds none, and never will again.
    Released,
}

/// Seats held for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// On this flight.
    pub flight_id: FlightId,
    /// So many.
    pub seats: SeatCount,
    /// At this price in all.
    pub amount: Money,
    /// When the flight leaves.
    pub departs_at: Timestamp,
    /// Between which places; `None` in a record of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
}

impl Reservation {
    /// The answer to any command about the order: what the record says now.
    pub fn answer(&self) -> OrderUpdate {
        match self {
            Reservation::Held(Hold { amount, departs_at, route, .. }) => OrderUpdate::TicketsReserved {
                amount: amount.clone(),
                departs_at: *departs_at,
                route: route.clone(),
            },
            Reservation::Refused { reason } => OrderUpdate::TicketsUnavailable { reason: *reason },
            Reservation::Released => OrderUpdate::TicketsReleased,
        }
    }
}
