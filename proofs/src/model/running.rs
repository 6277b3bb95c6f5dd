//! Runs the product's own handlers over the memory, one port call at a time.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use billing_service::service::BillingService;
use booking_gateway::desk::{BookingDesk, DEADLINE, Secret};
use booking_gateway::gateway::Gateway;
use booking_gateway::idempotency::IdempotencyKey;
use booking_gateway::order::Request;
use booking_gateway::reconciler::GRACE;
use booking_gateway::updates::OrderUpdates;
use email_service::service::EmailService;
use shared::consumer::{Consumer, Delivery, Service};
use shared::entropy::SeededEntropy;
use shared::event::{Event, TraceParent};
use shared::messages::{BillingCommand, EmailCommand, Message, OrderUpdate, TicketCommand};
use shared::time::Timestamp;
use shared::topic::Topic;
use ticket_service::service::TicketService;

use super::state::{Letter, Phase, Work};
use crate::memory::Memory;
use crate::memory::contents::{Contents, Sent};
use crate::memory::script::{Answer, Fault, SEND, Script};

/// When every story begins.
pub fn start() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

impl Phase {
    /// The time that all clocks show.
    pub fn now(self) -> Timestamp {
        match self {
            Phase::InTime => start(),
            Phase::Late => start() + DEADLINE + Duration::from_secs(1),
            Phase::Over => start() + DEADLINE + GRACE + Duration::from_secs(1),
        }
    }
}

/// Runs handlers.
pub struct Product {
    /// Its timers are never driven: the consumer's time limits are set, and never reached.
    runtime: tokio::runtime::Runtime,
    /// Every message that was ever sent, by its body as it was sent.
    letters: Mutex<HashMap<String, Letter>>,
}

/// All that a handler's next call depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Situation {
    /// Whose customers.
    pub story: usize,
    /// What the handler works on.
    pub work: Work,
    /// What it was answered so far.
    pub answers: Vec<Answer>,
    /// What goes wrong now.
    pub fault: Option<Fault>,
    /// What the time is.
    pub phase: Phase,
    /// The records it can reach.
    pub records: Contents,
}

/// How far a handler got.
pub struct Progress {
    /// The records it can reach, as they are now.
    pub records: Contents,
    /// What it sent.
    pub sent: Vec<Letter>,
    /// Why it gave up messages.
    pub parked: Vec<String>,
    /// What it was answered so far.
    pub answers: Vec<Answer>,
    /// What it does next.
    pub next: Next,
}

/// What a handler does next.
pub enum Next {
    /// It makes this call.
    Call(&'static str),
    /// Nothing: it is done, and its message is acknowledged.
    Done,
    /// Nothing: it is done, and its message is to be delivered again.
    Again,
    /// Nothing: its process has died.
    Dead,
}

/// What a handler's future answers: whether its message is to be delivered again.
type Handling = Pin<Box<dyn Future<Output = bool> + Send>>;

impl Product {
    /// The product, at rest.
    pub fn new() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        Ok(Self { runtime, letters: Mutex::default() })
    }

    /// Brings a handler back to where it was, and has it make one more call.
    ///
    /// `None` where the fault does not fit that call.
    ///
    /// # Panics
    /// Where the handler does not do again what it did before: then it is no function of its
    /// ports, and nothing here would prove anything.
    pub fn go(&self, situation: &Situation, requests: &[Request]) -> Option<Progress> {
        let Situation { work, answers, fault, phase, records, .. } = situation;
        let script = Script::new(answers.clone(), *fault);
        let memory = Memory::scripted(records.clone(), script, phase.now());
        let polled = {
            // The consumer and the gateway set time limits; timers need a runtime to belong to.
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
            (Poll::Pending, Some(SEND)) => Next::Dead,
            (Poll::Ready(true), _) => Next::Again,
            (Poll::Ready(false), _) => Next::Done,
            (Poll::Pending, Some(call)) => Next::Call(call),
            (Poll::Pending, None) => panic!("{work:?}: waits for something that is no port"),
        };
        let (sent, parked) = self.letters(std::mem::take(&mut records.sent));
        Some(Progress { records, sent, parked, answers: script.into_answers(), next })
    }

