//! The outage drill, small.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::bookings;

#[test]
fn nothing_is_lost_or_paid_for_nothing_in_the_outage_drill() {
    let drill = ["drill", "--bookings", "100", "--rate", "100"];
    let output = bookings().args(drill).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8(output.stderr).unwrap());
    let line = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{said}")).trim().to_owned()
    };
    assert_eq!(line("accepted"), "100");
    let settled = line("settled");
    assert!(settled.starts_with("100 "), "{settled}");
    for status in ["confirmed", "payment_declined", "cancelled", "rejected"] {
        assert!(settled.contains(status), "the story has {status}: {settled}");
    }
    for violation in ["lost", "charged twice", "paid for nothing"] {
        assert_eq!(line(violation), "0");
    }
    assert_eq!(line("audit"), "clean");
    let stories = String::from_utf8(output.stderr).unwrap();
    for event in ["Billing Service is down", "loses every reply", "is killed", "everything is back"] {
        assert!(stories.contains(event), "{stories}");
    }
}
