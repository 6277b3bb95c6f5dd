//! The order's whole life: two pure functions, no I/O.
//!
//! - [`apply`] says what an input does to an order; it is total over every state × every input.
//! - [`owed`] says which commands the present state owes. A repeat and a check of an order send exactly
//!   these, a move those that the state before did not owe; no other code builds commands.
//!
//! ```text
//!             tickets_reserved           payment_captured
//!  pending ───────────────────▶ tickets_reserved ───────────────▶ confirmed ─┐ cancel_requested
//!   │ │ tickets_unavailable       │ │ payment_declined                       │
//!   │ └─────────▶ rejected        │ └────────▶ payment_declined              │
//!   │ cancel_requested,           │ cancel_requested,                        │
//!   └─ deadline_passed ─▶ cancelling ◀─ deadline_passed ◀────────────────────┘
//!                             └─ tickets_released, payment_reversed ─▶ cancelled
//! ```

use std::time::Duration;

use messaging::topics::Outgoing;
use protocol::event::{Event, TraceParent};
use protocol::flight::{FlightId, Route, SeatCount};
use protocol::ids::OrderId;
use protocol::messages::{self, Message, Notice, NoticeOutcome, OrderUpdate, Payload};
use protocol::money::Money;
use protocol::passenger::Passenger;
use protocol::payment::PaymentMethod;
use protocol::reason::{Declined, Reason};
use protocol::time::Timestamp;
use protocol::topic::AnyMessage;
use serde::{Deserialize, Serialize};

use crate::check::NextCheck;
use crate::idempotency::RequestDigest;

/// What the customer asked for. It never changes, but for the payment method, which is dropped at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The flight.
    pub flight_id: FlightId,
    /// How many of its seats.
    pub seats: SeatCount,
    /// Who flies.
    pub passenger: Passenger,
    /// What it is paid with.
    pub payment_method: PaymentMethod,
    /// What it costs in all, if the customer has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_amount: Option<Money>,
}

/// One order, as the gateway stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Names it everywhere.
    pub id: OrderId,
    /// Counts the changes, from 1: what a conditional update rests on.
    pub version: u64,
    /// What was asked for.
    pub request: Request,
    /// Where it stands.
    pub state: State,
    /// Why it did not, or will not, end in a ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Price × seats, from the moment they are held.
    pub amount: Option<Money>,
    /// When the flight leaves, from the moment seats are held.
    pub departs_at: Option<Timestamp>,
    /// Between which places, from the moment seats are held; its mails say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
    /// Every change, oldest first. Never empty.
    pub history: Vec<Change>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Past this moment nothing new is captured for it: its deadline, or the departure if that comes first.
    pub not_after: Timestamp,
    /// The trace that all its messages share.
    pub traceparent: TraceParent,
    /// When the reconciler checks it next; `None` when settled. A store keeps it beside the order, since the
    /// reconciler moves it on without changing the order.
    #[serde(skip)]
    pub next_check: Option<NextCheck>,
    /// What a repeated request is compared with; `None` on an order of before there were any, which its id alone
    /// opens until departure. A store keeps it beside the order, so that an older program, which rewrites the
    /// order without it, does not turn a new order into one of before.
    #[serde(skip)]
    pub digest: Option<RequestDigest>,
}

/// One change of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// What the customer saw from then on.
    pub status: Status,
    /// `accepted`, or the name of the input that led here.
    pub event: String,
}

/// Where an order stands: what the customer sees and what is still awaited, in one value, so that
/// no impossible pair of the two exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Accepted; tickets are requested.
    Pending,
    /// Seats are held; the charge is requested.
    TicketsReserved,
    /// Paid.
    Confirmed,
    /// No tickets.
    Rejected,
    /// The card was refused; the seats are being released.
    ReleasingDeclined,
    /// The card was refused; no seats are held.
    PaymentDeclined,
    /// The order is being undone, and these answers are still awaited.
    Cancelling(Undoing),
    /// Undone: no seats, no money.
    Cancelled,
}

/// What of a cancelled order is not undone yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undoing {
    /// The seats.
    Tickets,
    /// The charge.
    Payment,
    /// The seats and the charge.
    Both,
}

