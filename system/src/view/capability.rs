//! What not every platform can do.

use serde::Serialize;

/// What not every platform can do. `GET /operator/system` lists those that one has, and the system page shows what they need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Customers book where the operator's API is: `POST /bookings`.
    Bookings,
    /// Messages that cannot be handled are sent to try it: `POST /operator/poison`.
    Poison,
    /// Messages and orders are told one by one as they move, and an order's journey has its messages.
    Messages,
    /// The counts of the topics are exact.
    ExactCounts,
    /// Everything is read at any time: the orders are counted, listed by their age, and audited without being asked.
    FreeReads,
}
