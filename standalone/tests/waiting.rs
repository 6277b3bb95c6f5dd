//! Orders that wait: the reconciler and the deadline, on the real platform, with time injected.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use booking_gateway::accept::Acceptor;
use booking_gateway::gateway::Gateway;
use client::ClientError;
use messaging::clock::{Clock, ManualClock, SystemClock};
use messaging::topics::{Outgoing, SendError, Topics};
use protocol::time::Timestamp;
use serde_json::{Value, json};
use standalone::{Options, Server};
use support::{Http, booking};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(48 * 60 * 60);
const GRACE: Duration = Duration::from_secs(60 * 60);
const FIRST_CHECK: Duration = Duration::from_secs(60);

struct App {
    server: Server,
    http: Http,
    clock: Arc<ManualClock>,
    _kept: TempDir,
}

impl App {
    async fn start() -> Self {
        Self::on(tempfile::tempdir().unwrap(), Arc::new(ManualClock::at(SystemClock.now()))).await
    }

    /// Stopped, and started again at the same moment.
    async fn restarted(self) -> Self {
        self.server.stop().await;
        Self::on(self._kept, self.clock).await
    }

    async fn on(kept: TempDir, clock: Arc<ManualClock>) -> Self {
        let options = Options { clock: clock.clone(), ..Options::new(kept.path().join("data")) };
        let server = Server::start(options).await.unwrap();
        Self { http: Http::new(server.url()), server, clock, _kept: kept }
    }

    fn gateway(&self) -> &Gateway {
        &self.server.platform().services.acceptor.gateway
    }

    /// One run of the reconciler; answers how many orders' commands it sent again, and how many it found
    /// expired.
    async fn reconcile(&self) -> (usize, usize) {
        let run = self.gateway().reconcile(Duration::from_secs(60)).await.unwrap();
        (run.resent, run.expired)
    }

    async fn switch(&self, service: &str, running: bool) {
        self.http.put(&format!("/operator/services/{service}"), json!({"running": running})).await;
    }

    /// Lets time pass. A write makes the database look at the clock.
    async fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        self.switch("email-service", true).await;
    }

    async fn book(&self) -> String {
        self.http.book("OS-101", 2, "pm_card_visa").await
    }

    /// Waits until a booking is in that status.
    async fn in_status(&self, id: &str, status: &str) {
        self.http.until(&format!("/bookings/{id}"), |booking| booking["status"] == status).await;
    }

    /// Waits until every seat is free.
    async fn every_seat_is_free(&self) {
        let is_free = |offer: &Value| offer["capacity"] == offer["seats_left"];
        self.http.until("/flights", |offers| offers.as_array().unwrap().iter().all(is_free)).await;
    }

    /// Nothing was charged, and every seat is free.
    async fn nothing_is_held(&self) {
        self.http.at_rest().await;
        self.every_seat_is_free().await;
        for entry in self.http.0.all("/operator/payments").await.unwrap() {
            assert_eq!(entry["captured"], entry["refunded"]);
        }
    }
}

/// Topics that refuse every message.
struct Away;

#[async_trait]
impl Topics for Away {
    async fn send(&self, messages: Vec<Outgoing>) -> Vec<Result<(), SendError>> {
        messages
            .into_iter()
            .map(|message| Err(SendError { topic: message.topic, reason: "away".to_owned() }))
            .collect()
    }
}

/// Topics that never answer.
struct Hanging;

