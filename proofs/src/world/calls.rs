//! Where a handler stands: each call of a port waits here until the world lets it go on, and the
//! world says what becomes of it.
//!
//! A task is one handler at work, polled by hand. It runs until all of its calls that are not
//! answered wait; then one of them is let go. So of all that is at work only one thing moves at a
//! time, and the same choices give the same run, whatever the machine does.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use billing_service::provider::ProviderError;
use email_service::mailer::MailerError;
use shared::store::StoreError;

tokio::task_local! {
    static CALLS: Arc<Calls>;
}

/// What becomes of a call, if it does not go well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// It fails, and nothing was done.
    FailsBefore,
    /// It is done, and the reply is lost.
    ReplyLost,
    /// The process dies before it is done.
    DiesBefore,
    /// It is done, and the process dies before it knows.
    DiesAfter,
    /// Of several messages the first is sent and the others are not.
    SentInPart,
    /// Of several messages the first is sent, then the process dies.
    DiesInPart,
    /// The reply is an error, and the request lands at the provider at some later time.
    LandsLater,
    /// The provider has forgotten the order's idempotency key.
    KeyForgotten,
}

/// A call that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// The port and its function, `OrderStore::get`.
    pub call: &'static str,
    /// How many messages it sends.
    pub messages: usize,
}

/// The ports' functions that are on an order's way.
pub const ALL_CALLS: [&str; 22] = [
    "OrderStore::create",
    "OrderStore::get",
    "OrderStore::get_many",
    "OrderStore::update",
    "OrderStore::due",
    "OrderStore::postpone",
    "TicketStore::hold",
    "TicketStore::decide",
    "TicketStore::release",
    "PaymentStore::find",
    "PaymentStore::begin",
    "PaymentStore::replace",
    "PaymentProvider::open",
    "PaymentProvider::capture",
    "PaymentProvider::retrieve",
    "PaymentProvider::void",
    "PaymentProvider::refund",
    "MailStore::last",
    "MailStore::last_of_many",
    "MailStore::mark",
    "Mailer::send",
    "Topics::send",
];

impl Site {
    /// What can go wrong with it.
    pub fn faults(&self) -> impl Iterator<Item = Fault> + use<> {
        use Fault::{
            DiesAfter, DiesBefore, DiesInPart, FailsBefore, KeyForgotten, LandsLater, ReplyLost, SentInPart,
        };
        let special: &[Fault] = match self.call {
            "Topics::send" if self.messages > 1 => &[SentInPart, DiesInPart],
            "PaymentProvider::open" => &[KeyForgotten],
            "PaymentProvider::capture" | "PaymentProvider::void" | "PaymentProvider::refund" => &[LandsLater],
            _ => &[],
        };
        [FailsBefore, ReplyLost, DiesBefore, DiesAfter].into_iter().chain(special.iter().copied())
    }
}

/// The calls of one task.
#[derive(Default)]
pub struct Calls(Mutex<State>);

#[derive(Default)]
struct State {
    next: u64,
    waiting: Vec<Waiting>,
    let_go: Option<(u64, Option<Fault>)>,
    at_work: usize,
    dead: bool,
}

struct Waiting {
    id: u64,
    site: Site,
    waker: Option<Waker>,
}

impl Calls {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until the world lets this call go on; answers what goes wrong with it. Outside of a task
/// nothing waits and nothing goes wrong.
pub(super) async fn arrive(call: &'static str, messages: usize) -> Option<Fault> {
    let calls = CALLS.try_with(Arc::clone).ok()?;
    let id = {
        let mut state = calls.state();
        state.next += 1;
        let id = state.next;
        state.waiting.push(Waiting { id, site: Site { call, messages }, waker: None });
        id
    };
    poll_fn(|context| {
        let mut state = calls.state();
        match state.let_go {
            Some((chosen, fault)) if chosen == id => {
                state.let_go = None;
                state.at_work += 1;
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
pub(super) fn leave() {
    let _ = CALLS.try_with(|calls| calls.state().at_work -= 1);
}

/// The process dies here.
pub(super) async fn die<T>() -> T {
    let _ = CALLS.try_with(|calls| calls.state().dead = true);
    pending().await
}

/// A call without a result.
pub(super) struct Away(&'static str, bool);

impl Away {
    fn said(&self) -> String {
        format!("{}: {}", self.0, if self.1 { "the reply was lost" } else { "it is away" })
    }
}

impl From<Away> for StoreError {
    fn from(away: Away) -> Self {
        StoreError::unavailable(away.said())
    }
}

impl From<Away> for ProviderError {
    fn from(away: Away) -> Self {
        if away.1 { ProviderError::Unknown(away.said()) } else { ProviderError::Unavailable(away.said()) }
    }
}

impl From<Away> for MailerError {
    fn from(away: Away) -> Self {
        MailerError::Unavailable(away.said())
    }
}

/// One call of a port, carried out by `work`, with what goes wrong.
pub(super) async fn call<T, E: From<Away>>(
    name: &'static str,
    work: impl Future<Output = Result<T, E>> + Send,
) -> Result<T, E> {
    let fault = arrive(name, 0).await;
    let result = match fault {
        Some(Fault::FailsBefore) => Err(Away(name, false).into()),
        Some(Fault::ReplyLost) => work.await.and(Err(Away(name, true).into())),
        Some(Fault::DiesBefore) => die().await,
        Some(Fault::DiesAfter) => {
            let _ = work.await;
            die().await
        }
        _ => work.await,
    };
    leave();
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
    /// It has died.
    Died,
}

impl<T: Send + 'static> Task<T> {
    /// Begins nothing yet.
    pub fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        let calls = Arc::new(Calls::default());
        Self { calls: calls.clone(), future: Box::pin(CALLS.scope(calls, work)) }
    }

    /// Runs until all calls that are not answered wait.
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
        if state.at_work == 0 && state.let_go.is_none() && !state.waiting.is_empty() {
            return Poll::Ready(Progress::Waits(state.waiting.iter().map(|waiting| waiting.site).collect()));
        }
        Poll::Pending
    }

    /// Lets one of the waiting calls go on, and runs.
    pub async fn let_go(&mut self, which: usize, fault: Option<Fault>) -> Progress<T> {
        {
            let mut state = self.calls.state();
            let chosen = state.waiting.remove(which);
            state.let_go = Some((chosen.id, fault));
            if let Some(waker) = chosen.waker {
                waker.wake();
            }
        }
        self.run().await
    }
}
