//! What a customer reads: the text, the page and the calendar's entry of each mail, and the message they travel in.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use email_service::mail::Mail;
use mailparse::{MailHeaderMap, ParsedMail, parse_mail};
use protocol::flight::{FlightId, Route, SeatCount, TimeZoneName};
use protocol::ids::OrderId;
use protocol::manage::{ManageLinks, ManageSecrets, PublicUrl};
use protocol::messages::{Notice, NoticeOutcome};
use protocol::money::{Currency, Money};
use protocol::passenger::{EmailAddress, Passenger, PassengerName};
use protocol::reason::Reason;
use protocol::secret::Secret;
use protocol::time::Timestamp;

fn order() -> OrderId {
    "3f2b8c1d-0000-4000-8000-00000000002a".parse().unwrap()
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

fn route(zone: &str) -> Option<Route> {
    let time_zone = TimeZoneName::parse(zone).unwrap();
    Some(Route { from: "Vienna".to_owned(), to: "Lisbon".to_owned(), time_zone })
}

fn notice(outcome: NoticeOutcome, reason: Option<Reason>) -> Notice {
    Notice {
        outcome,
        reason,
        passenger: Passenger {
            name: PassengerName::parse("Ada Byron").unwrap(),
            email: address("ada@example.com"),
        },
        flight_id: FlightId::parse("OS-101").unwrap(),
        seats: SeatCount::try_from(2).unwrap(),
        amount: Some(Money { value: 25_900, currency: Currency::parse("EUR").unwrap() }),
        departs_at: Some(moment("2026-12-01T06:40:00Z")),
        route: route("Europe/Vienna"),
    }
}

fn confirmed() -> Notice {
    notice(NoticeOutcome::Confirmed, None)
}

fn links() -> ManageLinks {
    let url = PublicUrl::parse("https://tickets.example.com/").unwrap();
    let current = Secret::new(b"a secret of more than thirty-two bytes").unwrap();
    ManageLinks { url, secrets: ManageSecrets { current, previous: None } }
}

fn compose(notice: &Notice) -> Mail {
    Mail::compose(order(), notice, Some(&links()), moment("2026-11-24T18:00:05.250Z"))
}

fn message(mail: &Mail) -> Vec<u8> {
    let date = moment("2026-11-24T18:00:06Z");
    mail.message(&address("tickets@example.com"), date).unwrap()
}

/// Compares with a file of `tests/golden`. With GOLDEN=write the file is written: then read what has changed.
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var("GOLDEN").as_deref() == Ok("write") {
        fs::write(&path, text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(&path).unwrap(), "{name}");
}

#[test]
fn each_mail_says_what_became_of_the_booking() {
    for (name, outcome, reason) in [
        ("confirmed", NoticeOutcome::Confirmed, None),
        ("sold-out", NoticeOutcome::Rejected, Some(Reason::SoldOut)),
        ("price-changed", NoticeOutcome::Rejected, Some(Reason::PriceChanged)),
        ("declined", NoticeOutcome::PaymentDeclined, Some(Reason::CardDeclined)),
        ("cancelled", NoticeOutcome::Cancelled, Some(Reason::CancelledByCustomer)),
        ("expired", NoticeOutcome::Cancelled, Some(Reason::Expired)),
    ] {
        let mail = compose(&notice(outcome, reason));
        golden(&format!("{name}.txt"), &format!("{}\n\n{}", mail.subject(), mail.text()));
        golden(&format!("{name}.html"), &mail.html());
        assert_eq!(mail.calendar().is_some(), name == "confirmed", "{name}");
    }
}

#[test]
fn a_confirmed_booking_is_an_entry_for_a_calendar() {
    golden("confirmed.ics", compose(&confirmed()).calendar().as_deref().unwrap());
}

#[test]
fn a_departure_is_told_on_the_clock_of_its_airport() {
    for (zone, at, told) in [
        (
            "Europe/Vienna",
            "2026-12-01T06:40:00Z",
            "Tuesday, 1 December 2026, 07:40, local time in Vienna (UTC+01:00)",
        ),
        (
            "Europe/Vienna",
            "2026-07-01T06:40:00Z",
            "Wednesday, 1 July 2026, 08:40, local time in Vienna (UTC+02:00)",
        ),
        (
            "Asia/Tokyo",
            "2026-12-01T18:40:00Z",
            "Wednesday, 2 December 2026, 03:40, local time in Vienna (UTC+09:00)",
        ),
        (
            "Asia/Kathmandu",
            "2026-12-01T06:40:00Z",
            "Tuesday, 1 December 2026, 12:25, local time in Vienna (UTC+05:45)",
        ),
        (
            "America/St_Johns",
            "2026-12-01T01:00:00Z",
            "Monday, 30 November 2026, 21:30, local time in Vienna (UTC-03:30)",
        ),
        ("UTC", "2026-12-01T06:40:00Z", "Tuesday, 1 December 2026, 06:40 UTC"),
        ("Mars/Olympus", "2026-12-01T06:40:00Z", "Tuesday, 1 December 2026, 06:40 UTC"),
    ] {
        let mail = compose(&Notice { route: route(zone), departs_at: Some(moment(at)), ..confirmed() });
        assert!(mail.body().contains(&format!("departs  {told}\n")), "{zone}: {}", mail.body());
        assert!(mail.html().contains(told), "{zone}");
        let start = at.replace(['-', ':'], "");
        assert!(
            mail.calendar().unwrap().contains(&format!("DTSTART:{start}\r\n")),
            "{zone}: the same moment"
        );
    }
}

#[test]
fn a_notice_of_before_is_told_in_utc_and_without_cities() {
    let mail = compose(&Notice { route: None, ..confirmed() });
    assert!(
        mail.body().contains("flight   OS-101\n  departs  Tuesday, 1 December 2026, 06:40 UTC\n"),
        "{}",
        mail.body()
    );
    let bare = compose(&Notice { route: None, departs_at: None, amount: None, ..confirmed() });
    assert_eq!(bare.calendar(), None, "there is nothing to enter");
    assert!(!bare.body().contains("departs") && !bare.body().contains("  paid"), "{}", bare.body());
}

const EVIL: &str = "<b onclick=\"x\">Bobby</b> & 'Co'";

#[test]
fn what_a_customer_or_a_flights_file_says_is_never_an_element_of_the_page() {
    let passenger =
        Passenger { name: PassengerName::parse(EVIL).unwrap(), email: address("ada@example.com") };
    let route = Route { from: EVIL.to_owned(), ..route("Europe/Vienna").unwrap() };
    let html = compose(&Notice { passenger, route: Some(route), ..confirmed() }).html();
    assert!(!html.contains("<b ") && html.contains("&lt;b onclick="), "{html}");
}

#[test]
fn a_calendar_escapes_and_folds_what_it_is_told() {
    let from = "Straße, Nr. 5; \\ Ñ\nBEGIN:VALARM ".repeat(3);
    let route = Route { from: from.clone(), ..route("Europe/Vienna").unwrap() };
    let entry = compose(&Notice { route: Some(route), ..confirmed() }).calendar().unwrap();
    assert!(
        entry.ends_with("END:VCALENDAR\r\n") && !entry.replace("\r\n", "").contains(['\r', '\n']),
        "{entry}"
    );
    for line in entry.split("\r\n") {
        assert!(line.len() <= 75, "{} bytes: {line}", line.len());
        assert!(!line.starts_with("BEGIN:VALARM"), "no text becomes a line of its own");
    }
    let unfolded = entry.replace("\r\n ", "");
    let location = unfolded.split("\r\n").find_map(|line| line.strip_prefix("LOCATION:")).unwrap();
    let escaped = from.replace('\\', "\\\\").replace(',', "\\,").replace(';', "\\;").replace('\n', "\\n");
    assert_eq!(location, escaped);
}

#[test]
fn the_same_facts_make_the_same_message() {
    let one = message(&compose(&confirmed()));
    assert_eq!(one, message(&compose(&confirmed())));
}

/// The parts without parts of their own, with their types.
fn leaves<'a>(mail: &'a ParsedMail<'a>) -> Vec<(String, String)> {
    let leaves = mail.parts().filter(|part| part.subparts.is_empty());
    // On its way a text has CRLF.
    leaves.map(|part| (part.ctype.mimetype.clone(), part.get_body().unwrap().replace("\r\n", "\n"))).collect()
}

