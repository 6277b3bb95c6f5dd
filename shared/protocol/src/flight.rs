//! What is booked: a flight and a number of seats.

use serde::{Deserialize, Serialize};

use crate::Invalid;
use crate::value::string_value;

/// Names a flight, such as `OS-101`. An id of this shape may still name no flight: only the
/// Ticket Service knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FlightId(String);

impl FlightId {
    /// Takes 1 to 32 letters, digits, `-`, `_` and `.`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if (1..=32).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid("must be a flight id: 1 to 32 letters, digits, '-', '_' or '.'"))
        }
    }
}

string_value!(FlightId);

/// Names a time zone of the IANA database, such as `Europe/Vienna`. A name of this shape may still name no zone:
/// what reads flights from people looks it up.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeZoneName(String);

impl TimeZoneName {
    /// Takes 1 to 64 letters, digits, `/`, `_`, `+` and `-`, the first a letter.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'+' | b'-');
        let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
        if begins && text.len() <= 64 && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid("must be an IANA time zone such as Europe/Vienna"))
        }
    }
}

impl Default for TimeZoneName {
    /// `UTC`.
    fn default() -> Self {
        Self("UTC".to_owned())
    }
}

string_value!(TimeZoneName);

/// Between which places a flight goes, and the clock that its passengers read before it leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// From where: an IATA code or a city.
    pub from: String,
    /// To where.
    pub to: String,
    /// Of the departure airport; `UTC` where it is not known.
    #[serde(default)]
    pub time_zone: TimeZoneName,
}

/// How many seats one order takes: 1 to 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct SeatCount(u8);

impl SeatCount {
    /// The number, 1 to 9.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u64> for SeatCount {
    type Error = Invalid;

    fn try_from(seats: u64) -> Result<Self, Invalid> {
        match u8::try_from(seats) {
            Ok(seats @ 1..=9) => Ok(Self(seats)),
            _ => Err(Invalid("must be a whole number from 1 to 9")),
        }
    }
}

impl From<SeatCount> for u64 {
    fn from(seats: SeatCount) -> u64 {
        u64::from(seats.0)
    }
}
