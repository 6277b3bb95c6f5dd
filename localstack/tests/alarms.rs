//! What each failure writes as metrics goes through the alarms of the deployed template: the one that names the
//! failure goes off within a quarter of an hour, and none in a healthy hour.
//!
//! Our own metrics are those that the functions write, here in simulated time. Those of AWS are written down as
//! its documentation has them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws::emf::Emf;
use localstack::alarm::{Alarm, Metrics};
use localstack::cloud::{Message, lock};
use localstack::stack::{Stack, consumer_name};
use messaging::clock::Clock;
use messaging::metrics;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use serde_json::{Value as Json, json};
use serde_norway::Value;
use testkit::template::{Function, TEMPLATE, Template, deploy};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt;

const MINUTE: u64 = 60;
/// Until then the stack is healthy. An alarm's evaluation begins when it has that much behind it.
const HEALTHY: u64 = 12 * MINUTE;
const QUARTER: u64 = 15 * MINUTE;
const SLOWEST: u64 = 30 * MINUTE;

/// What does not work.
#[derive(Clone, Default)]
struct Outage {
    /// The consumers that do not run.
    stopped: BTreeSet<Topic>,
    /// Every message is lost.
    loses_messages: bool,
    /// The reconciler does not run.
    no_reconciler: bool,
    /// A table that does not answer 20 of 40 seconds.
    unreliable: Option<String>,
    /// How often somebody books, in seconds.
    bookings: Option<u64>,
}

impl Outage {
    fn none() -> Self {
        Self { bookings: Some(30), ..Self::default() }
    }
}

/// A stack in simulated time, one second after another, and the metrics of all that happens.
struct World {
    stack: Stack,
    start: Timestamp,
    metrics: Arc<Mutex<Metrics>>,
    /// Messages, with the second from which they are visible.
    waiting: Vec<(u64, Topic, Message)>,
    functions: Vec<Function>,
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
    async fn healthy() -> Self {
        let mut world = Self::start().await;
        world.run(HEALTHY, &Outage::none()).await;
        world
    }

    fn now(&self) -> u64 {
        seconds(self.start, self.stack.clock.now())
    }

    async fn run(&mut self, until: u64, outage: &Outage) {
        while self.now() < until {
            self.second(outage).await;
        }
    }

