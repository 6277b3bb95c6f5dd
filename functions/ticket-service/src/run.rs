//! Holds that are made together.

use protocol::flight::FlightId;
use protocol::ids::OrderId;

use crate::store::Wanted;

/// What several orders want of one flight, in the order in which they asked. Never empty; no order is in it
/// twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    flight_id: FlightId,
    orders: Vec<(OrderId, Wanted)>,
}

#[expect(clippy::len_without_is_empty, reason = "it never is")]
impl Run {
    /// The most orders of a run: a transaction of DynamoDB takes 100 actions, and one is about the flight.
    pub const LONGEST: usize = 99;

    /// A run of one order.
    pub fn of(order: OrderId, wanted: Wanted) -> Self {
        Self { flight_id: wanted.flight_id.clone(), orders: vec![(order, wanted)] }
    }

    /// Adds an order at the end; `false` if it wants another flight, is in the run already, or the run is full.
    pub fn join(&mut self, order: OrderId, wanted: Wanted) -> bool {
        let joins = self.len() < Self::LONGEST
            && wanted.flight_id == self.flight_id
            && self.orders.iter().all(|(other, _)| *other != order);
        if joins {
            self.orders.push((order, wanted));
        }
        joins
    }

    /// The flight that all of them want.
    pub fn flight_id(&self) -> &FlightId {
        &self.flight_id
    }

    /// The orders and what they want.
    pub fn orders(&self) -> &[(OrderId, Wanted)] {
        &self.orders
    }

    /// How many orders.
    pub fn len(&self) -> usize {
        self.orders.len()
    }
}
