//! A customer of the comparison, the same for both systems.

use std::time::{Duration, Instant};

use client::{Bookings, ClientError};
use protocol::time::Timestamp;
use serde_json::{Value, json};

use super::process::FLIGHTS;
use super::{Phase, System};

/// The pause before a request that got no answer is sent again.
const AGAIN: Duration = Duration::from_millis(20);

/// Books one seat. One in ten has a card that is declined.
pub(super) struct Customer {
    pub(super) client: Bookings,
    pub(super) system: System,
    pub(super) phase: Phase,
    pub(super) number: u32,
}

/// What a customer got.
#[derive(Clone, Debug)]
pub(super) struct Bought {
    /// The booking, if the answer named one.
    pub(super) id: Option<String>,
    pub(super) answer: Answer,
    /// From the first request to the answer.
    pub(super) took: Duration,
    /// From the first request to the ticket, if there was one.
    pub(super) ticket: Option<Duration>,
}

/// A system's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The booking is made (chain) or accepted (topics).
    Good,
    /// The card was declined.
    Declined,
    /// Neither: try another time.
    TurnedAway,
    /// None, for minutes.
    None,
    /// It was accepted, and did not settle.
    Lost,
}

impl Customer {
    /// Posts until there is an answer, always with the same key, so that there is one booking.
    pub(super) async fn buy(self) -> Bought {
        let Self { client, system, phase, number } = self;
        let card = if number % 10 == 3 { "pm_card_chargeDeclined" } else { "pm_card_visa" };
        let body = json!({
            "flight_id": format!("CP-{}", number % FLIGHTS), "seats": 1, "payment_method": card,
            "passenger": {"name": "Ada Byron", "email": "ada@example.com"},
        });
        let path = match system {
            System::Chain => "/rest-chain/bookings",
            System::Topics => "/bookings",
        };
        let key = format!("{phase}-{number}").replace(' ', "-");
        let began = Instant::now();
        let (answer, booking) = loop {
            let request = client.request("POST", path).header("Idempotency-Key", &key).json(&body);
            match request.send().await {
                Ok(response) => match (response.status, response.success()) {
                    (200 | 202, Ok(booking)) => break (Answer::Good, booking),
                    (402, _) => break (Answer::Declined, Value::Null),
                    _ => break (Answer::TurnedAway, Value::Null),
                },
                Err(ClientError::NoAnswer { .. }) if began.elapsed() < super::PATIENCE => {
                    tokio::time::sleep(AGAIN).await;
                }
                Err(_) => break (Answer::None, Value::Null),
            }
        };
        let took = began.elapsed();
        client.keep_key(&booking);
        let id = booking["id"].as_str().map(str::to_owned);
        let ticket = (booking["status"] == "confirmed").then_some(took);
        Bought { id, answer, took, ticket }
    }
}

impl Bought {
    /// At full rate: waits until the booking is settled, as long as they usually take and a little.
    pub(super) async fn watch(&self, client: &Bookings, usual: &mut Duration) {
        let (Some(id), None) = (&self.id, self.ticket) else { return };
        let began = Instant::now();
        // Polling much earlier would only add load.
        tokio::time::sleep(usual.mul_f32(0.8)).await;
        let pause = (*usual / 8).max(Duration::from_millis(1));
        let _ = client.settled_by(id, super::PATIENCE, pause).await;
        *usual = (*usual * 3 + began.elapsed()) / 4;
    }

    /// Waits until an accepted booking is settled, and notes when its ticket was there: what its history says.
    pub(super) async fn settle(&mut self, client: &Bookings, within: Duration) {
        let (Some(id), Answer::Good) = (&self.id, self.answer) else { return };
        let Ok(booking) = client.settled(id, within).await else {
            self.answer = Answer::Lost;
            return;
        };
        if booking["status"] == "confirmed" {
            self.ticket = Some(self.took + until_confirmed(&booking).unwrap_or_default());
        }
    }
}

fn until_confirmed(booking: &Value) -> Option<Duration> {
    let at = |value: &Value| serde_json::from_value::<Timestamp>(value.clone()).ok();
    let history = booking["history"].as_array()?;
    let confirmed = history.iter().find(|change| change["status"] == "confirmed")?;
    Some(at(&confirmed["at"])?.since(at(&booking["created_at"])?))
}