#[test]
fn a_confirmed_mail_is_a_text_a_page_and_an_entry_for_a_calendar() {
    let mail = compose(&confirmed());
    let bytes = message(&mail);
    assert!(bytes.is_ascii() && bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= 998));
    let parsed = parse_mail(&bytes).unwrap();
    let header = |name| parsed.headers.get_first_value(name).unwrap();
    assert_eq!(header("From"), "tickets@example.com");
    assert_eq!(header("To"), "ada@example.com");
    assert_eq!(header("Subject"), "Your booking on OS-101 is confirmed");
    assert_eq!(header("Date"), "Tue, 24 Nov 2026 18:00:06 +0000");
    assert_eq!(header("Message-ID"), format!("<{}.1@example.com>", order()));
    assert_eq!(parsed.ctype.mimetype, "multipart/mixed");
    assert_eq!(parsed.subparts[0].ctype.mimetype, "multipart/alternative");
    let calendar = &parsed.subparts[1];
    assert_eq!(
        (calendar.ctype.params["method"].as_str(), calendar.ctype.charset.as_str()),
        ("PUBLISH", "utf-8")
    );
    let disposition = calendar.get_content_disposition();
    assert_eq!(disposition.params["filename"], "flight.ics");
    let lines = |text: String| text.replace("\r\n", "\n");
    let expected = [
        ("text/plain", mail.text()),
        ("text/html", mail.html()),
        ("text/calendar", lines(mail.calendar().unwrap())),
    ];
    assert_eq!(leaves(&parsed), expected.map(|(kind, text)| (kind.to_owned(), text)));
}

#[test]
fn other_mails_are_a_text_and_a_page() {
    let mail = compose(&notice(NoticeOutcome::Cancelled, None));
    let bytes = message(&mail);
    let parsed = parse_mail(&bytes).unwrap();
    assert_eq!(parsed.ctype.mimetype, "multipart/alternative");
    let kinds: Vec<_> = leaves(&parsed).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["text/plain", "text/html"]);
}

#[test]
fn without_a_page_to_lead_to_there_is_no_link_and_no_word_of_a_key() {
    let mail = Mail::compose(order(), &confirmed(), None, moment("2026-11-24T18:00:05Z"));
    for text in [mail.text(), mail.html()] {
        assert!(!text.contains("http") && !text.contains("key"), "{text}");
    }
}

#[test]
fn a_calendar_which_is_shared_does_not_hold_the_key_of_the_booking() {
    let mail = compose(&confirmed());
    let link = mail.link.as_deref().unwrap();
    assert!(mail.html().contains(link));
    let token = link.rsplit('/').next().unwrap();
    assert!(!mail.calendar().unwrap().replace("\r\n ", "").contains(token));
}
