//! What a service is to the consumer of its topic.

use async_trait::async_trait;
use protocol::event::Event;
use protocol::messages::Message;
use protocol::time::Timestamp;
use tracing::{Instrument, Span, info_span};

use crate::store::StoreError;
use crate::topics::Outgoing;

/// What a handler decided about one message.
#[derive(Debug)]
pub enum Outcome {
    /// It is handled, and these are the replies.
    Done(Vec<Outgoing>),
    /// Something downstream is unavailable. Waiting is not a failure.
    Wait(String),
    /// The message arrived before the one that it depends on.
    TooEarly(String),
}

/// The handler of one topic's messages.
#[async_trait]
pub trait Service: Send + Sync {
    /// The topic's messages.
    type Message: Message;
    /// What [`Service::load`] fetched for a whole batch.
    type Loaded: Default + Send + Sync;

    /// Messages of one lane are handled in the order they came: one after another, or in runs.
    fn lane(&self, event: &Event<Self::Message>) -> String {
        event.order.to_string()
    }

    /// Fetches in one call the records that the batch's decisions need.
    async fn load(&self, _batch: &[&Event<Self::Message>]) -> Result<Self::Loaded, StoreError> {
        Ok(Self::Loaded::default())
    }

    /// When a message that still waits is dead-lettered; `None` if it waits for as long as it takes. For
    /// messages that are not sent again.
    fn gives_up_at(&self, _event: &Event<Self::Message>) -> Option<Timestamp> {
        None
    }

    /// How many of a lane's next messages, from the first on, are handled together: a run. One by default.
    fn run_length(&self, _lane: &[&Event<Self::Message>]) -> usize {
        1
    }

    /// Handles one message. It may have been handled before.
    async fn handle(
        &self,
        event: &Event<Self::Message>,
        loaded: &Self::Loaded,
    ) -> Result<Outcome, StoreError>;

    /// Handles a run of several messages; answers for each, in order, as if they were handled one after
    /// another. One that is not answered is redelivered. If it panics, they are handled one after another, so
    /// that what is wrong with one message is its own.
    async fn handle_run(
        &self,
        run: &[&Event<Self::Message>],
        loaded: &Self::Loaded,
    ) -> Vec<Result<Outcome, StoreError>> {
        let mut outcomes = Vec::with_capacity(run.len());
        for event in run {
            outcomes.push(self.handle(event, loaded).instrument(span(event)).await);
        }
        outcomes
    }
}

/// The span that a message is handled in.
pub fn span<M: Message>(event: &Event<M>) -> Span {
    info_span!(
        "handle",
        order_id = %event.order,
        topic = M::TOPIC.name(),
        kind = event.message.name(),
        attempt = event.attempt,
        trace_id = event.traceparent.as_ref().map(|trace| trace.trace_id()),
    )
}