/// What the customer sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is a row of the table in the module's State")]
pub enum Status {
    Pending,
    TicketsReserved,
    Confirmed,
    Rejected,
    PaymentDeclined,
    Cancelling,
    Cancelled,
}

/// An answer that an order waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Awaiting {
    /// The Ticket Service's.
    Tickets,
    /// The Billing Service's.
    Payment,
}

impl Status {
    /// As it stands on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::TicketsReserved => "tickets_reserved",
            Status::Confirmed => "confirmed",
            Status::Rejected => "rejected",
            Status::PaymentDeclined => "payment_declined",
            Status::Cancelling => "cancelling",
            Status::Cancelled => "cancelled",
        }
    }
}

impl State {
    /// What the customer sees.
    pub fn status(self) -> Status {
        match self {
            State::Pending => Status::Pending,
            State::TicketsReserved => Status::TicketsReserved,
            State::Confirmed => Status::Confirmed,
            State::Rejected => Status::Rejected,
            State::ReleasingDeclined | State::PaymentDeclined => Status::PaymentDeclined,
            State::Cancelling(_) => Status::Cancelling,
            State::Cancelled => Status::Cancelled,
        }
    }

    /// What the saga still waits for.
    pub fn awaiting(self) -> &'static [Awaiting] {
        match self {
            State::Pending | State::ReleasingDeclined | State::Cancelling(Undoing::Tickets) => {
                &[Awaiting::Tickets]
            }
            State::TicketsReserved | State::Cancelling(Undoing::Payment) => &[Awaiting::Payment],
            State::Cancelling(Undoing::Both) => &[Awaiting::Tickets, Awaiting::Payment],
            State::Confirmed | State::Rejected | State::PaymentDeclined | State::Cancelled => &[],
        }
    }

    /// Whether its deadline cancels it: nothing is paid and nothing is being undone.
    pub fn may_expire(self) -> bool {
        match self {
            State::Pending | State::TicketsReserved => true,
            State::Confirmed
            | State::Rejected
            | State::ReleasingDeclined
            | State::PaymentDeclined
            | State::Cancelling(_)
            | State::Cancelled => false,
        }
    }

    /// Whether nothing is awaited any more.
    pub fn is_settled(self) -> bool {
        self.awaiting().is_empty()
    }
}

impl Order {
    /// A new order, to be finished within `deadline`.
    pub fn accept(
        id: OrderId,
        request: Request,
        traceparent: TraceParent,
        now: Timestamp,
        deadline: Duration,
    ) -> Self {
        Self {
            id,
            version: 1,
            request,
            state: State::Pending,
            reason: None,
            amount: None,
            departs_at: None,
            route: None,
            history: vec![Change { at: now, status: Status::Pending, event: ACCEPTED.to_owned() }],
            created_at: now,
            not_after: now + deadline,
            traceparent,
            next_check: Some(NextCheck::first(now)),
            digest: None,
        }
    }

    /// Whether a repeated `POST`, which would have made `other`, is the one that made this order.
    pub fn was_asked_for_by(&self, other: &Order) -> bool {
        match self.digest {
            Some(digest) => other.digest == Some(digest),
            None => self.request == other.request,
        }
    }

    /// Whether its id alone shows and changes everything: it was accepted before customers had keys to their
    /// bookings, and may not have flown.
    pub fn is_opened_by_its_id(&self, now: Timestamp) -> bool {
        self.digest.is_none() && now < self.departs_at.unwrap_or(self.not_after)
    }

    /// When it last changed.
    pub fn updated_at(&self) -> Timestamp {
        self.history.last().map_or(self.created_at, |change| change.at)
    }

    /// Since when it has waited for what it waits for now; `None` when settled.
    pub fn waiting_since(&self) -> Option<Timestamp> {
        (!self.state.is_settled()).then(|| self.updated_at())
    }

    /// Whether it is where that request put it, and was not checked since: only then a repeated request
    /// sends what the order owes. Later the reconciler does, and however often a request is repeated, no
    /// messages pile up.
    pub fn awaits_first_check_since(&self, request: &str) -> bool {
        self.next_check.is_some_and(|check| check.count == 0)
            && self.history.last().is_some_and(|change| change.event == request)
    }
}

