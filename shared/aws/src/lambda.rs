//! A consumer as a Lambda function: one batch of an SQS event source mapping in, the failed
//! records out.

use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Context, LambdaEvent, service_fn};
use messaging::consumer::{Consume, Consumer, Delivery, Service};
use messaging::topics::Topics;
use tracing::error;

use crate::letters::Letters;
use crate::setup::Setup;
use crate::sqs::SqsTopics;

/// The end of an invocation's time, reserved to send the messages and to answer.
const RESERVE: Duration = Duration::from_secs(5);

/// How much of an invocation's time is left for its work.
pub fn time_left(context: &Context) -> Duration {
    let left = context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
    left.saturating_sub(RESERVE)
}

/// A function that a queue triggers: a consumer and the topics it sends to.
pub struct ConsumerFunction {
    consumer: Box<dyn Consume>,
    topics: SqsTopics,
}

impl ConsumerFunction {
    /// A function that handles each record with `service` and sends its replies to `topics`.
    pub fn new(service: impl Service + 'static, setup: &Setup, topics: SqsTopics) -> Self {
        let (clock, entropy) = (setup.clock.clone(), setup.entropy.clone());
        Self { consumer: Box::new(Consumer::new(service, clock, entropy)), topics }
    }

    /// Runs until Lambda ends the process.
    pub async fn run(self) -> Result<(), lambda_runtime::Error> {
        lambda_runtime::run(service_fn(|event| self.invoke(event))).await
    }

    /// One invocation.
    pub async fn invoke(&self, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Infallible> {
        let time = time_left(&event.context);
        let topics = self.topics.clone().after_redrive(Letters::of(&event.payload.records));
        Ok(consume(self.consumer.as_ref(), &topics, event.payload, time).await)
    }
}

/// Consumes a batch; answers the records that SQS must redeliver (`ReportBatchItemFailures`).
/// Records that are not finished when the time runs out are among them: the invocation ends before
/// Lambda kills it.
pub async fn consume(
    consumer: &dyn Consume,
    topics: &dyn Topics,
    event: SqsEvent,
    time: Duration,
) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    let records = event.records.len();
    let batch: Vec<_> = event.records.into_iter().filter_map(delivery).collect();
    if batch.len() < records {
        // SQS gives each record an id. A record without one cannot be reported as failed, but an empty
        // id makes SQS redeliver the whole batch.
        error!("a record has no messageId; the batch will be redelivered");
        response.add_failure(String::new());
    }
    for id in consumer.consume(&batch, time, topics).await {
        response.add_failure(id);
    }
    response
}

fn delivery(message: SqsMessage) -> Option<Delivery> {
    let received = message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
    Some(Delivery {
        id: message.message_id?,
        body: message.body.unwrap_or_default(),
        receive_count: received.unwrap_or(1),
    })
}
