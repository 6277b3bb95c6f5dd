//! A stack in simulated time, one second after another, and the metrics of all that happens.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws::emf::Emf;
use localstack::alarm::Metrics;
use localstack::cloud::{Message, lock};
use localstack::stack::Stack;
use messaging::clock::Clock;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use serde_json::Value as Json;
use testkit::template::{Function, Template};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt;

pub(crate) const MINUTE: u64 = 60;
/// Until then the stack is healthy. No alarm that must be on looks further back.
pub(crate) const HEALTHY: u64 = 11 * MINUTE;
/// The dimensions of the API's metrics.
pub(crate) const API: &[(&str, &str)] = &[("ApiName", "bookings"), ("Stage", "v1")];

/// What does not work.
#[derive(Clone, Default)]
pub(crate) struct Outage {
    /// The consumers that do not run.
    pub(crate) stopped: BTreeSet<Topic>,
    /// Every message is lost.
    pub(crate) loses_messages: bool,
    /// The reconciler does not run.
    pub(crate) no_reconciler: bool,
    /// A table that does not answer every other second.
    pub(crate) unreliable: Option<String>,
    /// How often somebody books, in seconds.
    pub(crate) bookings: Option<u64>,
}

impl Outage {
    pub(crate) fn none() -> Self {
        Self { bookings: Some(60), ..Self::default() }
    }
}

/// The stack, its messages, and what it wrote.
pub(crate) struct World {
    pub(crate) stack: Stack,
    start: Timestamp,
    pub(crate) metrics: Arc<Mutex<Metrics>>,
    /// Messages, with the second from which they are visible.
    waiting: Vec<(u64, Topic, Message)>,
    pub(crate) functions: Vec<Function>,
    _captures: DefaultGuard,
}

fn seconds(since: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.as_millis() - since.as_millis()).unwrap() / 1000
}

impl World {
    async fn start() -> Self {
        let stack = Stack::start().await;
        let (start, metrics) = (stack.clock.now(), Arc::new(Mutex::new(Metrics::default())));
        let (clock, written) = (stack.clock.clone(), metrics.clone());
        let write = move |line: &str| lock(&written).write_emf(seconds(start, clock.now()), line);
        let captures = tracing::subscriber::set_default(
            tracing_subscriber::registry().with(Emf::new("bookings", write)),
        );
        let functions = Template::load().functions();
        Self { stack, start, metrics, waiting: Vec::new(), functions, _captures: captures }
    }

    /// A stack that was healthy so far.
    pub(crate) async fn healthy() -> Self {
        let mut world = Self::start().await;
        world.run(HEALTHY, &Outage::none()).await;
        world
    }

    pub(crate) fn now(&self) -> u64 {
        seconds(self.start, self.stack.clock.now())
    }

    pub(crate) async fn run(&mut self, until: u64, outage: &Outage) {
        while self.now() < until {
            self.second(outage).await;
        }
    }

    async fn second(&mut self, outage: &Outage) {
        self.stack.clock.advance(Duration::from_secs(1));
        let now = self.now();
        if let Some(table) = &outage.unreliable {
            let mut away = lock(&self.stack.cloud.away);
            if now.is_multiple_of(2) {
                away.insert(table.clone())
            } else {
                away.remove(table)
            };
        }
        let orders_away = lock(&self.stack.cloud.away).contains("OrdersTable");
        if outage.bookings.is_some_and(|every| now.is_multiple_of(every)) && !orders_away {
            self.stack.book("OS-900", 1, "pm_card_visa").await;
        }
        self.collect(outage);
        for topic in Topic::ALL.into_iter().filter(|topic| !outage.stopped.contains(topic)) {
            self.deliver(topic, outage).await;
        }
        if now.is_multiple_of(MINUTE) {
            if !outage.no_reconciler && !orders_away {
                self.stack.reconcile().await;
            }
            self.aws_metrics().await;
        }
    }