    /// What was sent, as letters; the others were parked, for these reasons.
    fn letters(&self, sent: Vec<Sent>) -> (Vec<Letter>, Vec<String>) {
        let mut parked = Vec::new();
        let mut letters = Vec::new();
        for message in sent {
            match message.parked {
                Some(failure) => parked.push(failure),
                None => match self.letter(message.topic, &message.body) {
                    Some(letter) => letters.push(letter),
                    None => parked.push(format!("{} cannot be read", message.body)),
                },
            }
        }
        (letters, parked)
    }

    fn letter(&self, topic: Topic, body: &str) -> Option<Letter> {
        let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(letter) = letters.get(body) {
            return Some(letter.clone());
        }
        let letter = match topic {
            Topic::Tickets => command::<TicketCommand>(body)?,
            Topic::Billing => command::<BillingCommand>(body)?,
            Topic::Email => command::<EmailCommand>(body)?,
            Topic::OrderUpdates => {
                let event = Event::<OrderUpdate>::decode(body).ok()?;
                let update = event.message.clone();
                Letter::new(&Event { time: start(), ..event }, Some(update))
            }
        };
        letters.insert(body.to_owned(), letter.clone());
        Some(letter)
    }
}

/// A command as a letter. Its attempts only lengthen the pause before its next copy.
fn command<M: Message>(body: &str) -> Option<Letter> {
    let event = Event::<M>::decode(body).ok()?;
    Some(Letter::new(&Event { time: start(), attempt: 0, ..event }, None))
}

fn handling(memory: &Memory, work: &Work, requests: &[Request]) -> Handling {
    let ports = Arc::new(memory.clone());
    let gateway = Gateway { orders: ports.clone(), topics: ports.clone(), clock: ports.clone() };
    match work {
        Work::Post(number) => {
            let (request, number) = (requests[*number].clone(), *number);
            Box::pin(async move { accept(gateway, request, number).await })
        }
        Work::Delete(order) => {
            let order = *order;
            Box::pin(async move {
                // Whatever it is answered: the customer has no message that comes again.
                let _ = gateway.cancel(order).await;
                false
            })
        }
        Work::Look(_) => Box::pin(async move {
            // A look that fails is followed by another.
            let _ = gateway.reconcile(1).await;
            false
        }),
        Work::Consume(letter) => {
            let body = letter.body.clone();
            match letter.topic {
                Topic::Tickets => consume(TicketService { store: ports.clone(), clock: ports }, memory, body),
                Topic::OrderUpdates => consume(OrderUpdates(gateway), memory, body),
                Topic::Billing => {
                    let service =
                        BillingService { store: ports.clone(), provider: ports.clone(), clock: ports };
                    consume(service, memory, body)
                }
                Topic::Email => consume(EmailService { store: ports.clone(), mailer: ports }, memory, body),
            }
        }
    }
}

/// The product's own consumer, for a batch of one.
fn consume<S: Service + 'static>(service: S, topics: &Memory, body: String) -> Handling {
    let topics = topics.clone();
    Box::pin(async move {
        let consumer = Consumer::new(service, Arc::new(SeededEntropy::new(0)));
        let batch = [Delivery { id: "1".to_owned(), body, receive_count: 1 }];
        !consumer.consume(&batch, Duration::from_secs(3600), &topics).await.is_empty()
    })
}

async fn accept(gateway: Gateway, request: Request, number: usize) -> bool {
    let desk = BookingDesk {
        gateway,
        entropy: Arc::new(SeededEntropy::new(0)),
        secret: secret(),
        deadline: DEADLINE,
    };
    let key = IdempotencyKey::parse(format!("order-{number}").as_bytes()).ok();
    let trace = TraceParent::random(&SeededEntropy::new(number as u64));
    // Whatever it is answered: the customer has no message that comes again.
    let _ = desk.accept(request, key.as_ref(), Some(trace)).await;
    false
}

#[expect(clippy::expect_used, reason = "it is long enough")]
fn secret() -> Secret {
    Secret::new(&[7; 32]).expect("32 bytes")
}
