//! What each failure writes as metrics goes through the alarms of the deployed template: the one that names the
//! failure goes off within a quarter of an hour, and none in a healthy hour.
//!
//! Our own metrics are those that the functions write, here in simulated time. Those of AWS are written down as
//! its documentation has them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use std::collections::BTreeSet;
use std::pin::Pin;

use localstack::alarm::{Alarm, Metrics};
use localstack::cloud::{Message, lock};
use localstack::document::document;
use localstack::stack::consumer_name;
use messaging::metrics;
use protocol::topic::Topic;
use serde_json::json;
use serde_norway::Value;
use testkit::template::{Template, deploy};

use crate::world::{API, HEALTHY, MINUTE, Outage, World};

const QUARTER: u64 = 15 * MINUTE;
const SLOWEST: u64 = 30 * MINUTE;

/// A failure: what it wrote, since when, and the alarm that must go off.
#[derive(Clone)]
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

/// The failures of the consumer of a topic, by simulation.
async fn of_a_topic(topic: Topic) -> Vec<Row> {
    let mut rows = Vec::new();
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

    // One order, and no other customer.
    let mut world = World::healthy().await;
    world.book_until(topic).await;
    let name = consumer_name(topic);
    let consumer = world.functions.iter().find(|function| function.name == name).unwrap();
    let table = consumer.environment["TABLE"].clone();
    world.away(&table);
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
    let unreliable = Some(table);
    let outage = Outage { unreliable, bookings: Some(7), ..Outage::default() };
    world.run(since + QUARTER, &outage).await;
    rows.push(Row::new(
        format!("the table of the consumer of {topic} answers half of the time"),
        format!("{}RetriesAlarm", topic.logical_id()),
        &world,
        since,
    ));

    let mut world = World::healthy().await;
    let since = world.now();
    let odd = Message { body: "odd".to_owned(), ..Message::default() };
    lock(&world.stack.cloud.queues).entry(topic.queue()).or_default().push(odd);
    world.run(since + QUARTER, &Outage::none()).await;
    rows.push(Row::new(
        format!("a message of {topic} is dead-lettered"),
        format!("{}DeadLettersAlarm", topic.logical_id()),
        &world,
        since,
    ));
    rows
}

/// The other failures of this system, by simulation.
async fn of_no_topic() -> Vec<Row> {
    let mut rows = Vec::new();
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
        let id = format!("bookings-{}", function.binary);
        let of: &[_] = &[("FunctionName", id.as_str())];
        // https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
        let mut fails = row(format!("{id} fails"), &format!("{}ErrorsAlarm", function.name));
        fails.metrics.write(since + 30, "AWS/Lambda", "Errors", of, 1.0);
        rows.push(fails);
        let mut throttled = row(format!("{id} is throttled"), &format!("{}ThrottlesAlarm", function.name));
        each_minute(&mut throttled, &|metrics, at| metrics.write(at, "AWS/Lambda", "Throttles", of, 1.0));
        rows.push(throttled);
        // https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
        if function.consumes.is_some() {
            let mut dropped =
                row(format!("a chain of {id} is ended"), &format!("{}RecursionAlarm", function.name));
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

#[test]
fn each_failure_sets_off_its_alarm_within_a_quarter_of_an_hour() {
    let simulate = |rows: Pin<Box<dyn Future<Output = Vec<Row>>>>| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(rows)
    };
    let rows: Vec<Row> = std::thread::scope(|threads| {
        let of_topics = Topic::ALL.map(|topic| threads.spawn(move || simulate(Box::pin(of_a_topic(topic)))));
        let others =
            threads.spawn(|| [simulate(Box::pin(of_no_topic())), simulate(Box::pin(theirs()))].concat());
        of_topics.into_iter().chain([others]).flat_map(|rows| rows.join().unwrap()).collect()
    });
    let mut missed = Vec::new();
    let document = document();
    for row in &rows {
        match row.verdict(&document) {
            Ok(after) => println!("{:>5} s  {:<28} {}", after, row.alarm, row.failure),
            Err(why) => missed.push(why),
        }
        // Without the alarm no operator is told. Others refer to it, so what is left of it is not an alarm.
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
    // A minute and a half without its table: a few messages wait a little.
    world.away("TicketsTable");
    world.run(HEALTHY + 90, &Outage::none()).await;
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