    /// Takes what was sent from the queues.
    fn collect(&mut self, outage: &Outage) {
        let now = self.now();
        for topic in Topic::ALL {
            let sent = lock(&self.stack.cloud.queues).remove(&topic.queue()).unwrap_or_default();
            if !outage.loses_messages {
                let visible = |message: &Message| match message.received {
                    0 => now + u64::try_from(message.delay).unwrap(),
                    _ => now + 180,
                };
                self.waiting.extend(sent.into_iter().map(|message| (visible(&message), topic, message)));
            }
        }
    }

    /// Delivers what is visible.
    async fn deliver(&mut self, topic: Topic, outage: &Outage) {
        let now = self.now();
        let due = self.waiting.extract_if(.., |(visible, of, _)| *of == topic && *visible <= now);
        let due: Vec<_> = due.map(|(_, _, message)| message).collect();
        for batch in due.chunks(10) {
            lock(&self.stack.cloud.queues).insert(topic.queue(), batch.to_vec());
            self.stack.deliver(topic, 10).await;
            self.collect(outage);
        }
    }

    /// What AWS writes about the last minute. It writes zeros too.
    async fn aws_metrics(&self) {
        let now = self.now() - 1;
        for topic in Topic::ALL {
            // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
            let of_topic = self.waiting.iter().filter(|(_, of, _)| *of == topic);
            let oldest = of_topic.map(|(visible, _, _)| now.saturating_sub(*visible)).max().unwrap_or(0);
            let letters = lock(&self.stack.cloud.queues).get(&topic.dead_letter_queue()).map_or(0, Vec::len);
            let (queue, dlq) = (topic.queue(), topic.dead_letter_queue());
            self.aws("SQS", "ApproximateAgeOfOldestMessage", &[("QueueName", &queue)], oldest as f64);
            self.aws("SQS", "ApproximateNumberOfMessagesVisible", &[("QueueName", &dlq)], letters as f64);
        }
        for function in &self.functions {
            // https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
            let name = format!("bookings-{}", function.binary);
            for metric in ["Errors", "Throttles"] {
                self.aws("Lambda", metric, &[("FunctionName", &name)], 0.0);
            }
        }
        // https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
        let mut get: Json = serde_json::from_str(include_str!("../../events/bookings-api.json")).unwrap();
        get["httpMethod"] = "GET".into();
        get["path"] = "/bookings/00000000-0000-4000-8000-000000000000".into();
        let status = self.stack.api(&get).await["statusCode"].as_u64().unwrap();
        assert!([404, 503].contains(&status), "{status}");
        for request in 0..100 {
            self.aws("ApiGateway", "5XXError", API, if status >= 500 { 1.0 } else { 0.0 });
            // One in a hundred is a cold start.
            self.aws("ApiGateway", "Latency", API, if request == 0 { 900.0 } else { 30.0 });
        }
        // https://docs.aws.amazon.com/ses/latest/dg/reputationdashboard-cloudwatch-alarm.html
        self.aws("SES", "Reputation.BounceRate", &[], 0.01);
        self.aws("SES", "Reputation.ComplaintRate", &[], 0.0002);
    }

    fn aws(&self, service: &str, name: &str, dimensions: &[(&str, &str)], value: f64) {
        lock(&self.metrics).write(self.now() - 1, &format!("AWS/{service}"), name, dimensions, value);
    }

    /// A booking whose message of that topic waits for its consumer.
    pub(crate) async fn book_until(&mut self, topic: Topic) {
        self.run(self.now() + 120, &Outage::default()).await;
        self.stack.book("OS-900", 1, "pm_card_visa").await;
        let stopped = Outage { stopped: [topic].into(), ..Outage::default() };
        self.run(self.now() + 10, &stopped).await;
    }

    pub(crate) fn away(&self, what: &str) {
        lock(&self.stack.cloud.away).insert(what.to_owned());
    }
}