#[async_trait]
impl Topics for Hanging {
    async fn send(&self, _: Vec<Outgoing>) -> Vec<Result<(), SendError>> {
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_accepted_though_no_message_can_be_sent_and_the_reconciler_drives_it_on() {
    for topics in [Arc::new(Away) as Arc<dyn Topics>, Arc::new(Hanging)] {
        let app = App::start().await;
        // The same API, on the same store, with topics that cannot send.
        let gateway = Gateway { topics, ..app.gateway().clone() };
        let acceptor = Acceptor { gateway, ..app.server.platform().services.acceptor.clone() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let cut_off = Http::new(&format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(async move { axum::serve(listener, booking_gateway::api::router(acceptor)).await });
        let id = cut_off.book("OS-101", 1, "pm_card_visa").await;

        assert_eq!(app.reconcile().await, (0, 0), "its time has not come");
        app.clock.advance(FIRST_CHECK);
        assert_eq!(app.reconcile().await, (1, 0));
        assert_eq!(app.http.settled(&id).await["status"], "confirmed");
        app.clock.advance(DEADLINE * 2);
        assert_eq!(app.reconcile().await, (0, 0), "a settled order is left alone");
        app.server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_order_is_checked_less_and_less_often() {
    let app = App::start().await;
    app.switch("ticket-service", false).await;
    let id = app.book().await;
    for minutes in [1, 1, 2, 4, 8, 16] {
        app.clock.advance(Duration::from_secs(minutes * 60 - 1));
        assert_eq!(app.reconcile().await.0, 0, "before {minutes} min");
        app.clock.advance(Duration::from_secs(1));
        assert_eq!(app.reconcile().await.0, 1, "after {minutes} min");
    }
    app.switch("ticket-service", true).await;
    assert_eq!(app.http.settled(&id).await["status"], "confirmed", "with any number of copies");
    app.http.at_rest().await;
    assert_eq!(app.http.0.all("/operator/payments").await.unwrap().len(), 1);
    app.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_reconcilers_at_once_send_once() {
    let app = App::start().await;
    app.switch("ticket-service", false).await;
    for _ in 0..20 {
        app.book().await;
    }
    app.clock.advance(FIRST_CHECK);
    let (one, two) = tokio::join!(app.reconcile(), app.reconcile());
    assert_eq!(one.0 + two.0, 20);
    app.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_seats_are_not_held_by_its_deadline_is_cancelled() {
    let app = App::start().await;
    app.switch("ticket-service", false).await;
    let id = app.book().await;
    app.clock.advance(DEADLINE + GRACE - Duration::from_secs(1));
    assert_eq!(app.reconcile().await, (1, 0));
    app.clock.advance(Duration::from_secs(6 * 60 * 60));
    assert_eq!(app.reconcile().await, (0, 1));
    app.in_status(&id, "cancelling").await;
    app.switch("ticket-service", true).await;
    let booking = app.http.settled(&id).await;
    assert_eq!((&booking["status"], &booking["reason"]), (&json!("cancelled"), &json!("expired")));
    app.nothing_is_held().await;
    app.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_not_paid_by_its_deadline_is_cancelled_and_its_seats_are_released() {
    let app = App::start().await;
    app.switch("billing-service", false).await;
    let id = app.book().await;
    app.in_status(&id, "tickets_reserved").await;
    app.clock.advance(DEADLINE + GRACE);
    assert_eq!(app.reconcile().await, (0, 1));
    app.in_status(&id, "cancelling").await;
    // The seats do not wait for billing.
    app.every_seat_is_free().await;
    app.switch("billing-service", true).await;
    let booking = app.http.settled(&id).await;
    assert_eq!((&booking["status"], &booking["reason"]), (&json!("cancelled"), &json!("expired")));
    app.nothing_is_held().await;
    assert_eq!(app.http.get("/operator/mail").await["items"][0]["outcome"], "cancelled");
    app.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_handled_after_the_deadline_captures_nothing() {
    let app = App::start().await;
    app.switch("billing-service", false).await;
    let id = app.book().await;
    app.in_status(&id, "tickets_reserved").await;
    app.clock.advance(DEADLINE + Duration::from_secs(1));
    // The charge of before has expired: this is its successor.
    app.reconcile().await;
    app.switch("billing-service", true).await;
    let booking = app.http.settled(&id).await;
    assert_eq!((&booking["status"], &booking["reason"]), (&json!("cancelled"), &json!("expired")));
    app.nothing_is_held().await;
    app.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_outage_loses_nothing_and_needs_no_operator() {
    let app = App::start().await;
    app.http.put("/operator/payment-provider", json!({"mode": "unavailable"})).await;
    let id = app.book().await;
    app.in_status(&id, "tickets_reserved").await;
    for _ in 0..96 {
        app.clock.advance(Duration::from_secs(15 * 60));
        app.reconcile().await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    app.http.put("/operator/payment-provider", json!({"mode": "up"})).await;
    app.clock.advance(Duration::from_secs(15 * 60));
    app.reconcile().await;
    assert_eq!(app.http.settled(&id).await["status"], "confirmed");
    let topics = app.http.get("/operator/topics").await;
    assert!(topics.as_object().unwrap().values().all(|topic| topic["dead_lettered"] == 0), "{topics}");
    app.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_departed_flight_can_no_longer_be_cancelled() {
    let app = App::start().await;
    let id = app.book().await;
    app.http.settled(&id).await;
    app.clock.advance(Duration::from_secs(60 * 24 * 60 * 60));
    let refused = app.http.0.cancel(&id).await.unwrap_err();
    assert!(matches!(&refused, ClientError::Refused { status: 409, .. }), "{refused}");
    assert!(refused.to_string().contains("departed"), "{refused}");
    app.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_departed_flight_is_not_offered_and_cannot_be_booked() {
    let app = App::start().await;
    let offered = async || app.http.get("/flights").await.as_array().unwrap().len();
    assert!(offered().await > 0);
    app.clock.advance(Duration::from_secs(400 * 24 * 60 * 60));
    assert_eq!(offered().await, 0);
    let id = app.book().await;
    let booking = app.http.settled(&id).await;
    assert_eq!((&booking["status"], &booking["reason"]), (&json!("rejected"), &json!("departed")));
    app.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_charged_for_a_flight_that_has_left() {
    let app = App::start().await;
    app.switch("billing-service", false).await;
    let flights = app.http.get("/flights").await;
    let departs_at: Timestamp = flights[0]["departs_at"].as_str().unwrap().parse().unwrap();
    let first = flights[0]["id"].as_str().unwrap();
    // It leaves before the order's deadline.
    app.clock.advance(departs_at.since(app.clock.now()) - Duration::from_secs(600));
    let id = app.http.book(first, 1, "pm_card_visa").await;
    app.in_status(&id, "tickets_reserved").await;
    let booking = app.http.get(&format!("/bookings/{id}")).await;
    assert_eq!(booking["expires_at"], departs_at.to_string());
    app.clock.advance(Duration::from_secs(601));
    app.reconcile().await;
    app.switch("billing-service", true).await;
    let booking = app.http.settled(&id).await;
    assert_eq!((&booking["status"], &booking["reason"]), (&json!("cancelled"), &json!("expired")));
    for entry in app.http.0.all("/operator/payments").await.unwrap() {
        assert_eq!(entry["captured"], 0);
    }
    app.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_lives_as_long_as_its_order() {
    let app = App::start().await;
    let body = booking("OS-101", 1, "pm_card_visa");
    let post = || app.http.0.book(&body, Some("my-key"));
    let id = post().await.unwrap()["id"].clone();
    app.http.settled(id.as_str().unwrap()).await;
    app.clock.advance(Duration::from_secs(400 * 24 * 60 * 60));
    let again = post().await.unwrap();
    assert_eq!((&again["id"], &again["status"]), (&id, &Value::from("confirmed")));
    app.server.stop().await;
}

/// Orders whose charges failed at a provider that is away: they wait as delayed copies.
async fn waiting_for_the_provider(app: &App, orders: usize) -> Vec<String> {
    app.http.put("/operator/payment-provider", json!({"mode": "unavailable"})).await;
    let mut waiting = Vec::new();
    for _ in 0..orders {
        waiting.push(app.http.book("OS-101", 1, "pm_card_visa").await);
    }
    let delayed = |topics: &Value| topics["billing"]["delayed"] == orders;
    app.http.until("/operator/topics", delayed).await;
    waiting
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_answer_after_an_outage_wakes_every_order_that_waits() {
    // No time passes but for the provider.
    let app = App::start().await;
    let waiting = waiting_for_the_provider(&app, 40).await;
    app.http.put("/operator/payment-provider", json!({"mode": "up"})).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let still = app.http.get("/operator/topics").await["billing"]["delayed"].clone();
    assert_eq!(still, 40, "the switch wakes nothing: only an answer does");
    let one_more = app.http.book("OS-101", 1, "pm_card_visa").await;
    for order in waiting.iter().chain([&one_more]) {
        assert_eq!(app.http.settled(order).await["status"], "confirmed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_tried_when_a_server_starts() {
    let app = App::start().await;
    let waiting = waiting_for_the_provider(&app, 40).await;
    app.http.put("/operator/payment-provider", json!({"mode": "up"})).await;
    let app = app.restarted().await;
    for order in &waiting {
        assert_eq!(app.http.settled(order).await["status"], "confirmed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_downstream_that_is_away_is_tried_with_one_message_every_five_seconds() {
    let app = App::start().await;
    let waiting = waiting_for_the_provider(&app, 40).await;
    let attempts = |topics: &Value| topics["billing"]["sent"].as_u64().unwrap();
    // The first two are copied before it is known that the downstream is away.
    app.pass(10).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    for _ in 0..4 {
        let sent = attempts(&app.http.get("/operator/topics").await);
        app.pass(5).await;
        app.http.until("/operator/topics", |topics| attempts(topics) > sent).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(attempts(&app.http.get("/operator/topics").await), sent + 1);
    }
    app.http.put("/operator/payment-provider", json!({"mode": "up"})).await;
    app.pass(5).await;
    for order in &waiting {
        assert_eq!(app.http.settled(order).await["status"], "confirmed");
    }
}