/// How an order's history begins.
pub const ACCEPTED: &str = "accepted";

/// The only things that ever change an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A message from order-updates.
    Update(OrderUpdate),
    /// The customer's `DELETE`.
    CancelRequested,
}

impl Input {
    /// As it stands in the order's history.
    pub fn name(&self) -> &'static str {
        match self {
            Input::Update(update) => update.name(),
            Input::CancelRequested => "cancel_requested",
        }
    }
}

/// What an input does to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The order moves: store this, then send what it owes now and did not before.
    Advance(Box<Order>),
    /// This input led to the present state before: send again what the order owes.
    Repeat,
    /// The answer brings seats or money that this order cannot use: send this to release or reverse.
    /// The order stays as it is.
    Compensate(Command),
    /// It changes nothing, for this reason.
    Ignore(Ignored),
    /// It answers a command that this order has not sent yet: retry, and in the end dead-letter it.
    TooEarly,
}

/// Why an input changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// The order already has what the input brings, or has moved past it.
    Superseded,
    /// The order ended before in a way that the input cannot undo.
    Ended,
    /// The flight has left.
    Departed,
}

/// A command to one of the services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command(pub AnyMessage);

impl Command {
    /// A command that the order owes, sent now. It says since when the order has waited for it.
    pub fn owed_by(self, order: &Order, now: Timestamp) -> Outgoing {
        about(order, self.0, order.updated_at(), order.next_check.map(|check| check.expiry(now)))
    }

    /// A command that answers an update which the order cannot use. It is sent this once, so it never
    /// expires.
    pub fn compensates(self, order: &Order, now: Timestamp) -> Outgoing {
        about(order, self.0, now, None)
    }
}

/// A message about an order, in the order's trace.
pub fn about<M: Payload>(order: &Order, message: M, time: Timestamp, expires: Option<Timestamp>) -> Outgoing {
    let traceparent = Some(order.traceparent.clone());
    Outgoing::event(&Event { order: order.id, message, time, expires, traceparent, attempt: 0 })
}

