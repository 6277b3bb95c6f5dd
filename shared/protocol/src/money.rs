//! Money: a whole number of minor units, and a currency.

use serde::{Deserialize, Serialize};

use crate::Invalid;
use crate::flight::SeatCount;
use crate::value::string_value;

/// An ISO 4217 currency code such as `EUR`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(String);

impl Currency {
    /// Takes three capital letters.
    pub fn parse(code: &str) -> Result<Self, Invalid> {
        if code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()) {
            Ok(Self(code.to_owned()))
        } else {
            Err(Invalid("must be an ISO 4217 code of three capital letters"))
        }
    }
}

string_value!(Currency);

/// An amount in minor units (cents for EUR): never a fraction, never a float.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units.
    pub value: u64,
    /// What they are units of.
    pub currency: Currency,
}

impl Money {
    /// The price of that many seats; `None` where it would not fit.
    pub fn times(&self, seats: SeatCount) -> Option<Money> {
        let value = self.value.checked_mul(u64::from(seats.get()))?;
        Some(Money { value, currency: self.currency.clone() })
    }
}

impl std::fmt::Display for Money {
    /// `EUR 259.00`. Every currency is shown with two decimals, as in the mails.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}.{:02}", self.currency, self.value / 100, self.value % 100)
    }
}
