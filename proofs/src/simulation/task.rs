//! A handler at work, stopped before each of its port calls.
//!
//! Each intercepted call waits until the proof resumes it, and the proof says what becomes of it. A
//! [`Task`] is one handler, polled by hand. It runs until all of its unanswered calls wait; then one of
//! them is resumed. So only one thing moves at a time, and the same choices give the same run on every
//! machine.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::fault::{CallError, CallFailure, Fault};
use crate::port_call::PortCall;

tokio::task_local! {
    static CALLS: Arc<Calls>;
}

/// A call that waits: where a fault can be injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// The call.
    pub call: PortCall,
    /// How many messages it sends.
    pub messages: usize,
}

impl Site {
    /// What can go wrong with it.
    pub fn faults(self) -> impl Iterator<Item = Fault> {
        Fault::ALL.iter().copied().filter(move |fault| fault.fits(self.call, self.messages))
    }
}

/// The calls of one task.
#[derive(Default)]
struct Calls(Mutex<CallsState>);

#[derive(Default)]
struct CallsState {
    next: u64,
    waiting: Vec<WaitingCall>,
    resumed: Option<(u64, Option<Fault>)>,
    in_progress: usize,
    dead: bool,
}

struct WaitingCall {
    id: u64,
    site: Site,
    waker: Option<Waker>,
}

impl Calls {
    fn state(&self) -> MutexGuard<'_, CallsState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until the proof resumes this call; answers what goes wrong with it. Outside of a task it does
/// not wait, and nothing goes wrong.
pub(super) async fn begin_call(call: PortCall, messages: usize) -> Option<Fault> {
    let calls = CALLS.try_with(Arc::clone).ok()?;
    let id = {
        let mut state = calls.state();
        state.next += 1;
        let id = state.next;
        state.waiting.push(WaitingCall { id, site: Site { call, messages }, waker: None });
        id
    };
    poll_fn(|context| {
        let mut state = calls.state();
        match state.resumed {
            Some((chosen, fault)) if chosen == id => {
                state.resumed = None;
                state.in_progress += 1;
                Poll::Ready(fault)
            }
            _ => {
                if let Some(waiting) = state.waiting.iter_mut().find(|waiting| waiting.id == id) {
                    waiting.waker = Some(context.waker().clone());
                }
                Poll::Pending
            }
        }
    })
    .await
}

/// The call is over.
pub(super) fn end_call() {
    let _ = CALLS.try_with(|calls| calls.state().in_progress -= 1);
}

/// The process dies here.
pub(super) async fn die<T>() -> T {
    let _ = CALLS.try_with(|calls| calls.state().dead = true);
    pending().await
}

/// One call of a port, carried out by `work`, with what goes wrong.
pub(crate) async fn intercept<T, E: From<CallError>>(
    call: PortCall,
    work: impl Future<Output = Result<T, E>> + Send,
) -> Result<T, E> {
    let fault = begin_call(call, 0).await;
    let failed = |failure| Err(CallError { call, failure }.into());
    let result = match fault {
        Some(Fault::FailsBefore) => failed(CallFailure::Refused),
        Some(Fault::ReplyLost) => work.await.and(failed(CallFailure::Unknown)),
        Some(Fault::DiesBefore) => die().await,
        Some(Fault::DiesAfter) => {
            let _ = work.await;
            die().await
        }
        // The others fit only the provider and the topics, which carry them out themselves.
        Some(Fault::SentInPart | Fault::DiesInPart | Fault::LandsLater | Fault::KeyForgotten) | None => {
            work.await
        }
    };
    end_call();
    result
}

/// A handler at work.
pub struct Task<T> {
    calls: Arc<Calls>,
    future: Pin<Box<dyn Future<Output = T> + Send>>,
}

/// How far a task has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress<T> {
    /// These calls wait.
    Waits(Vec<Site>),
    /// It is done.
    Done(T),
    /// Its process has died.
    Died,
}

impl<T: Send + 'static> Task<T> {
    /// A task that has not begun.
    pub fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        let calls = Arc::new(Calls::default());
        Self { calls: calls.clone(), future: Box::pin(CALLS.scope(calls, work)) }
    }

    /// Runs until all unanswered calls wait.
    pub async fn run(&mut self) -> Progress<T> {
        let Self { calls, future } = self;
        poll_fn(|context| Self::poll(calls, future.as_mut(), context)).await
    }

    fn poll(
        calls: &Calls,
        future: Pin<&mut (dyn Future<Output = T> + Send)>,
        context: &mut Context<'_>,
    ) -> Poll<Progress<T>> {
        if let Poll::Ready(done) = future.poll(context) {
            return Poll::Ready(Progress::Done(done));
        }
        let state = calls.state();
        if state.dead {
            return Poll::Ready(Progress::Died);
        }
        if state.in_progress == 0 && state.resumed.is_none() && !state.waiting.is_empty() {
            return Poll::Ready(Progress::Waits(state.waiting.iter().map(|waiting| waiting.site).collect()));
        }
        Poll::Pending
    }

    /// Resumes one of the waiting calls, with that fault, and runs on.
    pub async fn resume(&mut self, which: usize, fault: Option<Fault>) -> Progress<T> {
        {
            let mut state = self.calls.state();
            let chosen = state.waiting.remove(which);
            state.resumed = Some((chosen.id, fault));
            if let Some(waker) = chosen.waker {
                waker.wake();
            }
        }
        self.run().await
    }
}