    async fn second(&mut self, outage: &Outage) {
        self.stack.clock.advance(Duration::from_secs(1));
        let now = self.now();
        if let Some(table) = &outage.unreliable {
            let mut away = lock(&self.stack.cloud.away);
            if now / 20 % 2 == 0 {
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
                self.reconcile().await;
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
            let before = lock(&self.metrics).samples(metrics::OLDEST_WAIT);
            lock(&self.stack.cloud.queues).insert(topic.queue(), batch.to_vec());
            self.stack.deliver(topic, 10).await;
            if lock(&self.metrics).samples(metrics::OLDEST_WAIT) == before {
                self.oldest_wait(topic, batch);
            }
            self.collect(outage);
        }
    }

    fn oldest_wait(&self, topic: Topic, batch: &[Message]) {
        let since = |message: &Message| {
            let event: Json = serde_json::from_str(&message.body).ok()?;
            event["time"].as_str()?.parse::<Timestamp>().ok()
        };
        if let Some(since) = batch.iter().filter_map(since).min() {
            let wait = Duration::from_secs(seconds(since, self.stack.clock.now()));
            metrics::time(metrics::OLDEST_WAIT, wait, Some(("Topic", topic.name())));
        }
    }

    async fn reconcile(&self) {
        let before = lock(&self.metrics).samples(metrics::RECONCILER_LATENESS);
        self.stack.reconcile().await;
        if lock(&self.metrics).samples(metrics::RECONCILER_LATENESS) == before {
            metrics::time(metrics::RECONCILER_LATENESS, Duration::ZERO, None);
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
            let name = format!("{}Function", function.name);
            for metric in ["Errors", "Throttles"] {
                self.aws("Lambda", metric, &[("FunctionName", &name)], 0.0);
            }
        }
        // https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
        let mut get: Json = serde_json::from_str(include_str!("../events/bookings-api.json")).unwrap();
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
    async fn book_until(&mut self, topic: Topic) {
        self.run(self.now() + 120, &Outage::default()).await;
        self.stack.book("OS-900", 1, "pm_card_visa").await;
        let stopped = Outage { stopped: [topic].into(), ..Outage::default() };
        self.run(self.now() + 10, &stopped).await;
    }

    fn away(&self, what: &str) {
        lock(&self.stack.cloud.away).insert(what.to_owned());
    }
}

const API: &[(&str, &str)] = &[("ApiName", "bookings"), ("Stage", "v1")];

/// A failure: what it wrote, since when, and the alarm that must go off.
struct Row {
    failure: String,
    alarm: String,
    metrics: Metrics,
    since: u64,
    within: u64,
}

impl Row {
    fn new(failure: impl Into<String>, alarm: impl Into<String>, world: &World, since: u64) -> Self {
        let metrics = lock(&world.metrics).clone();
        Self { failure: failure.into(), alarm: alarm.into(), metrics, since, within: QUARTER }
    }

    /// What the alarms of a template make of it.
    fn verdict(&self, document: &Value) -> Result<u64, String> {
        let Self { failure, alarm: name, .. } = self;
        let alarms = Alarm::all(&deploy(document, &[]));
        let alarm = alarms.iter().find(|alarm| alarm.name == *name);
        let alarm = alarm.ok_or_else(|| format!("{failure}: there is no {name}"))?;
        let on = alarm.first_on(&self.metrics, self.since, self.since + self.within);
        on.map(|on| on - self.since).ok_or_else(|| format!("{failure}: {name} stays off"))
    }
}

/// The failures of this system, by simulation.
async fn ours() -> Vec<Row> {
    let mut rows = Vec::new();
    for topic in Topic::ALL {
        let mut world = World::healthy().await;
        let since = world.now();
        let outage = Outage { stopped: [topic].into(), ..Outage::none() };
        world.run(since + QUARTER, &outage).await;
        rows.push(Row::new(
            format!("the consumer of {topic} is stopped"),
            format!("{}AgeAlarm", topic.logical_id()),
            &world,
            since,
        ));

        // One order, and nobody else who books.
        let mut world = World::healthy().await;
        world.book_until(topic).await;
        let name = consumer_name(topic);
        let consumer = world.functions.iter().find(|function| function.name == name).unwrap();
        world.away(&consumer.environment["TABLE"]);
        let since = world.now();
        world.run(since + QUARTER, &Outage::default()).await;
        rows.push(Row::new(
            format!("what the consumer of {topic} calls is away"),
            format!("{}WaitAlarm", topic.logical_id()),
            &world,
            since,
        ));

        let mut world = World::healthy().await;
        let since = world.now();
        let odd = Message { body: "odd".to_owned(), delay: 0, attributes: Json::Null, received: 0 };
        lock(&world.stack.cloud.queues).entry(topic.queue()).or_default().push(odd);
        world.run(since + QUARTER, &Outage::none()).await;
        rows.push(Row::new(
            format!("a message of {topic} is dead-lettered"),
            format!("{}DeadLettersAlarm", topic.logical_id()),
            &world,
            since,
        ));
    }

    let mut world = World::healthy().await;
    let since = world.now();
    let outage =
        Outage { unreliable: Some("TicketsTable".to_owned()), bookings: Some(10), ..Outage::default() };
    world.run(since + QUARTER, &outage).await;
    rows.push(Row::new("a table answers half of the time", "RetriesAlarm", &world, since));

    let mut world = World::healthy().await;
    let since = world.now();
    world.away("OrdersTable");
    world.run(since + QUARTER, &Outage::none()).await;
    rows.push(Row::new("the API's table is away", "ApiFailsAlarm", &world, since));

    let mut world = World::healthy().await;
    let since = world.now();
    world.run(since + QUARTER, &Outage { no_reconciler: true, ..Outage::none() }).await;
    rows.push(Row::new("the reconciler does not run", "ReconcilerAbsentAlarm", &world, since));

    // One mail, by a sender that is not verified.
    let mut world = World::healthy().await;
    world.book_until(Topic::Email).await;
    world.away("identity/tickets@example.com");
    let since = world.now();
    world.run(since + QUARTER, &Outage::default()).await;
    rows.push(Row::new("SES refuses a mail", "MailRefusedAlarm", &world, since));

    // Every message of it is lost, again and again. Its threshold is an hour.
    let mut world = World::healthy().await;
    let outage = Outage { loses_messages: true, ..Outage::default() };
    world.stack.book("OS-900", 1, "pm_card_visa").await;
    let since = world.now() + 60 * MINUTE;
    world.run(since + QUARTER, &outage).await;
    rows.push(Row::new("an order is stuck", "OverdueAlarm", &world, since));
    rows
}

/// The failures that AWS tells of, and a reconciler with more orders than a test has.
async fn theirs() -> Vec<Row> {
    let mut world = World::healthy().await;
    let since = world.now();
    world.run(since + SLOWEST, &Outage::none()).await;
    let row = |failure: String, alarm: &str| Row::new(failure, alarm, &world, since);
    let each_minute = |row: &mut Row, write: &dyn Fn(&mut Metrics, u64)| {
        (since..since + SLOWEST).step_by(60).for_each(|at| write(&mut row.metrics, at));
    };
    let mut rows = Vec::new();

    for function in Template::load().functions() {
        let id = format!("{}Function", function.name);
        let of: &[_] = &[("FunctionName", id.as_str())];
        // https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
        let mut fails = row(format!("{id} fails"), &format!("{}ErrorsAlarm", function.name));
        fails.metrics.write(since + 30, "AWS/Lambda", "Errors", of, 1.0);
        rows.push(fails);
        let mut throttled = row(format!("{id} is throttled"), "ThrottlesAlarm");
        each_minute(&mut throttled, &|metrics, at| metrics.write(at, "AWS/Lambda", "Throttles", of, 1.0));
        rows.push(throttled);
        // https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
        if function.consumes.is_some() {
            let mut dropped = row(format!("a chain of {id} is ended"), "RecursionAlarm");
            dropped.metrics.write(since + 30, "AWS/Lambda", "RecursiveInvocationsDropped", of, 1.0);
            rows.push(dropped);
        }
    }

    // Five in a hundred wait for a function that hangs.
    let mut slow = row("the API is slow".to_owned(), "ApiLatencyAlarm");
    each_minute(&mut slow, &|metrics, at| {
        (0..5).for_each(|_| metrics.write(at, "AWS/ApiGateway", "Latency", API, 5_000.0));
    });
    rows.push(slow);

    // It was on time until now, and gets no further.
    let mut late = row("the reconciler is late".to_owned(), "ReconcilerLateAlarm");
    each_minute(&mut late, &|metrics, at| {
        let lateness = ((at - since) * 1000) as f64;
        metrics.write(at, "bookings", metrics::RECONCILER_LATENESS, &[], lateness);
    });
    rows.push(late);

    // https://docs.aws.amazon.com/ses/latest/dg/reputationdashboard-cloudwatch-alarm.html: an hour's average.
    for (failure, rate, alarm) in
        [("bounce", "BounceRate", "MailBounces"), ("are spam", "ComplaintRate", "MailComplaints")]
    {
        let mut row = row(format!("a fifth of the mails {failure}"), &format!("{alarm}Alarm"));
        each_minute(&mut row, &|metrics, at| {
            metrics.write(at, "AWS/SES", &format!("Reputation.{rate}"), &[], 0.2);
        });
        rows.push(Row { within: SLOWEST, ..row });
    }
    rows
}

fn document() -> Value {
    serde_norway::from_str(TEMPLATE).unwrap()
}

#[tokio::test]
async fn each_failure_sets_off_its_alarm_within_a_quarter_of_an_hour() {
    let mut rows = ours().await;
    rows.extend(theirs().await);
    let mut missed = Vec::new();
    let document = document();
    for row in &rows {
        match row.verdict(&document) {
            Ok(after) => println!("{:>5} s  {:<28} {}", after, row.alarm, row.failure),
            Err(why) => missed.push(why),
        }
        // Without the alarm nobody is told. Others refer to it, so what is left of it is not an alarm.
        let mut without = document.clone();
        without["Resources"][row.alarm.as_str()]["Type"] = "Removed".into();
        assert!(row.verdict(&without).is_err(), "{} is not missed", row.alarm);
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));

    let proven: BTreeSet<_> = rows.iter().map(|row| row.alarm.as_str()).collect();
    let alarms = Alarm::all(&deploy(&document, &[]));
    let alarms: BTreeSet<_> = alarms.iter().map(|alarm| alarm.name.as_str()).collect();
    assert_eq!(proven, alarms, "every alarm goes off for a failure");
}

#[tokio::test]
async fn no_alarm_goes_off_in_a_healthy_hour_with_a_hiccup() {
    let mut world = World::healthy().await;
    // Forty seconds without its table: a few messages wait a little.
    world.away("TicketsTable");
    world.run(HEALTHY + 40, &Outage::none()).await;
    lock(&world.stack.cloud.away).clear();
    world.run(HEALTHY + 60 * MINUTE, &Outage::none()).await;
    let metrics = lock(&world.metrics);
    assert!(metrics.samples(metrics::RETRIES) > 0 && metrics.samples(metrics::OLDEST_WAIT) > 100);
    for alarm in Alarm::all(&deploy(&document(), &[])) {
        assert!(alarm.stays_off(&metrics, HEALTHY, HEALTHY + 60 * MINUTE), "{} goes off", alarm.name);
    }
}

#[test]
fn every_alarm_tells_the_topic_when_it_goes_on_and_off() {
    let topic = "arn:aws:sns:eu-central-1:123456789012:mine";
    for (parameters, told) in [(&[][..], "AlarmTopic"), (&[("AlarmTopicArn", topic)][..], topic)] {
        let deployed = deploy(&document(), parameters);
        let own = deployed["Resources"].get("AlarmTopic").is_some();
        assert_eq!(own, parameters.is_empty(), "a topic of its own only without another");
        for (id, alarm) in deployed["Resources"].as_mapping().unwrap() {
            if alarm["Type"].as_str() == Some("AWS::CloudWatch::Alarm") {
                for action in ["AlarmActions", "OKActions"] {
                    let actions = serde_json::to_value(&alarm["Properties"][action]).unwrap();
                    assert_eq!(actions, json!([told]), "{id:?}: {action}");
                }
            }
        }
    }
    let mailed = deploy(&document(), &[("AlarmEmail", "duty@example.com")]);
    let subscription = &mailed["Resources"]["AlarmSubscription"]["Properties"];
    assert_eq!(subscription["Endpoint"].as_str(), Some("duty@example.com"));
    assert_eq!(subscription["TopicArn"].as_str(), Some("AlarmTopic"));
    assert!(deploy(&document(), &[])["Resources"].get("AlarmSubscription").is_none());
}
