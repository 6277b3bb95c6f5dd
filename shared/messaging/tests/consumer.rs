//! The batch consumer, against handlers that fail in every way.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use messaging::clock::ManualClock;
use messaging::consumer::{Consume, Consumer, Delivery, EARLY_ATTEMPTS, Outcome, Service};
use messaging::entropy::SeededEntropy;
use messaging::store::StoreError;
use messaging::topics::{Outgoing, SendError, Topics};
use protocol::event::Event;
use protocol::flight::FlightId;
use protocol::ids::OrderId;
use protocol::messages::{OrderUpdate, TicketCommand};
use protocol::time::Timestamp;
use protocol::topic::Topic;

/// Does what the flight's id says.
#[derive(Default)]
struct Scripted {
    log: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Service for Scripted {
    type Message = TicketCommand;
    type Loaded = ();

    fn lane(&self, event: &Event<TicketCommand>) -> String {
        event.message.flight_id().as_str().split('.').next().unwrap().to_owned()
    }

    async fn handle(&self, event: &Event<TicketCommand>, (): &()) -> Result<Outcome, StoreError> {
        let script = event.message.flight_id().as_str().trim_start_matches("run.").to_owned();
        tokio::time::sleep(Duration::from_millis(if script == "slow" { 3_600_000 } else { 1 })).await;
        self.log.lock().unwrap().push(script.clone());
        match script.as_str() {
            "panics" => panic!("as the script says"),
            "waits" => Ok(Outcome::Wait("the provider is unavailable".to_owned())),
            "early" => Ok(Outcome::TooEarly("no such order".to_owned())),
            "store-down" => Err(StoreError::unavailable("the store is down")),
            "unreadable" => Err(StoreError::unreadable("garbage")),
            _ => Ok(Outcome::Done(vec![Outgoing::event(
                &event.reply(OrderUpdate::TicketsReleased, event.time),
            )])),
        }
    }

    /// Messages of the lane `run` are handled together.
    fn run_length(&self, lane: &[&Event<TicketCommand>]) -> usize {
        lane.iter().take_while(|event| event.message.flight_id().as_str().starts_with("run.")).count()
    }

    async fn handle_run(&self, run: &[&Event<TicketCommand>], (): &()) -> Vec<Result<Outcome, StoreError>> {
        self.log.lock().unwrap().push(format!("{} together", run.len()));
        let mut outcomes = Vec::new();
        for event in run {
            outcomes.push(self.handle(event, &()).await);
        }
        outcomes
    }
}

/// Keeps what is sent and how many were sent at once, and refuses what goes to `refuse`.
#[derive(Default)]
struct Kept {
    sent: Mutex<Vec<Outgoing>>,
    at_once: Mutex<Vec<usize>>,
    refuse: Vec<Topic>,
}

#[async_trait]
impl Topics for Kept {
    async fn send(&self, messages: Vec<Outgoing>) -> Vec<Result<(), SendError>> {
        let send = |message: Outgoing| {
            if self.refuse.contains(&message.topic) {
                return Err(SendError { topic: message.topic, reason: "it is down".to_owned() });
            }
            self.sent.lock().unwrap().push(message);
            Ok(())
        };
        self.at_once.lock().unwrap().push(messages.len());
        messages.into_iter().map(send).collect()
    }
}

/// The time that the consumer's clock shows.
fn now() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(now()))
}

fn event(script: &str, attempt: u32) -> Event<TicketCommand> {
    let message = TicketCommand::Release { flight_id: FlightId::parse(script).unwrap() };
    let order = OrderId::from_bytes([7; 16]);
    Event { order, message, time: now(), expires: None, traceparent: None, attempt }
}

fn command(script: &str, attempt: u32) -> String {
    event(script, attempt).encode()
}

/// A command that has expired a moment ago.
fn expired(script: &str, attempt: u32) -> String {
    Event { expires: Some(now()), ..event(script, attempt) }.encode()
}

fn batch(bodies: &[&str]) -> Vec<Delivery> {
    let delivery = |(number, body): (usize, &&str)| Delivery {
        id: format!("m{number}"),
        body: (*body).to_owned(),
        receive_count: 1,
    };
    bodies.iter().enumerate().map(delivery).collect()
}

struct Run {
    redeliver: Vec<String>,
    sent: Vec<Outgoing>,
    at_once: Vec<usize>,
    log: Vec<String>,
}

async fn consume(bodies: &[&str], refuse: Option<Topic>) -> Run {
    consume_batch(&batch(bodies), &refuse.into_iter().collect::<Vec<_>>()).await
}

