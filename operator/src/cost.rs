//! What a read of whole tables costs, before it is made. DynamoDB counts the size of a table every six hours.

use std::fmt;

use crate::records::{Size, Sizes};

/// What a million read units cost on demand, by AWS's list price in us-east-1, in dollars.
const MILLION_READS: f64 = 0.125;

/// How much of a table a read unit reads where it may be a moment old, and half of it where it may not.
const UNIT: u64 = 8 * 1024;

/// The audit reads four records for each order, one by one: the reservation, the payment, its account, the last mail.
const RECORDS: u64 = 4;

/// What a read costs, as one line for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    what: &'static str,
    size: Size,
    /// Its read units.
    pub units: u64,
}

impl Cost {
    /// Of a list of all orders, or of those of a status. A page that is full sooner costs less.
    pub fn of_a_list(orders: Size) -> Self {
        let units = orders.bytes.div_ceil(UNIT / 2);
        Self { what: "a list reads up to the whole table of orders", size: orders, units }
    }

    /// Of an audit. Flights that are sold meanwhile and orders that differ are read once more.
    pub fn of_an_audit(Sizes { orders, tickets, payments }: Sizes) -> Self {
        let all = [orders, tickets, payments];
        let size = Size {
            items: all.iter().map(|table| table.items).sum(),
            bytes: all.iter().map(|table| table.bytes).sum(),
        };
        let units = size.bytes.div_ceil(UNIT) + RECORDS * orders.items;
        Self { what: "an audit reads three whole tables, and four records for each order", size, units }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, size: Size { items, bytes }, units } = self;
        #[expect(clippy::cast_precision_loss, reason = "a price, to a hundredth of a cent")]
        let dollars = *units as f64 / 1e6 * MILLION_READS;
        write!(
            f,
            "{what}: {items} items, {bytes} bytes, as DynamoDB last counted them; some {units} read units, ${dollars:.4}"
        )
    }
}
