//! How an order is paid: a token of the payment provider, never a card number.

use serde::{Deserialize, Serialize};

use crate::Invalid;
use crate::value::string_value;

/// The provider's token for a payment method, `pm_…`.
///
/// `Debug` hides it: a token must reach no log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PaymentMethod(String);

impl PaymentMethod {
    /// Takes `pm_` and 1 to 64 letters, digits or `_`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let token = text.strip_prefix("pm_").unwrap_or_default();
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if (1..=64).contains(&token.len()) && token.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid(
                "must be a payment method token: pm_ and 1 to 64 letters, digits or '_'; never a card number",
            ))
        }
    }

    /// What stands for the token when it is needed no more.
    pub fn dropped() -> Self {
        Self("pm_dropped".to_owned())
    }
}

string_value!(PaymentMethod);

impl std::fmt::Debug for PaymentMethod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PaymentMethod(pm_…)")
    }
}