/// What `input` does to `order` at the moment `now`.
pub fn apply(order: &Order, input: &Input, now: Timestamp) -> Applied {
    use Applied::{Compensate, Ignore, Repeat, TooEarly};
    use Ignored::{Departed, Ended, Superseded};
    use OrderUpdate as U;
    use State as S;

    let advance = |state| advance(order, input, state, now);
    let departed = order.departs_at.is_some_and(|departure| departure <= now);

    match (order.state, input) {
        // Seats were held: used once, released in every state that cannot use them.
        (S::Pending, Input::Update(U::TicketsReserved { amount, departs_at, route })) => {
            // Nothing is charged for a flight that has left.
            let not_after = order.not_after.min(*departs_at);
            let (amount, departs_at, route) = (Some(amount.clone()), Some(*departs_at), route.clone());
            let held = Order { amount, departs_at, route, not_after, ..order.clone() };
            self::advance(&held, input, S::TicketsReserved, now)
        }
        (S::TicketsReserved, Input::Update(U::TicketsReserved { .. })) => Repeat,
        (S::Confirmed, Input::Update(U::TicketsReserved { .. })) => Ignore(Superseded),
        (
            S::Rejected | S::ReleasingDeclined | S::PaymentDeclined | S::Cancelling(_) | S::Cancelled,
            Input::Update(U::TicketsReserved { .. }),
        ) => Compensate(release(order)),

        // Money was captured: used once, reversed in every state that cannot use it.
        (S::Pending, Input::Update(U::PaymentCaptured)) => TooEarly,
        (S::TicketsReserved, Input::Update(U::PaymentCaptured)) => advance(S::Confirmed),
        (S::Confirmed, Input::Update(U::PaymentCaptured)) => Repeat,
        (
            S::Rejected | S::ReleasingDeclined | S::PaymentDeclined | S::Cancelling(_) | S::Cancelled,
            Input::Update(U::PaymentCaptured),
        ) => Compensate(reverse()),

        // No seats, and never any: the record behind both answers is final.
        (S::Pending, Input::Update(U::TicketsUnavailable { reason })) => {
            let refused = Order { reason: Some((*reason).into()), ..order.clone() };
            self::advance(&refused, input, S::Rejected, now)
        }
        (S::Rejected, Input::Update(U::TicketsUnavailable { .. })) => Repeat,
        (S::Rejected, Input::Update(U::TicketsReleased)) => Ignore(Superseded),
        (S::Pending, Input::Update(U::TicketsReleased)) => TooEarly,
        (
            S::TicketsReserved | S::Confirmed,
            Input::Update(U::TicketsUnavailable { .. } | U::TicketsReleased),
        ) => TooEarly,
        (S::ReleasingDeclined, Input::Update(U::TicketsUnavailable { .. } | U::TicketsReleased)) => {
            advance(S::PaymentDeclined)
        }
        (S::Cancelling(Undoing::Both), Input::Update(U::TicketsUnavailable { .. } | U::TicketsReleased)) => {
            advance(S::Cancelling(Undoing::Payment))
        }
        (
            S::Cancelling(Undoing::Tickets),
            Input::Update(U::TicketsUnavailable { .. } | U::TicketsReleased),
        ) => advance(S::Cancelled),
        (
            S::PaymentDeclined | S::Cancelling(Undoing::Payment) | S::Cancelled,
            Input::Update(U::TicketsUnavailable { .. } | U::TicketsReleased),
        ) => Repeat,

        // No money, and never any: the record behind both answers is final.
        (S::TicketsReserved, Input::Update(U::PaymentDeclined { reason })) => {
            let refused = Order { reason: Some((*reason).into()), ..order.clone() };
            let state = match reason {
                Declined::CardDeclined => S::ReleasingDeclined,
                Declined::Expired => S::Cancelling(Undoing::Tickets),
            };
            self::advance(&refused, input, state, now)
        }
        (S::ReleasingDeclined, Input::Update(U::PaymentDeclined { .. })) => Repeat,
        (
            S::Rejected | S::PaymentDeclined,
            Input::Update(U::PaymentDeclined { .. } | U::PaymentReversed { .. }),
        )
        | (S::ReleasingDeclined, Input::Update(U::PaymentReversed { .. })) => Ignore(Superseded),
        (S::Pending | S::Confirmed, Input::Update(U::PaymentDeclined { .. } | U::PaymentReversed { .. }))
        | (S::TicketsReserved, Input::Update(U::PaymentReversed { .. })) => TooEarly,
        (
            S::Cancelling(Undoing::Both),
            Input::Update(U::PaymentDeclined { .. } | U::PaymentReversed { .. }),
        ) => advance(S::Cancelling(Undoing::Tickets)),
        (
            S::Cancelling(Undoing::Payment),
            Input::Update(U::PaymentDeclined { .. } | U::PaymentReversed { .. }),
        ) => advance(S::Cancelled),
        (
            S::Cancelling(Undoing::Tickets) | S::Cancelled,
            Input::Update(U::PaymentDeclined { .. } | U::PaymentReversed { .. }),
        ) => Repeat,

        // The order is cancelled, by its customer or its deadline.
        (S::Rejected | S::ReleasingDeclined | S::PaymentDeclined, Input::CancelRequested) => Ignore(Ended),
        (S::Cancelling(_) | S::Cancelled, Input::CancelRequested) => Repeat,
        (S::Pending | S::TicketsReserved | S::Confirmed, Input::CancelRequested) if departed => {
            Ignore(Departed)
        }
        (S::Pending, Input::CancelRequested) => {
            cancel(order, input, Undoing::Tickets, Reason::CancelledByCustomer, now)
        }
        (S::TicketsReserved | S::Confirmed, Input::CancelRequested) => {
            cancel(order, input, Undoing::Both, Reason::CancelledByCustomer, now)
        }
        (S::Pending, Input::Update(U::DeadlinePassed)) => {
            cancel(order, input, Undoing::Tickets, Reason::Expired, now)
        }
        (S::TicketsReserved, Input::Update(U::DeadlinePassed)) => {
            cancel(order, input, Undoing::Both, Reason::Expired, now)
        }
        (S::Cancelling(_) | S::Cancelled, Input::Update(U::DeadlinePassed))
            if order.reason == Some(Reason::Expired) =>
        {
            Repeat
        }
        (
            S::Confirmed
            | S::Rejected
            | S::ReleasingDeclined
            | S::PaymentDeclined
            | S::Cancelling(_)
            | S::Cancelled,
            Input::Update(U::DeadlinePassed),
        ) => Ignore(Superseded),
    }
}

