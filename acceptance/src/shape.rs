//! Small checks of wire values, with messages that show the whole value.

use jiff::Timestamp;
use serde_json::Value;

/// Fails unless `value` is an object with exactly these keys.
pub(crate) fn assert_keys(value: &Value, keys: &[&str]) {
    let object = value.as_object().unwrap_or_else(|| panic!("an object: {value:#}"));
    let mut found: Vec<&str> = object.keys().map(String::as_str).collect();
    let mut wanted = keys.to_vec();
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "exactly these keys: {value:#}");
}

/// A string member.
pub(crate) fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("`{member}` is a string: {value:#}"))
}

/// A member that is an integer and not negative.
pub(crate) fn count(value: &Value, member: &str) -> u64 {
    value[member].as_u64().unwrap_or_else(|| panic!("`{member}` is a whole number from 0 on: {value:#}"))
}

/// A member that is an RFC 3339 time in UTC.
pub(crate) fn time(value: &Value, member: &str) -> Timestamp {
    let text = text(value, member);
    assert!(text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T'), "`{member}` is in UTC: {value:#}");
    text.parse().unwrap_or_else(|error| panic!("`{member}` is RFC 3339 ({error}): {value:#}"))
}

/// A `{"value","currency"}` member: the value in minor units.
pub(crate) fn money(value: &Value, member: &str) -> u64 {
    let money = &value[member];
    assert_keys(money, &["value", "currency"]);
    let currency = text(money, "currency");
    assert!(currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase()), "ISO 4217: {value:#}");
    count(money, "value")
}
