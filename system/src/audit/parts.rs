//! What each order adds to a tally, kept where its platform wants it.

use std::fmt::Debug;

use messaging::store::StoreError;
use protocol::ids::OrderId;

/// What one order adds to a [`Tally`](super::Tally).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Whether the gateway knows it.
    pub(super) is_order: bool,
    /// The seats that it holds, on the flight of that number in the tally.
    pub(super) seats: u8,
    pub(super) flight: u32,
}

impl Part {
    /// As a number, to be stored.
    pub fn to_bits(self) -> i64 {
        i64::from(self.flight) << 9 | i64::from(self.seats) << 1 | i64::from(self.is_order)
    }

    /// What [`Part::to_bits`] answered.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what was shifted there")]
    pub fn from_bits(bits: i64) -> Self {
        Self { is_order: bits & 1 == 1, seats: (bits >> 1) as u8, flight: (bits >> 9) as u32 }
    }
}

/// The parts of one tally, by order. The one thing in it that grows with the number of orders.
///
/// **Crash contract:** they are gone with the process, as the tally is.
pub trait Parts: Debug + Send {
    /// Keeps what an order adds from now on, `None` for nothing. Answers what it added before.
    ///
    /// # Errors
    /// They cannot be kept. The tally that they belong to is of no use any more.
    fn replace(&mut self, order: OrderId, part: Option<Part>) -> Result<Option<Part>, StoreError>;
}