async fn consume_batch(batch: &[Delivery], refuse: &[Topic]) -> Run {
    let topics = Arc::new(Kept { refuse: refuse.to_vec(), ..Kept::default() });
    let service = Scripted::default();
    let log = service.log.clone();
    let consumer = Consumer::new(service, clock(), Arc::new(SeededEntropy::new(1)));
    let redeliver = consumer.consume(batch, Duration::from_secs(5), topics.as_ref()).await;
    let sent = std::mem::take(&mut *topics.sent.lock().unwrap());
    let at_once = topics.at_once.lock().unwrap().clone();
    let log = log.lock().unwrap().clone();
    Run { redeliver, sent, at_once, log }
}

#[tokio::test(start_paused = true)]
async fn a_handlers_answers_are_sent_and_its_record_is_acknowledged() {
    let run = consume(&[&command("fine", 0), &command("well", 0)], None).await;
    assert!(run.redeliver.is_empty());
    assert_eq!(
        run.sent.iter().map(|sent| sent.topic).collect::<Vec<_>>(),
        [Topic::OrderUpdates, Topic::OrderUpdates]
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_its_own_record_alone() {
    let run = consume(&[&command("fine", 0), &command("panics", 0), &command("well", 0)], None).await;
    assert_eq!(run.redeliver, ["m1"]);
    assert_eq!(run.sent.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_record_fails_alone() {
    let run = consume(&[&command("unreadable", 0), &command("fine", 0)], None).await;
    assert_eq!(run.redeliver, ["m0"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_decoded_is_dead_lettered_at_once_and_its_batch_goes_on() {
    let newer = command("fine", 0).replace(".v1", ".v9");
    let run = consume(&["garbage", &newer, &command("fine", 0)], None).await;
    assert!(run.redeliver.is_empty());
    let dead_letters: Vec<_> =
        run.sent.iter().filter_map(|sent| Some((sent.body.as_str(), sent.dead_letter.as_ref()?))).collect();
    assert_eq!(dead_letters.len(), 2);
    assert_eq!(dead_letters[0].0, "garbage");
    assert!(dead_letters[1].1.failure.starts_with("newer version"), "{:?}", dead_letters[1].1);
    assert_eq!((dead_letters[1].1.attempts, dead_letters[1].1.source), (1, "/ticket-service"));
    assert_eq!(run.log, ["fine"]);
}

#[tokio::test(start_paused = true)]
async fn waiting_is_a_delayed_copy_that_counts_its_attempt() {
    for script in ["waits", "store-down"] {
        let run = consume(&[&command(script, 4)], None).await;
        assert!(run.redeliver.is_empty(), "waiting is no failure");
        let copy = Event::<TicketCommand>::decode(&run.sent[0].body).unwrap();
        assert_eq!((run.sent[0].topic, copy.attempt), (Topic::Tickets, 5));
        assert!((8_000..=16_000).contains(&run.sent[0].delay.as_millis()), "{:?}", run.sent[0].delay);
        assert!(run.sent[0].dead_letter.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_never_ends_in_the_dead_letter_queue() {
    let run = consume(&[&command("waits", 100_000)], None).await;
    assert!(run.sent[0].dead_letter.is_none());
    assert!(run.sent[0].delay <= Duration::from_secs(900));
}

#[tokio::test(start_paused = true)]
async fn what_comes_too_early_is_retried_and_then_dead_lettered() {
    let run = consume(&[&command("early", EARLY_ATTEMPTS - 1)], None).await;
    assert!(run.sent[0].dead_letter.is_none());
    let run = consume(&[&command("early", EARLY_ATTEMPTS)], None).await;
    let failure = run.sent[0].dead_letter.clone().unwrap();
    assert_eq!(failure.failure, "too early: no such order");
    assert_eq!(failure.attempts, EARLY_ATTEMPTS + 1);
}

#[tokio::test(start_paused = true)]
async fn a_record_whose_answer_was_not_sent_waits_as_a_copy_and_counts_no_receive() {
    let batch = batch(&[&command("fine", 3), &command("waits", 0), "garbage"]);
    let run = consume_batch(&batch, &[Topic::OrderUpdates]).await;
    assert!(run.redeliver.is_empty(), "{:?}", run.redeliver);
    let copy = Event::<TicketCommand>::decode(&run.sent.last().unwrap().body).unwrap();
    assert_eq!((copy.message.flight_id().as_str(), copy.attempt), ("fine", 4));
}

#[tokio::test(start_paused = true)]
async fn a_record_of_which_no_copy_can_be_sent_is_redelivered() {
    let batch = batch(&[&command("fine", 0), &command("waits", 0), "garbage"]);
    let run = consume_batch(&batch, &[Topic::Tickets]).await;
    assert_eq!(run.redeliver, ["m1", "m2"], "neither the copy nor the dead letter arrived");
    let run = consume_batch(&batch, &[Topic::Tickets, Topic::OrderUpdates]).await;
    assert_eq!(run.redeliver, ["m0", "m1", "m2"]);
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_and_was_never_tried_is_acknowledged_unhandled() {
    let run = consume(&[&expired("fine", 0), &command("well", 0)], None).await;
    assert!(run.redeliver.is_empty());
    assert_eq!(run.log, ["well"]);
    assert_eq!(run.sent.len(), 1, "the answer to the other alone");
}

#[tokio::test(start_paused = true)]
async fn a_decision_names_what_has_expired_since_no_downstream_has_answered_it() {
    let consumer = Consumer::new(Scripted::default(), clock(), Arc::new(SeededEntropy::new(1)));
    let waits_in_vain = expired("waits", 1);
    let batch = batch(&[&expired("fine", 0), &waits_in_vain, &expired("fine", 1), &command("well", 0)]);
    let decision = consumer.decide(&batch, Duration::from_secs(5)).await;
    assert_eq!(decision.expired.into_iter().collect::<Vec<_>>(), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_but_was_tried_is_handled() {
    let received_before = Delivery { receive_count: 2, ..batch(&[&expired("fine", 0)]).remove(0) };
    for delivery in [received_before, batch(&[&expired("fine", 1)]).remove(0)] {
        let run = consume_batch(&[delivery], &[]).await;
        assert_eq!((run.log.len(), run.sent.len()), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_is_not_copied_past_its_expiry() {
    for script in ["waits", "store-down"] {
        let run = consume(&[&expired(script, 3)], None).await;
        assert!(run.redeliver.is_empty() && run.sent.is_empty(), "its successor is under way");
        let later = Event { expires: Some(now() + Duration::from_millis(1)), ..event(script, 3) };
        let run = consume(&[&later.encode()], None).await;
        let copy = Event::<TicketCommand>::decode(&run.sent[0].body).unwrap();
        assert_eq!((copy.attempt, copy.time, copy.expires), (4, later.time, later.expires));
    }
}

#[tokio::test(start_paused = true)]
async fn when_time_runs_out_what_is_done_counts_and_the_rest_is_redelivered() {
    let run = consume(&[&command("fine", 0), &command("slow", 0), &command("well", 0)], None).await;
    assert_eq!(run.redeliver, ["m1"]);
    assert_eq!(run.sent.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_lane_runs_in_order_and_lanes_do_not_wait_for_each_other() {
    let run = consume(
        &[&command("slow", 0), &command("hot.1", 0), &command("hot.2", 0), &command("hot.3", 0)],
        None,
    )
    .await;
    assert_eq!(run.log, ["hot.1", "hot.2", "hot.3"]);
    assert_eq!(run.redeliver, ["m0"]);
}

#[tokio::test(start_paused = true)]
async fn messages_of_a_run_are_handled_together_and_each_has_its_own_outcome() {
    let scripts = ["run.fine", "run.unreadable", "run.store-down", "run.well", "other"];
    let run = consume(&scripts.map(|script| command(script, 0)).each_ref().map(String::as_str), None).await;
    assert!(run.log.contains(&"4 together".to_owned()), "{:?}", run.log);
    assert_eq!(run.redeliver, ["m1"]);
    let topics: Vec<_> = run.sent.iter().map(|sent| sent.topic).collect();
    assert_eq!(topics, [Topic::OrderUpdates, Topic::Tickets, Topic::OrderUpdates, Topic::OrderUpdates]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_panics_is_handled_one_by_one_and_one_record_fails() {
    let scripts = ["run.fine", "run.panics", "run.well"];
    let run = consume(&scripts.map(|script| command(script, 0)).each_ref().map(String::as_str), None).await;
    assert_eq!(run.redeliver, ["m1"]);
    assert_eq!(run.sent.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_waits_for_no_slow_lane() {
    let batch = batch(&[&command("fine", 0), &command("slow", 0), &command("well", 0)]);
    let topics = Kept::default();
    let consumer = Consumer::new(Scripted::default(), clock(), Arc::new(SeededEntropy::new(1)));
    let consumed = consumer.consume(&batch, Duration::from_secs(5), &topics);
    let soon = tokio::time::timeout(Duration::from_secs(1), consumed).await;
    assert!(soon.is_err(), "the slow one is still at work");
    assert_eq!(*topics.at_once.lock().unwrap(), [2], "and both answers are sent, in one call");
}

#[tokio::test(start_paused = true)]
async fn lanes_that_are_fast_are_answered_in_one_call() {
    let run =
        consume(&[&command("fine", 0), &command("waits", 0), "garbage", &command("well", 0)], None).await;
    assert_eq!(run.at_once, [4]);
}
