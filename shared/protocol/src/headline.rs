//! What a message says of itself, read without knowing its topic or version.

use std::borrow::Cow;

use serde::Deserialize;

use crate::ids::OrderId;
use crate::time::Timestamp;

/// The envelope's attributes of a body, each as far as it can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headline {
    /// The order it is about.
    pub order: Option<OrderId>,
    /// Its CloudEvents type, `booking.charge.v1`.
    pub kind: Option<String>,
    /// Its own time.
    pub time: Option<Timestamp>,
    /// How many delayed copies came before it.
    pub attempt: u32,
}

/// Only the names that are shown: the data is passed over.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Wire<'a> {
    #[serde(borrow)]
    subject: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
    attempt: u32,
}

impl Headline {
    /// That of a body. One that is no JSON object, or has something else than texts there, has none of them.
    pub fn of(body: &str) -> Self {
        let wire: Wire<'_> = serde_json::from_str(body).unwrap_or_default();
        Self {
            order: wire.subject.parse().ok(),
            kind: Some(wire.kind.into_owned()).filter(|kind| !kind.is_empty()),
            time: wire.time.parse().ok(),
            attempt: wire.attempt,
        }
    }
}
