//! The customer's key to a booking, byte for byte: the gateway and the Email Service derive the same.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use protocol::ids::OrderId;
use protocol::manage::{ManageLinks, ManageSecrets, PublicUrl};
use protocol::secret::Secret;

const TOKEN: &str = "RicMEamBBo8ITNuZhHAspw";

fn order() -> OrderId {
    "6f1c1f0e-5d3b-4a0e-9b1a-2f4c6d8e0a1b".parse().unwrap()
}

fn secret(byte: u8) -> Secret {
    Secret::new(&[byte; 32]).unwrap()
}

fn secrets(current: u8, previous: Option<u8>) -> ManageSecrets {
    ManageSecrets { current: secret(current), previous: previous.map(secret) }
}

#[test]
fn a_token_is_the_keyed_hash_of_its_order() {
    assert_eq!(secrets(7, None).token(order()).as_str(), TOKEN);
}

#[test]
fn the_tokens_of_the_current_and_the_previous_secret_count_and_no_others() {
    for (secrets, accepted) in [
        (secrets(7, None), true),
        (secrets(8, Some(7)), true),
        (secrets(8, None), false),
        (secrets(8, Some(9)), false),
    ] {
        assert_eq!(secrets.accept(order(), TOKEN), accepted);
    }
    let other = OrderId::from_bytes([1; 16]);
    assert!(!secrets(7, None).accept(other, TOKEN));
    for wrong in
        ["", &TOKEN[..21], "RicMEamBBo8ITNuZhHAspwA", "RicMEamBBo8ITNuZhHAspw==", "ricmeambbo8itnuzhhaspw"]
    {
        assert!(!secrets(7, None).accept(order(), wrong), "{wrong}");
    }
}

#[test]
fn no_secret_and_no_token_is_shown_by_debug() {
    let secrets = secrets(7, Some(8));
    let shown = format!("{secrets:?} {:?}", secrets.token(order()));
    assert!(!shown.contains('7') && !shown.contains(TOKEN), "{shown}");
}

#[test]
fn a_short_secret_is_none() {
    assert!(Secret::new(&[7; 31]).is_none());
}

#[test]
fn a_link_carries_the_token_in_its_fragment() {
    for url in ["https://tickets.example.com/v1", "https://tickets.example.com/v1/"] {
        let links = ManageLinks { url: PublicUrl::parse(url).unwrap(), secrets: secrets(7, None) };
        assert_eq!(links.link(order()), format!("https://tickets.example.com/v1/#{}/{TOKEN}", order()));
    }
    for bad in [
        "",
        "tickets.example.com",
        "ftp://a",
        "https://",
        "https:///x",
        "https://a/?b",
        "https://a/#b",
        "https://a b",
    ] {
        assert!(PublicUrl::parse(bad).is_err(), "{bad}");
    }
}