/// The commands that a move has made the order owe. What it owed before is under way already: sent once
/// more, a third unexpired message could join the two that there may be.
pub fn newly_owed(before: &Order, after: &Order) -> Vec<Command> {
    let known = owed(before);
    owed(after).into_iter().filter(|command| !known.contains(command)).collect()
}

/// The commands that the order's present state owes. Sending them again is always safe.
pub fn owed(order: &Order) -> Vec<Command> {
    match order.state {
        State::Pending => vec![reserve(order)],
        State::TicketsReserved => order.amount.iter().map(|amount| charge(order, amount)).collect(),
        State::ReleasingDeclined | State::Cancelling(Undoing::Tickets) => vec![release(order)],
        State::Cancelling(Undoing::Payment) => vec![reverse()],
        State::Cancelling(Undoing::Both) => vec![release(order), reverse()],
        // Otherwise a stranger, with no flight and no card, could have us write to anyone.
        State::Rejected if order.reason == Some(Reason::UnknownFlight) => Vec::new(),
        State::Rejected => vec![mail(order, NoticeOutcome::Rejected)],
        State::PaymentDeclined => vec![mail(order, NoticeOutcome::PaymentDeclined)],
        State::Cancelled => vec![mail(order, NoticeOutcome::Cancelled)],
        State::Confirmed => vec![mail(order, NoticeOutcome::Confirmed)],
    }
}

fn advance(order: &Order, input: &Input, state: State, now: Timestamp) -> Applied {
    let mut next = order.clone();
    next.version += 1;
    next.state = state;
    // A clock that was set back must not make the history run backwards.
    let at = now.max(order.updated_at());
    next.history.push(Change { at, status: state.status(), event: input.name().to_owned() });
    // Nothing is charged from here on. Without a digest a repeated request is still compared with it.
    if state.is_settled() && order.digest.is_some() {
        next.request.payment_method = PaymentMethod::dropped();
    }
    next.next_check = match input {
        _ if state.is_settled() => None,
        // Its commands must not expire as late as those of an order that was checked often.
        Input::CancelRequested => Some(NextCheck::first(at)),
        Input::Update(_) => order.next_check,
    };
    Applied::Advance(Box::new(next))
}

fn cancel(order: &Order, input: &Input, undoing: Undoing, reason: Reason, now: Timestamp) -> Applied {
    let cancelled = Order { reason: Some(reason), ..order.clone() };
    advance(&cancelled, input, State::Cancelling(undoing), now)
}

fn reserve(order: &Order) -> Command {
    let Request { flight_id, seats, expected_amount, .. } = order.request.clone();
    Command(messages::TicketCommand::Reserve { flight_id, seats, expected_amount }.into())
}

fn release(order: &Order) -> Command {
    Command(messages::TicketCommand::Release { flight_id: order.request.flight_id.clone() }.into())
}

fn charge(order: &Order, amount: &Money) -> Command {
    let (amount, payment_method) = (amount.clone(), order.request.payment_method.clone());
    Command(messages::BillingCommand::Charge { amount, payment_method, not_after: order.not_after }.into())
}

fn reverse() -> Command {
    Command(messages::BillingCommand::Reverse.into())
}

fn mail(order: &Order, outcome: NoticeOutcome) -> Command {
    let Request { flight_id, seats, passenger, .. } = order.request.clone();
    let (amount, departs_at, route) = (order.amount.clone(), order.departs_at, order.route.clone());
    let reason = order.reason;
    let notice = Notice { outcome, reason, passenger, flight_id, seats, amount, departs_at, route };
    Command(messages::EmailCommand::Send(notice).into())
}
