//! What was charged, by each system's own payment provider.

use std::collections::{HashMap, HashSet};

use client::{Bookings, ClientError};
use serde_json::Value;

use super::System;

/// The bookings that were read before, of both ledgers.
#[derive(Default)]
pub(super) struct Books(HashSet<String>);

/// What a ledger says of one booking, in cents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Charge {
    pub(super) captured: u64,
    pub(super) refunded: u64,
}

impl Books {
    /// What a ledger says of the bookings that are new in it.
    pub(super) async fn read(
        &mut self,
        client: &Bookings,
        system: System,
    ) -> Result<HashMap<String, Charge>, ClientError> {
        let path = match system {
            System::Chain => "/rest-chain/payments",
            System::Topics => "/operator/payments",
        };
        let mut new = HashMap::new();
        let mut after = String::new();
        loop {
            let page = client.get(&format!("{path}?limit=1000{after}")).await?;
            let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            let number = |item: &Value, key: &str| item[key].as_u64().unwrap_or_default();
            let before = new.len();
            for item in items {
                let charge =
                    Charge { captured: number(item, "captured"), refunded: number(item, "refunded") };
                if let Some(id) = item["booking_id"].as_str()
                    && self.0.insert(id.to_owned())
                {
                    new.insert(id.to_owned(), charge);
                }
            }
            // Newest first: a page of known ones is the end.
            match page["next"].as_str() {
                Some(next) if new.len() > before => after = format!("&after={next}"),
                _ => return Ok(new),
            }
        }
    }
}
