//! Who flies, and where the mail goes.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_general_category::{GeneralCategory, get_general_category};

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

/// A name of 1 to 200 characters, with no control characters and not blank: what a stored record or a message of
/// any version may hold. New bookings are held to [`PassengerName::of_new_booking`].
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

    /// The name in a new booking, which we mail under our own name to an address that anyone may give: it must not
    /// be able to carry a link, or text that reads in another order than it is written.
    pub fn of_new_booking(text: &str) -> Result<Self, Invalid> {
        let name = Self::parse(text)?;
        if text.chars().count() > 100 {
            return Err(Invalid("must have at most 100 characters"));
        }
        if !text.chars().all(is_of_names) {
            return Err(Invalid("must hold letters, digits, spaces and ' ’ , . - only"));
        }
        // Mail programs make links of `evil.example`; nothing makes one of `J.R.R. Tolkien`.
        if !text.match_indices('.').all(|(at, dot)| ends_a_word_or_an_initial(&text[at + dot.len()..])) {
            return Err(Invalid("must have a space after each full stop, except between initials"));
        }
        Ok(name)
    }
}

/// The space of Chinese and Japanese text.
const WIDE_SPACE: char = '\u{3000}';

/// Letters and marks that are never seen: fillers, and what only joins.
const UNSEEN: [char; 7] = ['\u{34f}', '\u{115f}', '\u{1160}', '\u{17b4}', '\u{17b5}', '\u{3164}', '\u{ffa0}'];

/// A letter, a mark, a digit, a space, or punctuation of names. Not: characters that set the direction of text or
/// have no width, which are of the category Format.
fn is_of_names(character: char) -> bool {
    matches!(character, ' ' | WIDE_SPACE | '\'' | '’' | ',' | '.' | '-')
        || (is_letter(character) || is_mark(character) || is_digit(character)) && !UNSEEN.contains(&character)
}

fn is_letter(character: char) -> bool {
    use GeneralCategory::{LowercaseLetter, ModifierLetter, OtherLetter, TitlecaseLetter, UppercaseLetter};
    matches!(
        get_general_category(character),
        UppercaseLetter | LowercaseLetter | TitlecaseLetter | ModifierLetter | OtherLetter
    )
}

fn is_mark(character: char) -> bool {
    use GeneralCategory::{EnclosingMark, NonspacingMark, SpacingMark};
    matches!(get_general_category(character), NonspacingMark | SpacingMark | EnclosingMark)
}

fn is_digit(character: char) -> bool {
    get_general_category(character) == GeneralCategory::DecimalNumber
}

/// Whether what follows a full stop is a space, nothing, or one letter (with its marks) and another full stop.
fn ends_a_word_or_an_initial(rest: &str) -> bool {
    match rest.chars().next() {
        None | Some(' ' | WIDE_SPACE) => true,
        Some(letter) if is_letter(letter) => {
            rest[letter.len_utf8()..].trim_start_matches(is_mark).starts_with('.')
        }
        Some(_) => false,
    }
}

string_value!(PassengerName);

/// An e-mail address a ticket can be sent to: `local@domain.tld`, at most 254 characters, all of
/// them ASCII, since SES delivers to no other. New bookings are held to [`EmailAddress::of_new_booking`].
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
            Err(NO_ADDRESS)
        }
    }

    /// The address in a new booking: of a domain that can be one in the DNS.
    pub fn of_new_booking(text: &str) -> Result<Self, Invalid> {
        let address = Self::parse(text)?;
        let domain = text.rsplit_once('@').map_or("", |(_, domain)| domain);
        let is_host = domain.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
        if is_host { Ok(address) } else { Err(NO_ADDRESS) }
    }
}

const NO_ADDRESS: Invalid = Invalid("must be an e-mail address such as ada@example.com");

string_value!(EmailAddress);
