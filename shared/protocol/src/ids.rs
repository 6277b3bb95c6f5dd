//! The id of an order: a UUIDv7, whose neighbours in time are neighbours in an index, or a UUIDv4.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Invalid;
use crate::time::Timestamp;

/// Names one order everywhere: in the URL, in every message, in every service's records.
///
/// It is unguessable, since it is enough to see how the order stands. To change it takes a
/// [`ManageToken`](crate::manage::ManageToken).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(Uuid);

impl OrderId {
    /// An id that no order has: a read of it opens a connection and finds nothing.
    pub const NIL: OrderId = OrderId(Uuid::nil());

    /// 16 bytes (random, or derived with a keyed hash) shaped as a UUIDv4: 122 bits are kept.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// 10 bytes (random, or derived with a keyed hash) shaped as a UUIDv7 of that moment: 74 bits are kept.
    pub fn at(time: Timestamp, bytes: [u8; 10]) -> Self {
        let millis = u64::try_from(time.as_millis()).unwrap_or_default();
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid())
    }

    /// The id that has these 16 bytes, as they were stored.
    pub fn stored(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The id's 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl FromStr for OrderId {
    type Err = Invalid;

    /// Takes the hyphenated form alone: one order has one URL.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match Uuid::try_parse(text) {
            Ok(id) if text.len() == 36 => Ok(Self(id)),
            _ => Err(Invalid("must be an order id, a UUID")),
        }
    }
}
