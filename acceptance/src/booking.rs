//! A booking as a customer sees it, and the rules that every view of every booking keeps.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use crate::shape::{assert_keys, count, money, text, time};
use crate::{Order, Request, Response, TestApp, eventually};

const KEYS: [&str; 14] = [
    "id",
    "status",
    "awaiting",
    "settled",
    "reason",
    "flight_id",
    "seats",
    "amount",
    "passenger",
    "history",
    "waiting_since",
    "expires_at",
    "created_at",
    "updated_at",
];

/// The body of `POST /bookings`, `GET /bookings/{id}` and `DELETE /bookings/{id}`, checked.
#[derive(Debug, Clone)]
pub struct Booking {
    /// `id`.
    pub id: String,
    /// `status`.
    pub status: String,
    /// `awaiting`.
    pub awaiting: BTreeSet<String>,
    /// `settled`.
    pub settled: bool,
    /// `reason`.
    pub reason: Option<String>,
    /// `flight_id`.
    pub flight_id: String,
    /// `seats`.
    pub seats: u64,
    /// `amount.value`, in minor units; none while no seats were ever held.
    pub amount: Option<u64>,
    /// The `event` of each entry of `history`, oldest first.
    pub events: Vec<String>,
    /// `created_at`.
    pub created_at: Timestamp,
    /// `expires_at`.
    pub expires_at: Timestamp,
    /// `manage_token`, which the answer to a `POST` has.
    pub token: Option<String>,
    /// The whole body but for the token.
    pub json: Value,
}

impl Booking {
    /// As its customer sees it: fails unless the answer is a booking with exactly the promised keys, and consistent
    /// with itself.
    pub fn read(response: &Response) -> Self {
        let booking = Self::read_view(response);
        let json = &booking.json;
        assert_keys(&json["passenger"], &["name", "email"]);
        text(&json["passenger"], "name");
        text(&json["passenger"], "email");
        booking
    }

    /// As everybody else sees it: without its passenger.
    pub fn read_public(response: &Response) -> Self {
        let booking = Self::read_view(response);
        assert_eq!(booking.json["passenger"], Value::Null, "{response}");
        assert_eq!(booking.token, None, "{response}");
        booking
    }

    fn read_view(response: &Response) -> Self {
        assert_eq!(response.media_type(), "application/json", "{response}");
        assert_eq!(response.header("cache-control"), Some("no-store"), "{response}");
        assert_eq!(response.header("vary"), Some("Authorization"), "{response}");
        let mut json = response.json();
        let token = json.as_object_mut().and_then(|object| object.shift_remove("manage_token"));
        let token = token.map(|token| token.as_str().expect("a token is text").to_owned());
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(token.as_ref().is_none_or(|token| token.len() == 22 && token.chars().all(fits)), "{token:?}");
        assert_keys(&json, &KEYS);

        let awaiting =
            json["awaiting"].as_array().unwrap_or_else(|| panic!("`awaiting` is an array: {json:#}"));
        let booking = Self {
            id: text(&json, "id").to_owned(),
            status: text(&json, "status").to_owned(),
            awaiting: awaiting.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            settled: json["settled"].as_bool().unwrap_or_else(|| panic!("`settled` is a bool: {json:#}")),
            reason: (!json["reason"].is_null()).then(|| text(&json, "reason").to_owned()),
            flight_id: text(&json, "flight_id").to_owned(),
            seats: count(&json, "seats"),
            amount: (!json["amount"].is_null()).then(|| money(&json, "amount")),
            events: history(&json),
            created_at: time(&json, "created_at"),
            expires_at: time(&json, "expires_at"),
            token,
            json: json.clone(),
        };
        assert_eq!(booking.awaiting.len(), awaiting.len(), "each awaited answer once: {json:#}");
        assert!((1..=9).contains(&booking.seats), "1 to 9 seats: {json:#}");
        booking.assert_status_awaits_what_it_should();
        booking.assert_reason_fits_status();
        booking.assert_times_are_in_order();
        let held = booking.events.iter().any(|event| event == "tickets_reserved");
        assert_eq!(booking.amount.is_some(), held, "the amount is set when the seats are held: {json:#}");
        booking
    }

    fn assert_status_awaits_what_it_should(&self) {
        let json = &self.json;
        let allowed: &[&[&str]] = match self.status.as_str() {
            "pending" => &[&["tickets"]],
            "tickets_reserved" => &[&["payment"]],
            "confirmed" | "rejected" | "cancelled" => &[&[]],
            "payment_declined" => &[&["tickets"], &[]],
            "cancelling" => &[&["tickets"], &["payment"], &["payment", "tickets"]],
            other => panic!("an unknown status {other}: {json:#}"),
        };
        let awaiting: Vec<&str> = self.awaiting.iter().map(String::as_str).collect();
        assert!(allowed.contains(&awaiting.as_slice()), "{} awaits {allowed:?}: {json:#}", self.status);
        assert_eq!(self.settled, self.awaiting.is_empty(), "settled is nothing awaited: {json:#}");
    }

