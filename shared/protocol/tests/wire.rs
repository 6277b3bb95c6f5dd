//! The wire format of every message: byte for byte, and as `docs/asyncapi.yaml` describes it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::LazyLock;

use protocol::event::{DecodeError, Event, LARGEST, TraceParent};
use protocol::flight::{FlightId, Route, SeatCount, TimeZoneName};
use protocol::messages::{
    BillingCommand, EmailCommand, Message, Notice, NoticeOutcome, OrderUpdate, TicketCommand,
};
use protocol::money::{Currency, Money};
use protocol::passenger::{EmailAddress, Passenger, PassengerName};
use protocol::payment::PaymentMethod;
use protocol::reason::{Declined, Reason, Unavailable};
use protocol::time::Timestamp;
use protocol::topic::Topic;
use serde_json::{Value, json};

const ORDER: &str = "6f1c1f0e-5d3b-4a0e-9b1a-2f4c6d8e0a1b";
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn event<M>(message: M) -> Event<M> {
    Event {
        order: ORDER.parse().unwrap(),
        message,
        time: "2026-11-22T20:00:00Z".parse().unwrap(),
        expires: None,
        traceparent: Some(TraceParent::parse(TRACE).unwrap()),
        attempt: 0,
    }
}

/// The JSON that an event of that name must have; `data` is empty where it has none.
fn wire(name: &str, step: &str, source: &str, data: &str) -> String {
    let data = if data.is_empty() { String::new() } else { format!(",\"data\":{data}") };
    format!(
        "{{\"specversion\":\"1.0\",\"id\":\"{ORDER}:{step}\",\"source\":\"/{source}\",\"type\":\"booking.{name}.v1\",\
         \"subject\":\"{ORDER}\",\"time\":\"2026-11-22T20:00:00.000Z\",\"datacontenttype\":\"application/json\",\
         \"traceparent\":\"{TRACE}\"{data}}}"
    )
}

fn golden<M: Message + PartialEq + std::fmt::Debug>(message: M, expected: &str) {
    let event = event(message);
    assert_eq!(event.encode(), expected);
    documented(event.message.name(), M::TOPIC.name(), expected);
    assert_eq!(Event::decode(expected).unwrap(), event, "it reads what it writes");
}

/// The topics' documentation.
static ASYNCAPI: LazyLock<Value> =
    LazyLock::new(|| serde_norway::from_str(include_str!("../../../docs/asyncapi.yaml")).unwrap());

/// The message is documented in that channel, and its schema takes this event and no other type.
fn documented(name: &str, channel: &str, event: &str) {
    let reference = &ASYNCAPI["channels"][channel]["messages"][name]["$ref"];
    assert_eq!(*reference, format!("#/components/messages/{name}"), "{name} is not documented in {channel}");
    let payload = &ASYNCAPI["components"]["messages"][name]["payload"];
    let schema = json!({"components": ASYNCAPI["components"], "allOf": [payload]});
    let schema = jsonschema::validator_for(&schema).unwrap();
    let event: Value = serde_json::from_str(event).unwrap();
    if let Err(error) = schema.validate(&event) {
        panic!("{name}: {error}");
    }
    let mut other = event.clone();
    other["type"] = json!("booking.other.v1");
    assert!(!schema.is_valid(&other));
    let mut incomplete = event;
    incomplete["data"] = json!({});
    assert!(!schema.is_valid(&incomplete), "{name}: the schema does not look at data");
}

#[test]
fn every_topic_is_documented_and_no_other() {
    let channels = ASYNCAPI["channels"].as_object().unwrap();
    for topic in Topic::ALL {
        assert!(channels.contains_key(topic.name()), "{topic} is not documented");
    }
    assert_eq!(channels.len(), Topic::COUNT, "{:?}", channels.keys());
}

#[test]
fn every_name_about_a_topic_derives_from_its_row() {
    let topic = Topic::OrderUpdates;
    assert_eq!(
        [topic.name(), topic.dead_letter_name(), topic.consumer(), topic.switch()],
        ["order-updates", "order-updates-dlq", "/booking-gateway", "order-updates"]
    );
    assert_eq!(
        [topic.queue(), topic.dead_letter_queue()],
        ["OrderUpdatesQueue", "OrderUpdatesDeadLetterQueue"]
    );
    assert_eq!(
        [topic.queue_variable(), topic.dead_letter_queue_variable()],
        ["ORDER_UPDATES_QUEUE_URL", "ORDER_UPDATES_DLQ_URL"]
    );
    for topic in Topic::ALL {
        assert_eq!(topic.name().parse(), Ok(topic));
        assert_eq!(serde_json::to_value(topic).unwrap(), topic.name());
    }
    assert_eq!(
        "flights".parse::<Topic>().unwrap_err().0,
        "must be a topic: tickets order-updates billing email"
    );
}

