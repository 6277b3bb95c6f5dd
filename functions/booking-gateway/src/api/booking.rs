//! An order as its customer sees it.

use protocol::flight::{FlightId, SeatCount};
use protocol::ids::OrderId;
use protocol::manage::ManageToken;
use protocol::money::Money;
use protocol::passenger::Passenger;
use protocol::reason::Reason;
use protocol::time::Timestamp;
use serde::Serialize;

use super::access::Access;
use crate::order::{Awaiting, Change, Order, Status};

/// The body of every answer about one booking. The payment token is not in it.
#[derive(Debug, Serialize)]
pub(super) struct Booking<'a> {
    id: OrderId,
    status: Status,
    awaiting: &'static [Awaiting],
    settled: bool,
    reason: Option<Reason>,
    flight_id: &'a FlightId,
    seats: SeatCount,
    amount: Option<&'a Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    passenger: Option<Option<&'a Passenger>>,
    history: &'a [Change],
    waiting_since: Option<Timestamp>,
    expires_at: Timestamp,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    manage_token: Option<ManageToken>,
}

impl<'a> Booking<'a> {
    /// That order, to a caller of that access; with its key, to the customer who has just booked it.
    pub(super) fn of(order: &'a Order, access: Access, manage_token: Option<ManageToken>) -> Self {
        let passenger = match access {
            Access::Managed => Some(&order.request.passenger),
            Access::Public => None,
        };
        Self { passenger: Some(passenger), manage_token, ..Self::without_passenger(order) }
    }

    /// That order, to an operator.
    pub(super) fn without_passenger(order: &'a Order) -> Self {
        Self {
            id: order.id,
            status: order.state.status(),
            awaiting: order.state.awaiting(),
            settled: order.state.is_settled(),
            reason: order.reason,
            flight_id: &order.request.flight_id,
            seats: order.request.seats,
            amount: order.amount.as_ref(),
            passenger: None,
            history: &order.history,
            waiting_since: order.waiting_since(),
            expires_at: order.not_after,
            created_at: order.created_at,
            updated_at: order.updated_at(),
            manage_token: None,
        }
    }
}
