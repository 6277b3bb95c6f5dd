//! The envelope: every message is one CloudEvents 1.0 JSON event.
//!
//! ```json
//! {"specversion":"1.0","id":"<order id>:reserve","source":"/booking-gateway",
//!  "type":"booking.reserve.v1","subject":"<order id>","time":"2026-11-22T20:00:00.000Z",
//!  "expirytime":"2026-11-22T20:02:00.000Z","datacontenttype":"application/json",
//!  "traceparent":"00-…-…-01","data":{…}}
//! ```
//! `attempt` (an extension, absent when 0) counts the delayed copies. `time` and `expirytime` (CloudEvents'
//! expiry extension, absent from what does not expire) survive them. Unknown fields are ignored, so that a
//! later version may add some; a new meaning of the known ones is a new version in `type`, which this
//! version dead-letters.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::Invalid;
use crate::ids::OrderId;
use crate::messages::{Label, Message, Payload};
use crate::time::Timestamp;
use crate::value::string_value;

/// The version of the messages this code speaks.
pub const VERSION: u32 = 1;

/// The largest body a topic takes, in bytes: SQS's 256 KiB less room for attributes.
pub const LARGEST: usize = 255 * 1024;

/// One message about one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<M> {
    /// The order it is about.
    pub order: OrderId,
    /// The message.
    pub message: M,
    /// For a command, since when its order has waited for it; for an update, when it was given.
    pub time: Timestamp,
    /// Past this moment its successor is under way: the order's command was sent again. Never for a
    /// message that is sent once.
    pub expires: Option<Timestamp>,
    /// The trace it belongs to.
    pub traceparent: Option<TraceParent>,
    /// How many delayed copies came before it.
    pub attempt: u32,
}

impl<M> Event<M> {
    /// The same event with another form of its message.
    pub fn map<N>(self, form: impl FnOnce(M) -> N) -> Event<N> {
        let Self { order, message, time, expires, traceparent, attempt } = self;
        Event { order, message: form(message), time, expires, traceparent, attempt }
    }

    /// The message that answers this one: in the same trace, and it expires with it, since the answer to
    /// a successor says the same.
    pub fn reply<R>(&self, message: R, time: Timestamp) -> Event<R> {
        let (order, expires, traceparent) = (self.order, self.expires, self.traceparent.clone());
        Event { order, message, time, expires, traceparent, attempt: 0 }
    }

    /// Whether its successor is under way at that moment.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl<M: Payload> Event<M> {
    /// The event's id: `<order id>:<step>`.
    pub fn id(&self) -> String {
        format!("{}:{}", self.order, self.message.label().step)
    }

    /// The event as JSON.
    pub fn encode(&self) -> String {
        let data = serde_json::to_value(&self.message)
            .ok()
            .and_then(|mut tagged| tagged.get_mut("data").map(Value::take));
        let Label { name, source, .. } = self.message.label();
        let wire = WireRef {
            specversion: "1.0",
            id: self.id(),
            source,
            kind: format!("booking.{name}.v{VERSION}"),
            subject: self.order,
            time: self.time,
            expirytime: self.expires,
            datacontenttype: "application/json",
            traceparent: self.traceparent.as_ref(),
            attempt: Some(self.attempt).filter(|&attempt| attempt > 0),
            data,
        };
        #[expect(clippy::expect_used, reason = "strings, numbers and string-keyed maps always serialize")]
        serde_json::to_string(&wire).expect("an event is plain JSON")
    }
}

