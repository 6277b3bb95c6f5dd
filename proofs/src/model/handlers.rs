//! Runs the product's own handlers over the adapters in memory, one port call at a time.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use billing_service::provider::{ProviderName, Providers};
use booking_gateway::deadline::DeadlinePolicy;
use booking_gateway::idempotency::IdempotencyKey;
use booking_gateway::order::Request;
use messaging::consumer::Delivery;
use messaging::entropy::{Entropy, SeededEntropy};
use protocol::event::Event;
use protocol::manage::ManageSecrets;
use protocol::secret::Secret;
use protocol::time::Timestamp;
use protocol::topic::{AnyMessage, Topic};
use system::{Ports, Services, Settings, Stores};

use super::message::TopicMessage;
use super::state::{Phase, Work};
use crate::fixtures::start;
use crate::memory::Memory;
use crate::memory::contents::SentMessage;
use crate::memory::script::{Answer, Script, StepFault};
use crate::port_call::PortCall;
use crate::stores::Contents;

/// How long a consumer may take. No timer runs, so this is never reached.
const CONSUME_TIME: Duration = Duration::from_secs(3600);

impl Phase {
    /// The time that all clocks show.
    pub fn now(self) -> Timestamp {
        let deadlines = DeadlinePolicy::default();
        match self {
            Phase::InTime => start(),
            Phase::Late => start() + deadlines.deadline + Duration::from_secs(1),
            Phase::Over => start() + deadlines.deadline + deadlines.grace + Duration::from_secs(1),
        }
    }
}

/// Runs handlers.
pub struct Handlers {
    /// Its timers are never driven: the product sets time limits, and none is reached.
    runtime: tokio::runtime::Runtime,
    /// Every message that was ever sent, by its body as it was sent.
    messages: Mutex<HashMap<String, TopicMessage>>,
}

/// All that a handler's next call depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HandlerInput {
    /// The place of its customers among those of the check.
    pub customers: usize,
    /// What the handler works on.
    pub work: Work,
    /// What its calls were answered so far.
    pub answers: Vec<Answer>,
    /// What goes wrong now.
    pub fault: Option<StepFault>,
    /// The time.
    pub phase: Phase,
    /// The records it can reach.
    pub records: Contents,
}

/// What came of one step of a handler.
pub struct StepOutcome {
    /// The records it can reach, as they are now.
    pub records: Contents,
    /// What it sent.
    pub sent: Vec<TopicMessage>,
    /// Why it dead-lettered messages.
    pub dead_lettered: Vec<String>,
    /// What its calls were answered so far.
    pub answers: Vec<Answer>,
    /// What it does next.
    pub next: Next,
}

/// What a handler does next.
pub enum Next {
    /// It makes this call.
    Call(PortCall),
    /// It is done, and its message is acknowledged.
    Done,
    /// It is done, and its message is to be redelivered.
    Redeliver,
    /// Its process has died.
    Died,
}

/// The future of a handler; it answers whether the message is to be redelivered.
type Handling = Pin<Box<dyn Future<Output = bool> + Send>>;

