//! Who flies, and where the mail goes.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Invalid;
use crate::value::string_value;

/// The person an order is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passenger {
    /// As it should stand on the ticket.
    pub name: PassengerName,
    /// Where every mail about the order goes.
    pub email: EmailAddress,
}

impl Passenger {
    /// What stands for a passenger whose data was erased.
    pub fn erased() -> Self {
        let (name, email) = ("Erased".to_owned(), "erased@erased.invalid".to_owned());
        Self { name: PassengerName(name), email: EmailAddress(email) }
    }
}

/// A name of 1 to 200 characters, with no control characters and not blank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PassengerName(String);

impl PassengerName {
    /// Takes the name as given, white space at its ends included.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.trim().is_empty() {
            return Err(Invalid("must not be blank"));
        }
        if text.chars().count() > 200 {
            return Err(Invalid("must have at most 200 characters"));
        }
        if text.chars().any(char::is_control) {
            return Err(Invalid("must not contain control characters"));
        }
        Ok(Self(text.to_owned()))
    }
}

string_value!(PassengerName);

/// An e-mail address a ticket can be sent to: `local@domain.tld`, at most 254 characters, all of
/// them ASCII, since SES delivers to no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Takes one bare address: no display name, no quoted local part, no address literal.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let bare = email_address::EmailAddress::from_str(text).is_ok_and(|address| {
            address.as_str() == text
                && text.is_ascii()
                && !text.contains(['"', '<', '[', ' '])
                && address.domain().contains('.')
        });
        if bare && text.len() <= 254 && !text.chars().any(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid("must be an e-mail address such as ada@example.com"))
        }
    }
}

string_value!(EmailAddress);
