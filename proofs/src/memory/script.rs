//! How far a handler gets: which of its port calls are answered, and which one goes wrong.
//!
//! A handler is a function of what its ports and its clock answer. So a handler that is half done
//! needs no frozen future: its message and the answers it has had are enough. To go on, it is run
//! again from the start, gets the same answers, makes one more call, and is dropped.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::Arc;

use protocol::time::Timestamp;

use super::contents::{LateRequest, digest};
use crate::fault::{CallFailure, Fault};
use crate::port_call::PortCall;
use crate::stores::Contents;

/// What goes wrong in one step of a handler: a call, with the sends that follow it.
///
/// Sends are carried out together with the call before them. Nothing is missed by that: a message
/// that is sent late is one that is delivered late. What a crash or a refusal between them leaves
/// behind is a [`StepFault::Send`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepFault {
    /// The call goes wrong.
    Call(Fault),
    /// The call goes well. Of the messages that are sent next, the one in that place goes wrong.
    Send(u8, Fault),
}

impl StepFault {
    /// All that can go wrong in a step. A crash between two steps is no fault of either.
    pub const ALL: [StepFault; 7] = [
        StepFault::Call(Fault::FailsBefore),
        StepFault::Call(Fault::ReplyLost),
        StepFault::Call(Fault::LandsLater),
        StepFault::Call(Fault::KeyForgotten),
        StepFault::Send(0, Fault::FailsBefore),
        StepFault::Send(1, Fault::FailsBefore),
        // The process dies after the call and before any message.
        StepFault::Send(0, Fault::DiesBefore),
    ];
}

/// Whether that fault can happen to that call, and leaves something else behind than a simpler one.
fn is_distinct(fault: Fault, call: PortCall) -> bool {
    fault.fits(call, 1) && fault.simplest(call) == fault
}

/// What a call was answered; compared by the hash of its `Debug` form.
#[derive(Clone)]
pub struct Answer {
    call: PortCall,
    value: Result<Arc<dyn Any + Send + Sync>, CallFailure>,
    digest: u64,
}

impl Answer {
    fn new<T: fmt::Debug + Send + Sync + 'static>(call: PortCall, result: Result<T, CallFailure>) -> Self {
        let digest = digest(&result);
        let value = result.map(|value| -> Arc<dyn Any + Send + Sync> { Arc::new(value) });
        Self { call, value, digest }
    }

    fn get<T: Clone + 'static>(&self, call: PortCall) -> Option<Result<T, CallFailure>> {
        if self.call != call {
            return None;
        }
        match &self.value {
            Ok(value) => value.downcast_ref::<T>().cloned().map(Ok),
            Err(failure) => Some(Err(*failure)),
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

/// What is carried out once all recorded answers are used up.
#[derive(Debug, Default)]
enum Live {
    /// Nothing.
    #[default]
    Nothing,
    /// One call, with this fault.
    Call(Option<StepFault>),
    /// Messages; the next one is in this place. The fault is for the message in its own place.
    Sends(u8, Option<(u8, Fault)>),
}

/// The answers that a handler has had, and what it may do now.
#[derive(Debug, Default)]
pub struct Script {
    answers: Vec<Answer>,
    next: usize,
    live: Live,
    /// The call at which the handler was stopped.
    pub stopped_at: Option<PortCall>,
    /// What no run of a script may come to: the handler made another call than the one that was
    /// answered before.
    pub impossible: Option<&'static str>,
}

impl Script {
    /// Gives those answers, then carries out one call, perhaps with a fault, and the sends that follow
    /// it. Later calls are not answered.
    pub fn new(answers: Vec<Answer>, fault: Option<StepFault>) -> Self {
        Self { answers, live: Live::Call(fault), ..Self::default() }
    }

    /// Whether the fault could happen here, and did.
    pub fn fault_happened(&self) -> bool {
        !matches!(self.live, Live::Call(Some(_)) | Live::Sends(_, Some(_)))
    }

    /// All the answers that were given.
    pub fn into_answers(self) -> Vec<Answer> {
        self.answers
    }

    fn is_over(&self) -> bool {
        self.stopped_at.is_some() || self.impossible.is_some()
    }

    /// A call's result; `None` leaves the handler waiting forever.
    pub(super) fn call<T: Clone + fmt::Debug + Send + Sync + 'static>(
        &mut self,
        contents: &mut Contents,
        call: PortCall,
        late: Option<LateRequest>,
        work: impl FnOnce(&mut Contents, Option<Fault>) -> Result<T, CallFailure>,
    ) -> Option<Result<T, CallFailure>> {
        if self.is_over() {
            return None;
        }
        if let Some(answer) = self.answers.get(self.next) {
            self.next += 1;
            let again = answer.get(call);
            if again.is_none() {
                self.impossible = Some("the handler made another call when it was run again");
            }
            return again;
        }
        let ControlFlow::Continue(fault) = self.go_live(call) else {
            self.stopped_at = Some(call);
            return None;
        };
        let result = match (fault, late) {
            (Some(Fault::FailsBefore), _) => Err(CallFailure::Refused),
            (Some(Fault::LandsLater), Some(late)) => {
                contents.payments.late.push(late);
                contents.payments.late.sort();
                Err(CallFailure::Unknown)
            }
            (Some(Fault::ReplyLost), _) => work(contents, fault).and(Err(CallFailure::Unknown)),
            _ => work(contents, fault),
        };
        self.answers.push(Answer::new(call, result.clone()));
        self.next += 1;
        Some(result)
    }

    /// What goes wrong with a call that has no recorded answer; `Break` if it is not carried out.
    fn go_live(&mut self, call: PortCall) -> ControlFlow<(), Option<Fault>> {
        match std::mem::take(&mut self.live) {
            Live::Call(None) => {
                self.live = Live::Sends(0, None);
                ControlFlow::Continue(None)
            }
            Live::Call(Some(StepFault::Send(place, fault))) => {
                self.live = Live::Sends(0, Some((place, fault)));
                ControlFlow::Continue(None)
            }
            Live::Call(Some(StepFault::Call(fault))) if is_distinct(fault, call) => {
                self.live = Live::Sends(0, None);
                ControlFlow::Continue(Some(fault))
            }
            Live::Sends(place, fault) if call == PortCall::TOPICS_SEND => match fault {
                Some((at, fault)) if at == place && fault.is_deadly() => ControlFlow::Break(()),
                Some((at, fault)) if at == place => {
                    self.live = Live::Sends(place + 1, None);
                    ControlFlow::Continue(Some(fault))
                }
                _ => {
                    self.live = Live::Sends(place + 1, fault);
                    ControlFlow::Continue(None)
                }
            },
            unused => {
                self.live = unused;
                ControlFlow::Break(())
            }
        }
    }

    /// What the clock says: what it said before, if the handler has read it here before.
    pub(super) fn now(&mut self, now: Timestamp) -> Timestamp {
        if self.is_over() {
            return now;
        }
        if let Some(answer) = self.answers.get(self.next) {
            self.next += 1;
            if let Some(Ok(before)) = answer.get(PortCall::CLOCK_NOW) {
                return before;
            }
            self.impossible = Some("the handler read its clock elsewhere when it was run again");
            return now;
        }
        self.answers.push(Answer::new(PortCall::CLOCK_NOW, Ok(now)));
        self.next += 1;
        now
    }
}