#[test]
fn every_documented_message_is_one_of_ours() {
    let documented = ASYNCAPI["components"]["messages"].as_object().unwrap().len();
    assert_eq!(documented, 12, "each is a case of the golden tests below");
}

fn money() -> Money {
    Money { value: 25_900, currency: Currency::parse("EUR").unwrap() }
}

fn departure() -> Timestamp {
    "2026-11-29T06:40:00Z".parse().unwrap()
}

fn route() -> Route {
    let time_zone = TimeZoneName::parse("Europe/Vienna").unwrap();
    Route { from: "Vienna".to_owned(), to: "Lisbon".to_owned(), time_zone }
}

#[test]
fn a_route_without_a_time_zone_is_told_in_utc() {
    let route: Route = serde_json::from_str(r#"{"from":"Vienna","to":"Lisbon"}"#).unwrap();
    assert_eq!(route.time_zone.as_str(), "UTC");
    for name in ["", "Europe/Vien na", "../etc/passwd", "+01:00", &"A".repeat(65)] {
        assert!(TimeZoneName::parse(name).is_err(), "{name}");
    }
}

#[test]
fn ticket_commands() {
    let flight_id = FlightId::parse("OS-101").unwrap();
    let reserve = TicketCommand::Reserve {
        flight_id: flight_id.clone(),
        seats: SeatCount::try_from(2).unwrap(),
        expected_amount: None,
    };
    golden(reserve, &wire("reserve", "reserve", "booking-gateway", r#"{"flight_id":"OS-101","seats":2}"#));
    let release = TicketCommand::Release { flight_id };
    golden(release, &wire("release", "release", "booking-gateway", r#"{"flight_id":"OS-101"}"#));
}

#[test]
fn billing_commands() {
    let charge = BillingCommand::Charge {
        amount: money(),
        payment_method: PaymentMethod::parse("pm_card_visa").unwrap(),
        not_after: departure(),
    };
    let data = r#"{"amount":{"value":25900,"currency":"EUR"},"payment_method":"pm_card_visa","not_after":"2026-11-29T06:40:00.000Z"}"#;
    golden(charge, &wire("charge", "charge", "booking-gateway", data));
    golden(BillingCommand::Reverse, &wire("reverse", "reverse", "booking-gateway", ""));
}

#[test]
fn email_commands() {
    let notice = Notice {
        outcome: NoticeOutcome::Cancelled,
        reason: Some(Reason::Expired),
        passenger: Passenger {
            name: PassengerName::parse("Ada Byron").unwrap(),
            email: EmailAddress::parse("ada@example.com").unwrap(),
        },
        flight_id: FlightId::parse("OS-101").unwrap(),
        seats: SeatCount::try_from(2).unwrap(),
        amount: Some(money()),
        departs_at: Some(departure()),
        route: None,
    };
    let data = r#"{"outcome":"cancelled","reason":"expired","passenger":{"name":"Ada Byron","email":"ada@example.com"},"flight_id":"OS-101","seats":2,"amount":{"value":25900,"currency":"EUR"},"departs_at":"2026-11-29T06:40:00.000Z"}"#;
    golden(EmailCommand::Send(notice.clone()), &wire("send", "send-cancelled", "booking-gateway", data));

    let data = format!(
        "{},{}",
        data.trim_end_matches('}'),
        r#""route":{"from":"Vienna","to":"Lisbon","time_zone":"Europe/Vienna"}}"#
    );
    let with_route = EmailCommand::Send(Notice { route: Some(route()), ..notice });
    golden(with_route, &wire("send", "send-cancelled", "booking-gateway", &data));
}

#[test]
fn order_updates() {
    use OrderUpdate as U;
    let updates = [
        (
            U::TicketsReserved { amount: money(), departs_at: departure(), route: None },
            "ticket-service",
            r#"{"amount":{"value":25900,"currency":"EUR"},"departs_at":"2026-11-29T06:40:00.000Z"}"#,
        ),
        (
            U::TicketsReserved { amount: money(), departs_at: departure(), route: Some(route()) },
            "ticket-service",
            r#"{"amount":{"value":25900,"currency":"EUR"},"departs_at":"2026-11-29T06:40:00.000Z","route":{"from":"Vienna","to":"Lisbon","time_zone":"Europe/Vienna"}}"#,
        ),
        (
            U::TicketsUnavailable { reason: Unavailable::SoldOut },
            "ticket-service",
            r#"{"reason":"sold_out"}"#,
        ),
        (
            U::TicketsUnavailable { reason: Unavailable::UnknownFlight },
            "ticket-service",
            r#"{"reason":"unknown_flight"}"#,
        ),
        (U::TicketsReleased, "ticket-service", ""),
        (U::PaymentCaptured, "billing-service", ""),
        (
            U::PaymentDeclined { reason: Declined::CardDeclined },
            "billing-service",
            r#"{"reason":"card_declined"}"#,
        ),
        (U::PaymentDeclined { reason: Declined::Expired }, "billing-service", r#"{"reason":"expired"}"#),
        (
            U::PaymentReversed { refunded: Some(money()) },
            "billing-service",
            r#"{"refunded":{"value":25900,"currency":"EUR"}}"#,
        ),
        (U::PaymentReversed { refunded: None }, "billing-service", r#"{"refunded":null}"#),
        (U::DeadlinePassed, "booking-gateway", ""),
    ];
    for (update, source, data) in updates {
        let name = update.name();
        golden(update, &wire(name, name, source, data));
    }
}

#[test]
fn a_delayed_copy_carries_its_attempt_and_keeps_its_id() {
    let copy = Event { attempt: 3, ..event(BillingCommand::Reverse) };
    let json: serde_json::Value = serde_json::from_str(&copy.encode()).unwrap();
    assert_eq!(json["attempt"], 3);
    assert_eq!(json["id"], format!("{ORDER}:reverse"));
    assert_eq!(Event::decode(&copy.encode()).unwrap(), copy);
}

#[test]
fn an_expiry_is_cloudevents_own_and_an_answer_inherits_it() {
    let expires = Some("2026-11-22T20:02:00Z".parse().unwrap());
    let command = Event { expires, ..event(BillingCommand::Reverse) };
    let expected = wire("reverse", "reverse", "booking-gateway", "")
        .replace(",\"datacontenttype\"", ",\"expirytime\":\"2026-11-22T20:02:00.000Z\",\"datacontenttype\"");
    assert_eq!(command.encode(), expected);
    documented("reverse", "billing", &expected);
    assert_eq!(Event::decode(&expected).unwrap(), command);
    assert_eq!(command.reply(OrderUpdate::PaymentReversed { refunded: None }, command.time).expires, expires);
}

#[test]
fn fields_that_a_later_version_adds_are_ignored() {
    let body = wire(
        "reserve",
        "reserve",
        "booking-gateway",
        r#"{"flight_id":"OS-101","seats":2,"cabin":"economy"}"#,
    );
    let body = body.replacen('{', "{\"dataschema\":\"x\",", 1);
    assert!(Event::<TicketCommand>::decode(&body).is_ok());
}

fn refused(body: &str) -> DecodeError {
    Event::<TicketCommand>::decode(body).unwrap_err()
}

#[test]
fn what_cannot_be_decoded_says_why() {
    let good = wire("release", "release", "booking-gateway", r#"{"flight_id":"OS-101"}"#);
    assert!(matches!(refused("not JSON"), DecodeError::NotAnEvent(_)));
    assert!(matches!(refused("{}"), DecodeError::NotAnEvent(_)));
    assert!(matches!(refused(&good.replace(ORDER, "order-17")), DecodeError::NotAnEvent(_)));
    assert!(matches!(refused(&good.replace("\"1.0\"", "\"0.3\"")), DecodeError::SpecVersion(_)));
    assert!(matches!(refused(&good.replace(".v1", ".v2")), DecodeError::NewerVersion(_)));
    assert!(matches!(refused(&good.replace(".v1", ".vx")), DecodeError::UnknownType { .. }));
    assert!(matches!(refused(&good.replace("release.v1", "refund.v1")), DecodeError::UnknownType { .. }));
    assert!(matches!(refused(&good.replace("OS-101", "?")), DecodeError::Data { .. }));
    assert!(matches!(refused(&" ".repeat(LARGEST + 1)), DecodeError::TooLarge(_)));
    let impossible = wire("reserve", "reserve", "booking-gateway", r#"{"flight_id":"OS-101","seats":0}"#);
    assert!(matches!(refused(&impossible), DecodeError::Data { .. }));
    let another_topics = event(BillingCommand::Reverse).encode();
    assert!(matches!(refused(&another_topics), DecodeError::UnknownType { .. }));
}

#[test]
fn a_payment_token_shows_in_no_debug_output() {
    let token = PaymentMethod::parse("pm_card_visa").unwrap();
    assert!(!format!("{token:?}").contains("visa"));
}
