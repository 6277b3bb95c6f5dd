//! A customer of the drill.

use std::time::{Duration, Instant};

use client::{Bookings, ClientError};
use serde_json::json;

use super::Act;

/// Books one seat. One in ten has a card that is declined, one in twenty cancels.
pub(super) struct Customer {
    pub(super) client: Bookings,
    pub(super) number: u32,
}

/// A customer's booking.
#[derive(Clone, Debug)]
pub(super) struct Bought {
    pub(super) id: String,
    pub(super) act: Act,
    /// From the first request to the 202, retries included.
    pub(super) accept: Duration,
}

impl Customer {
    /// Posts until there is an answer, always with the same key, so that there is one order.
    pub(super) async fn buy(self, act: Act) -> Bought {
        let card = if self.number % 10 == 3 { "pm_card_chargeDeclined" } else { "pm_card_visa" };
        let body = json!({
            "flight_id": "DR-1", "seats": 1, "payment_method": card,
            "passenger": {"name": "Ada Byron", "email": "ada@example.com"},
        });
        let key = format!("drill-{}", self.number);
        let began = Instant::now();
        let id = loop {
            if let Ok(booking) = self.client.book(&body, Some(&key)).await
                && let Some(id) = booking["id"].as_str()
            {
                break id.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let accept = began.elapsed();
        if self.number % 20 == 7 {
            // Some time later, in any state of the order; it may be too late.
            tokio::time::sleep(Duration::from_millis(u64::from(self.number % 7) * 500)).await;
            while let Err(ClientError::NoAnswer { .. }) = self.client.cancel(&id).await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Bought { id, act, accept }
    }
}
