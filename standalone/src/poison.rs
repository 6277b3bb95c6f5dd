//! Messages that cannot be handled, to try what becomes of them.
//!
//! No service knows of them. One is no event; one is of a later version; and one has the id of a message that the poller
//! fails every time, as if its handler had panicked.

use messaging::consumer::Delivery;
use protocol::event::VERSION;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use serde_json::{Value, json};
use system::journal::Message;
use system::view::Poison;
use tracing::error;

use crate::sqlite::topics::{Finished, Receipt};

/// How the id of a message ends that fails every time.
const CRASHING: &str = ":poison-crashing";

/// The body of that message, in the name of an order that does not exist.
pub(crate) fn body(topic: Topic, poison: Poison, order: OrderId, now: Timestamp) -> String {
    let (name, version) = match poison {
        Poison::Unreadable => return format!("not an event, sent to {topic} to try this"),
        Poison::NewerVersion => ("from-the-future", VERSION + 1),
        Poison::Crashing => ("crashing", VERSION),
    };
    json!({
        "specversion": "1.0",
        "id": format!("{order}:poison-{name}"),
        "source": "/operator",
        "type": format!("booking.{name}.v{version}"),
        "subject": order,
        "time": now,
        "datacontenttype": "application/json",
        "data": {},
    })
    .to_string()
}

/// Takes the messages out of a batch that fail every time: they are redelivered.
pub(crate) fn take(batch: Vec<Delivery>, seen: Vec<Message>) -> (Vec<Finished>, Vec<(Delivery, Message)>) {
    let (crashing, others): (Vec<_>, Vec<_>) = batch.into_iter().zip(seen).partition(|(one, _)| crashes(one));
    let finished = crashing.into_iter().filter_map(|(delivery, message)| {
        error!("a message of {} fails, as an operator wanted it to", message.topic);
        let (receipt, messages) = (Receipt::of(&delivery)?, Vec::new());
        Some(Finished { receipt, message, messages, redeliver: true, expired: false })
    });
    (finished.collect(), others)
}

fn crashes(delivery: &Delivery) -> bool {
    // Nearly no message has the text, and those are read twice.
    delivery.body.contains(CRASHING)
        && serde_json::from_str::<Value>(&delivery.body)
            .is_ok_and(|event| event["id"].as_str().is_some_and(|id| id.ends_with(CRASHING)))
}
