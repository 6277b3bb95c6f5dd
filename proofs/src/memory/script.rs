//! How far a handler gets: which of its port calls are answered, and which one goes wrong.
//!
//! A handler is a function of what its ports (and its clock) answer. So a handler that is half
//! done needs no frozen future: its message and the answers it has had are enough. To go on, it is
//! run again from the start, is given the same answers, makes one more call, and is dropped.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::contents::{Contents, Late, digest};

/// A call of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its name, `OrderStore::get`.
    pub name: &'static str,
    /// What it may do.
    pub kind: Kind,
}

/// What a call may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It changes nothing.
    Read,
    /// It changes something.
    Write,
    /// It opens a payment.
    Open,
    /// It asks the provider to move money, or to close the way for it.
    Request(Late),
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It is refused; nothing was done.
    Refused,
    /// It is done, and the reply is lost.
    ReplyLost,
    /// The reply is an error, and the request lands at some later time.
    LandsLater,
    /// The provider no longer knows that it opened a payment for the order, and opens another.
    Forgotten,
    /// The call goes well; of the messages that are sent next, the one in that place is not.
    NotSent(u8),
    /// The call goes well; then the process dies, before any of the messages that are sent next.
    DiesUnsent,
}

/// The name of the call that sends a message.
pub const SEND: &str = "Topics::send";

impl Fault {
    /// Every one of them.
    pub const ALL: [Fault; 7] = [
        Fault::Refused,
        Fault::ReplyLost,
        Fault::LandsLater,
        Fault::Forgotten,
        Fault::NotSent(0),
        Fault::NotSent(1),
        Fault::DiesUnsent,
    ];

    /// Whether this can go wrong with that call, and leaves something else behind than another
    /// fault would: a read whose reply is lost is a read that was refused.
    fn fits(self, kind: &Kind) -> bool {
        match self {
            Fault::Refused => true,
            Fault::ReplyLost => *kind != Kind::Read,
            Fault::LandsLater => matches!(kind, Kind::Request(_)),
            Fault::Forgotten => *kind == Kind::Open,
            Fault::NotSent(_) | Fault::DiesUnsent => false,
        }
    }
}

/// Why a call has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failed {
    /// It did nothing, and says so.
    Refused,
    /// It may or may not have been done.
    Unknown,
}

/// What a call was answered; compared by the hash of its `Debug` form.
#[derive(Clone)]
pub struct Answer {
    call: &'static str,
    value: Result<Arc<dyn Any + Send + Sync>, Failed>,
    digest: u64,
}

impl Answer {
    fn new<T: fmt::Debug + Send + Sync + 'static>(call: &'static str, result: Result<T, Failed>) -> Self {
        let digest = digest(&result);
        let value = result.map(|value| -> Arc<dyn Any + Send + Sync> { Arc::new(value) });
        Self { call, value, digest }
    }

    fn get<T: Clone + 'static>(&self, call: &'static str) -> Option<Result<T, Failed>> {
        if self.call != call {
            return None;
        }
        match &self.value {
            Ok(value) => value.downcast_ref::<T>().cloned().map(Ok),
            Err(failed) => Some(Err(*failed)),
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:x}", self.call, self.digest & 0xffff)
    }
}

impl PartialEq for Answer {
    fn eq(&self, other: &Self) -> bool {
        (self.call, self.digest) == (other.call, other.digest)
    }
}

impl Eq for Answer {}

impl Hash for Answer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.call, self.digest).hash(state);
    }
}

/// What is carried out, once all the answers are given.
#[derive(Debug, Default)]
enum Live {
    /// Nothing.
    #[default]
    Nothing,
    /// One call, with this fault.
    Call(Option<Fault>),
    /// The messages sent next, of which this one is the first; with this fault.
    Sends(u8, Option<Fault>),
}

