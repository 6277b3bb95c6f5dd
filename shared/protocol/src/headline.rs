//! What a message says of itself, read without knowing its topic or version.

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
    subject: Attribute<'a>,
    #[serde(borrow, rename = "type")]
    kind: Attribute<'a>,
    #[serde(borrow)]
    time: Attribute<'a>,
    attempt: Option<u32>,
}

/// A text, or something else, which is no attribute.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Attribute<'a> {
    Borrowed(&'a str),
    Owned(String),
    Other(serde::de::IgnoredAny),
    #[default]
    Absent,
}

impl Attribute<'_> {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Borrowed(text) => Some(text),
            Self::Owned(text) => Some(text),
            Self::Other(_) | Self::Absent => None,
        }
    }
}

impl Headline {
    /// That of a body. One that is no JSON object has none of them.
    pub fn of(body: &str) -> Self {
        let wire: Wire<'_> = serde_json::from_str(body).unwrap_or_default();
        Self {
            order: wire.subject.text().and_then(|subject| subject.parse().ok()),
            kind: wire.kind.text().map(str::to_owned),
            time: wire.time.text().and_then(|time| time.parse().ok()),
            attempt: wire.attempt.unwrap_or_default(),
        }
    }
}