impl Handlers {
    /// No handler runs yet.
    ///
    /// # Errors
    /// The machine has no runtime to give.
    pub fn new() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        Ok(Self { runtime, messages: Mutex::default() })
    }

    /// Runs a handler to where it was, has it make one more call, and stops it at the next.
    ///
    /// `None` if the fault does not fit that call.
    ///
    /// # Panics
    /// If the handler does not do again what it did before. Then it is no function of its ports, and
    /// the model would prove nothing.
    pub fn run_to_next_call(&self, input: &HandlerInput, requests: &[Request]) -> Option<StepOutcome> {
        let HandlerInput { work, answers, fault, phase, records, .. } = input;
        let script = Script::new(answers.clone(), *fault);
        let memory = Memory::scripted(records.clone(), script, phase.now());
        let polled = {
            // The consumer and the gateway set time limits, and timers must belong to a runtime.
            let _entered = self.runtime.enter();
            let mut handling = handling(&memory, work, requests);
            // Every port in memory answers at once or never, so one poll takes it to its next call.
            handling.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        };
        let (mut records, script) = memory.take();
        if let Some(why) = script.impossible {
            panic!("{work:?}: {why}");
        }
        if !script.fault_happened() {
            return None;
        }
        let next = match (polled, script.stopped_at) {
            // Sends belong to the step of the call before them, so only a crash stops a handler there.
            (Poll::Pending, Some(PortCall::TOPICS_SEND)) => Next::Died,
            (Poll::Ready(true), _) => Next::Redeliver,
            (Poll::Ready(false), _) => Next::Done,
            (Poll::Pending, Some(call)) => Next::Call(call),
            (Poll::Pending, None) => panic!("{work:?}: waits for something that is no port"),
        };
        let (sent, dead_lettered) = self.read_all(std::mem::take(&mut records.sent));
        Some(StepOutcome { records, sent, dead_lettered, answers: script.into_answers(), next })
    }

    /// What was sent to topics, and why the rest was dead-lettered.
    fn read_all(&self, sent: Vec<SentMessage>) -> (Vec<TopicMessage>, Vec<String>) {
        let mut dead_lettered = Vec::new();
        let mut messages = Vec::new();
        for message in sent {
            match message.dead_lettered {
                Some(failure) => dead_lettered.push(failure),
                None => match self.read(message.topic, &message.body) {
                    Some(message) => messages.push(message),
                    None => dead_lettered.push(format!("{} cannot be read", message.body)),
                },
            }
        }
        (messages, dead_lettered)
    }

    fn read(&self, topic: Topic, body: &str) -> Option<TopicMessage> {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(message) = messages.get(body) {
            return Some(message.clone());
        }
        let event = AnyMessage::decode(topic, body).ok()?;
        let (attempt, expires) = normal(&event);
        // Without its time: no answer depends on it.
        let message = TopicMessage::new(Event { time: start(), attempt, expires, ..event });
        messages.insert(body.to_owned(), message.clone());
        Some(message)
    }
}

/// Whether it was tried before, and whether it expires. How often it was tried only lengthens the pause
/// before the next copy. When it expires is for the model to say ([`Action::Expire`]): to the product's
/// clock, never.
///
/// [`Action::Expire`]: super::state::Action::Expire
fn normal<M>(event: &Event<M>) -> (u32, Option<Timestamp>) {
    (event.attempt.min(1), event.expires.map(|_| Timestamp::from_millis(i64::MAX)))
}

/// The product's services on those adapters.
fn services(memory: &Memory) -> Services {
    let adapter = Arc::new(memory.clone());
    let ports = Ports {
        stores: Stores::of(memory.clone()),
        providers: Providers::only(ProviderName::SIMULATED, adapter.clone()),
        mailer: adapter.clone(),
        topics: adapter.clone(),
        clock: adapter,
        entropy: Arc::new(SeededEntropy::new(0)),
        limiter: None,
    };
    let manage = ManageSecrets { current: secret(2), previous: None };
    let deadlines = DeadlinePolicy::default();
    Services::new(&ports, Settings { id_secret: secret(1), manage, public_url: None, deadlines })
}

#[expect(clippy::expect_used, reason = "it is long enough")]
fn secret(number: u8) -> Secret {
    Secret::new(&[number; 32]).expect("32 bytes")
}

fn handling(memory: &Memory, work: &Work, requests: &[Request]) -> Handling {
    let services = services(memory);
    match work {
        Work::Post(number) => {
            let request = requests[*number].clone();
            let key = IdempotencyKey::parse(format!("order-{number}").as_bytes()).ok();
            let trace = SeededEntropy::new(*number as u64).traceparent();
            Box::pin(async move {
                // The answer is dropped: a customer has no message to be redelivered.
                let _ = services.acceptor.accept(request, key.as_ref(), Some(trace), None).await;
                false
            })
        }
        Work::Delete(order) => {
            let order = *order;
            Box::pin(async move {
                let _ = services.gateway().cancel(order, None).await;
                false
            })
        }
        Work::Check(_) => Box::pin(async move {
            // A check that fails is followed by another.
            let _ = services.gateway().reconcile(CONSUME_TIME).await;
            false
        }),
        Work::Consume(_) | Work::ConsumeRun(_) => {
            let (consumer, topics) = (services.consumer(work.owner()).clone(), memory.clone());
            let delivery = |(place, message): (usize, &TopicMessage)| Delivery {
                id: place.to_string(),
                body: message.body.clone(),
                receive_count: if message.is_redelivered { 2 } else { 1 },
            };
            let batch: Vec<_> = work.messages().iter().enumerate().map(delivery).collect();
            Box::pin(async move { !consumer.consume(&batch, CONSUME_TIME, &topics).await.is_empty() })
        }
    }
}