/// The calls that a handler has had answered, and what it may do now.
///
/// Sends are carried out together with the call before them. Nothing is lost by that: a message
/// that is sent late is one that is delivered late. What dies in between is [`Fault::DiesUnsent`].
#[derive(Debug, Default)]
pub struct Script {
    answers: Vec<Answer>,
    next: usize,
    live: Live,
    /// The call at which the handler was stopped.
    pub stopped_at: Option<&'static str>,
    /// What must not happen in a run of the script: the handler made another call than the one that
    /// was answered before.
    pub impossible: Option<&'static str>,
}

impl Script {
    /// Answers like those, then one call that is carried out, perhaps with a fault, with the sends
    /// that follow it, then nothing.
    pub fn new(answers: Vec<Answer>, fault: Option<Fault>) -> Self {
        Self { answers, live: Live::Call(fault), ..Self::default() }
    }

    /// Whether the fault was one that could happen here, and did.
    pub fn fault_happened(&self) -> bool {
        !matches!(self.live, Live::Call(Some(_)) | Live::Sends(_, Some(_)))
    }

    /// All the answers that were given.
    pub fn into_answers(self) -> Vec<Answer> {
        self.answers
    }

    /// A call's result; `None` leaves the handler waiting for good.
    pub(super) fn call<T: Clone + fmt::Debug + Send + Sync + 'static>(
        &mut self,
        contents: &mut Contents,
        call: &Call,
        work: impl FnOnce(&mut Contents, Option<Fault>) -> Result<T, Failed>,
    ) -> Option<Result<T, Failed>> {
        if self.stopped_at.is_some() || self.impossible.is_some() {
            return None;
        }
        if let Some(answer) = self.answers.get(self.next) {
            self.next += 1;
            let again = answer.get(call.name);
            if again.is_none() {
                self.impossible = Some("the handler made another call when it was run again");
            }
            return again;
        }
        let fault = match std::mem::take(&mut self.live) {
            Live::Call(fault @ Some(Fault::NotSent(_) | Fault::DiesUnsent)) => {
                self.live = Live::Sends(0, fault);
                None
            }
            Live::Call(fault) if fault.is_none_or(|fault| fault.fits(&call.kind)) => {
                self.live = Live::Sends(0, None);
                fault
            }
            Live::Sends(number, Some(Fault::NotSent(unsent))) if call.name == SEND && number == unsent => {
                self.live = Live::Sends(number + 1, None);
                Some(Fault::Refused)
            }
            Live::Sends(0, Some(Fault::DiesUnsent)) if call.name == SEND => {
                self.stopped_at = Some(call.name);
                return None;
            }
            Live::Sends(number, fault) if call.name == SEND => {
                self.live = Live::Sends(number + 1, fault);
                None
            }
            unused => {
                self.live = unused;
                self.stopped_at = Some(call.name);
                return None;
            }
        };
        let result = match (fault, &call.kind) {
            (Some(Fault::Refused), _) => Err(Failed::Refused),
            (Some(Fault::LandsLater), Kind::Request(late)) => {
                contents.late.push(late.clone());
                contents.late.sort();
                Err(Failed::Unknown)
            }
            (Some(Fault::ReplyLost), _) => work(contents, fault).and(Err(Failed::Unknown)),
            _ => work(contents, fault),
        };
        self.answers.push(Answer::new(call.name, result.clone()));
        self.next += 1;
        Some(result)
    }

    /// What the clock says: what it said before, if the handler has been here before.
    pub(super) fn read<T: Clone + fmt::Debug + Send + Sync + 'static>(
        &mut self,
        name: &'static str,
        now: T,
    ) -> T {
        if self.stopped_at.is_some() || self.impossible.is_some() {
            return now;
        }
        if let Some(answer) = self.answers.get(self.next) {
            self.next += 1;
            if let Some(Ok(before)) = answer.get(name) {
                return before;
            }
            self.impossible = Some("the handler read its clock elsewhere when it was run again");
            return now;
        }
        self.answers.push(Answer::new(name, Ok(now.clone())));
        self.next += 1;
        now
    }
}
