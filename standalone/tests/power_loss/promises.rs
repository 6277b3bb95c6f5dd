//! What the server has answered about each booking, by the trace of what it sent.

use std::collections::HashMap;

use serde_json::Value;

use super::trace::{Record, Step, Trace};

/// What was answered about a booking, each with the position in the trace from which on it counts.
#[derive(Clone, Debug)]
pub(crate) struct Promise {
    /// The first `202`.
    pub(crate) booked: u64,
    /// The `202` that it is being cancelled.
    pub(crate) cancelled: Option<u64>,
    /// With its status, once it was settled.
    pub(crate) settled: Option<(u64, String)>,
}

/// By the booking's id.
pub(crate) fn promises(records: Trace) -> HashMap<String, Promise> {
    let mut promises = HashMap::new();
    for Record { end, step } in records {
        let Step::Answered { bytes } = step else { continue };
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let booking: Value = serde_json::from_str(body).unwrap_or_default();
        let (Some(id), Some(status)) = (booking["id"].as_str(), booking["status"].as_str()) else { continue };
        let none = Promise { booked: end, cancelled: None, settled: None };
        let promise = promises.entry(id.to_owned()).or_insert(none);
        if head.starts_with("HTTP/1.1 202") && status == "cancelling" {
            promise.cancelled.get_or_insert(end);
        }
        if booking["settled"] == true {
            promise.settled.get_or_insert_with(|| (end, status.to_owned()));
        }
    }
    promises
}