    fn assert_reason_fits_status(&self) {
        let allowed: &[Option<&str>] = match self.status.as_str() {
            "rejected" => {
                &[Some("sold_out"), Some("unknown_flight"), Some("departed"), Some("price_changed")]
            }
            "payment_declined" => &[Some("card_declined")],
            "cancelling" | "cancelled" => &[Some("cancelled_by_customer"), Some("expired")],
            _ => &[None],
        };
        assert!(
            allowed.contains(&self.reason.as_deref()),
            "{} because {allowed:?}: {:#}",
            self.status,
            self.json
        );
    }

    fn assert_times_are_in_order(&self) {
        let json = &self.json;
        let updated_at = time(json, "updated_at");
        assert!(self.created_at <= updated_at, "created before updated: {json:#}");
        assert!(self.created_at < self.expires_at, "created before it expires: {json:#}");
        assert_eq!(json["waiting_since"].is_null(), self.settled, "it waits unless it is settled: {json:#}");
        if !self.settled {
            let waiting_since = time(json, "waiting_since");
            assert!(
                (self.created_at..=updated_at).contains(&waiting_since),
                "waits since it knows: {json:#}"
            );
        }
    }
}

/// Reads the events, and fails unless each left the order in a status that it can lead to.
fn history(json: &Value) -> Vec<String> {
    let entries = json["history"].as_array().unwrap_or_else(|| panic!("`history` is an array: {json:#}"));
    let mut events = Vec::new();
    let mut before = time(json, "created_at");
    for entry in entries {
        assert_keys(entry, &["at", "status", "event"]);
        let at = time(entry, "at");
        assert!(before <= at, "the history is in order and starts at `created_at`: {json:#}");
        before = at;
        let event = text(entry, "event");
        let leads_to: &[&str] = match event {
            "accepted" => &["pending"],
            "tickets_reserved" => &["tickets_reserved"],
            "tickets_unavailable" => &["rejected", "cancelling", "cancelled"],
            "tickets_released" => &["payment_declined", "cancelling", "cancelled"],
            "payment_captured" => &["confirmed"],
            "payment_declined" => &["payment_declined", "cancelling", "cancelled"],
            "payment_reversed" => &["cancelling", "cancelled"],
            "cancel_requested" | "deadline_passed" => &["cancelling"],
            other => panic!("an unknown event {other}: {json:#}"),
        };
        assert!(leads_to.contains(&text(entry, "status")), "{event} leads to {leads_to:?}: {json:#}");
        events.push(event.to_owned());
    }
    assert_eq!(events.first().map(String::as_str), Some("accepted"), "it starts with accepted: {json:#}");
    assert_eq!(
        entries.last().map(|entry| &entry["status"]),
        Some(&json["status"]),
        "it ends with now: {json:#}"
    );
    events
}

impl TestApp {
    /// `POST /bookings`: the response, of any status.
    pub async fn post(&self, body: &Value) -> Response {
        self.send_order(self.request("POST", "/bookings").json(body)).await
    }

    /// Sends a `POST /bookings`, and keeps the key to what was booked.
    pub async fn send_order(&self, order: Request) -> Response {
        let response = order.await;
        self.keep_key(&response);
        response
    }

    /// Keeps the key to a booking, if this answer has it.
    pub fn keep_key(&self, response: &Response) {
        if response.status == 202 {
            self.server.keep_key(&response.json());
        }
    }

    /// A request about a booking, with its key if it was booked here.
    pub fn about(&self, method: &str, id: &str) -> Request {
        Request(self.server.about(method, id))
    }

    /// `POST /bookings` of an order that must be accepted.
    pub async fn book(&self, order: &Order) -> Booking {
        Booking::read(&self.post(&order.json()).await.expect(202))
    }

    /// `GET /bookings/{id}`: the response, of any status.
    pub async fn get_booking(&self, id: &str) -> Response {
        self.about("GET", id).await
    }

    /// `DELETE /bookings/{id}`: the response, of any status.
    pub async fn cancel(&self, id: &str) -> Response {
        self.about("DELETE", id).await
    }

    /// A booking that exists.
    pub async fn booking(&self, id: &str) -> Booking {
        Booking::read(&self.get_booking(id).await.expect(200))
    }

    /// Polls as the page does until `done`.
    pub async fn booking_when(&self, id: &str, what: &str, done: impl Fn(&Booking) -> bool) -> Booking {
        eventually(&format!("booking {id} {what}"), self.patience(), async || {
            let booking = self.booking(id).await;
            if done(&booking) { Ok(booking) } else { Err(format!("{:#}", booking.json)) }
        })
        .await
    }

    /// The booking once nothing is awaited any more.
    pub async fn settled(&self, id: &str) -> Booking {
        self.booking_when(id, "settles", |booking| booking.settled).await
    }

    /// Books, and waits until the order has settled as `status`.
    pub async fn book_until(&self, order: &Order, status: &str) -> Booking {
        let id = self.book(order).await.id;
        let booking = self.settled(&id).await;
        assert_eq!(booking.status, status, "{:#}", booking.json);
        booking
    }
}