impl<M: Message> Event<M> {
    /// Reads an event of this topic.
    ///
    /// # Errors
    /// Tells the operator why the body cannot be read.
    pub fn decode(body: &str) -> Result<Self, DecodeError> {
        if body.len() > LARGEST {
            return Err(DecodeError::TooLarge(body.len()));
        }
        let wire: Wire =
            serde_json::from_str(body).map_err(|error| DecodeError::NotAnEvent(error.to_string()))?;
        if wire.specversion != "1.0" {
            return Err(DecodeError::SpecVersion(wire.specversion));
        }
        let unknown = || DecodeError::UnknownType { kind: wire.kind.clone(), topic: M::TOPIC.name() };
        let (name, version) =
            wire.kind.strip_prefix("booking.").and_then(|rest| rest.rsplit_once(".v")).ok_or_else(unknown)?;
        match version.parse::<u32>() {
            Ok(VERSION) => {}
            Ok(newer) if newer > VERSION => return Err(DecodeError::NewerVersion(wire.kind)),
            _ => return Err(unknown()),
        }
        let mut tagged = serde_json::Map::from_iter([("type".to_owned(), Value::from(name))]);
        tagged.extend(wire.data.map(|data| ("data".to_owned(), data)));
        let message = serde_json::from_value(Value::Object(tagged)).map_err(|error| {
            let error = error.to_string();
            if error.starts_with("unknown variant") {
                unknown()
            } else {
                DecodeError::Data { kind: wire.kind.clone(), error }
            }
        })?;
        Ok(Self {
            order: wire.subject,
            message,
            time: wire.time,
            expires: wire.expirytime,
            // An unreadable trace must not stop an order.
            traceparent: wire.traceparent.and_then(|text| TraceParent::parse(&text).ok()),
            attempt: wire.attempt,
        })
    }
}

/// Why a body is not an event this consumer can act on; it is dead-lettered with this as its reason.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// Longer than a topic takes.
    #[error("undecodable: {0} bytes, more than the {LARGEST} a message may have")]
    TooLarge(usize),
    /// Not JSON, or lacking one of the envelope's attributes.
    #[error("undecodable: not a CloudEvent: {0}")]
    NotAnEvent(String),
    /// Another CloudEvents version.
    #[error("undecodable: specversion is {0:?}, must be \"1.0\"")]
    SpecVersion(String),
    /// Sent by a later version of a service than this one.
    #[error(
        "newer version: {0} was sent by a later version than this consumer; redrive it after the upgrade"
    )]
    NewerVersion(String),
    /// Not one of this topic's messages.
    #[error("undecodable: {kind} is not a message of {topic}")]
    UnknownType {
        /// Its type.
        kind: String,
        /// The topic it was found in.
        topic: &'static str,
    },
    /// One of this topic's messages, with invalid data.
    #[error("undecodable: the data of {kind}: {error}")]
    Data {
        /// Its type.
        kind: String,
        /// Why the data is invalid.
        error: String,
    },
}

#[derive(Serialize)]
struct WireRef<'a> {
    specversion: &'static str,
    id: String,
    source: &'static str,
    #[serde(rename = "type")]
    kind: String,
    subject: OrderId,
    time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    expirytime: Option<Timestamp>,
    datacontenttype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a TraceParent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
}

#[derive(Deserialize)]
struct Wire {
    specversion: String,
    #[serde(rename = "type")]
    kind: String,
    subject: OrderId,
    time: Timestamp,
    expirytime: Option<Timestamp>,
    traceparent: Option<String>,
    #[serde(default)]
    attempt: u32,
    data: Option<Value>,
}

/// A W3C trace context, `00-<trace id>-<parent id>-<flags>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceParent(String);

impl TraceParent {
    /// Takes version 00 with non-zero ids.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let hex = |part: &str, len| {
            part.len() == len && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let some = |part: &str| part.bytes().any(|b| b != b'0');
        match text.split('-').collect::<Vec<_>>()[..] {
            ["00", trace, parent, flags]
                if hex(trace, 32) && some(trace) && hex(parent, 16) && some(parent) && hex(flags, 2) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(Invalid("must be a W3C traceparent of version 00")),
        }
    }

    /// The start of a new trace, named by 24 random bytes.
    pub fn from_bytes(mut bytes: [u8; 24]) -> Self {
        // All-zero ids are not allowed; one bit each rules them out.
        bytes[0] |= 1;
        bytes[16] |= 1;
        let (trace, parent) = bytes.split_at(16);
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte));
        Self(format!("00-{:032x}-{:016x}-01", number(trace), number(parent)))
    }

    /// The 32 hexadecimal digits that a whole order's messages share.
    pub fn trace_id(&self) -> &str {
        self.0.get(3..35).unwrap_or_default()
    }
}

string_value!(TraceParent);
