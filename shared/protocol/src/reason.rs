//! Why an order did not end in a ticket.

use serde::{Deserialize, Serialize};

/// The reason that the customer sees, in the booking and in the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The flight had too few seats left.
    SoldOut,
    /// There is no such flight.
    UnknownFlight,
    /// The flight had left.
    Departed,
    /// The seats cost another amount than the customer expected.
    PriceChanged,
    /// The card was refused.
    CardDeclined,
    /// The customer changed their mind.
    CancelledByCustomer,
    /// It could not be finished before its deadline.
    Expired,
}

/// Why no seats were held. Final: it is on the Ticket Service's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unavailable {
    /// The flight had too few seats left when the order was decided.
    SoldOut,
    /// There was no such flight when the order was decided.
    UnknownFlight,
    /// The flight had left when the order was decided.
    Departed,
    /// The seats cost another amount than the customer expected when the order was decided.
    PriceChanged,
}

/// Why no money was captured. Final: the provider holds no open payment any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Declined {
    /// The provider refused the card.
    CardDeclined,
    /// The charge came after the order's deadline.
    Expired,
}

impl From<Unavailable> for Reason {
    fn from(reason: Unavailable) -> Self {
        match reason {
            Unavailable::SoldOut => Reason::SoldOut,
            Unavailable::UnknownFlight => Reason::UnknownFlight,
            Unavailable::Departed => Reason::Departed,
            Unavailable::PriceChanged => Reason::PriceChanged,
        }
    }
}

impl From<Declined> for Reason {
    fn from(reason: Declined) -> Self {
        match reason {
            Declined::CardDeclined => Reason::CardDeclined,
            Declined::Expired => Reason::Expired,
        }
    }
}
