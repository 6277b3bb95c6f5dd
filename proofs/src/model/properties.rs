//! What must hold at every state, and what at rest.
//!
//! Settlement is checked as a property of every state at rest, not as "eventually". No path of the model
//! runs in circles: each step takes something in, spends some of the budget, or moves an order on, and
//! the reconciler checks each version of an order once that nothing else moves. So every path ends at
//! rest, and an order that is stuck is seen there.

use billing_service::payment::Payment;
use billing_service::simulated::{Account, Stage};
use booking_gateway::order::{Order, State, Undoing};
use protocol::ids::OrderId;
use protocol::messages::{NoticeOutcome, OrderUpdate};
use protocol::reason::Reason;
use stateright::Property;
use ticket_service::reservation::Reservation;

use super::state::{ModelState, Phase};
use super::transitions::BookingModel;
use crate::memory::contents::OpenedPayment;

type Holds = fn(&BookingModel, &ModelState) -> bool;

fn always(name: &'static str, holds: Holds) -> Property<BookingModel> {
    Property::always(name, holds)
}

/// All of them.
pub(super) fn all() -> Vec<Property<BookingModel>> {
    vec![
        always("on every flight, free + held = capacity", |_, state| seats_are_conserved(state)),
        always("an order is captured at most once, and for its amount", |_, state| {
            state.orders().all(|order| is_charged_once(state, order))
        }),
        always("a confirmed order has its seats and its money stands", |_, state| {
            state
                .orders()
                .filter(|order| order.state == State::Confirmed)
                .all(|order| holds_seats(state, order.id) && kept(state, order.id) == price(order))
        }),
        always(
            "money is held only for an order that owes its charge, its reversal, or nothing",
            |_, state| {
                let may_hold = |at| {
                    matches!(
                        at,
                        State::TicketsReserved
                            | State::Confirmed
                            | State::Cancelling(Undoing::Payment | Undoing::Both)
                    )
                };
                state.orders().all(|order| may_hold(order.state) || kept(state, order.id) == 0)
            },
        ),
        always("seats are held only for an order that may use them or owes their release", |_, state| {
            let may_hold = |at| {
                !matches!(
                    at,
                    State::Rejected
                        | State::PaymentDeclined
                        | State::Cancelled
                        | State::Cancelling(Undoing::Payment)
                )
            };
            state.orders().all(|order| may_hold(order.state) || !holds_seats(state, order.id))
        }),
        // An update may wait for any time. So if a record could ever say something that does not
        // follow from what it said before, a state is visited in which an update says the one while
        // the record says the other.
        always("no update contradicts the record behind it", |_, state| {
            state.updates().all(|(order, update)| follows(state, order, update))
        }),
        always("the provider's books follow from the record", |_, state| {
            state
                .contents
                .payments
                .by_order
                .iter()
                .all(|(order, payment)| books_follow(state, *order, payment))
        }),
        always("a card that pays is not declined", |model, state| {
            let pays = |order: &Order| {
                Account::open(
                    model.customers[state.customers].flight.price.clone(),
                    &order.request.payment_method,
                )
                .pays
            };
            state.orders().all(|order| order.reason != Some(Reason::CardDeclined) || !pays(order))
        }),
        always("every mail is true", |_, state| {
            state.contents.mails.mailbox.iter().all(|mail| {
                state
                    .contents
                    .orders
                    .by_id
                    .get(&mail.order)
                    .is_some_and(|order| may_have_mailed(order, mail.outcome))
            })
        }),
        always("nothing is dead-lettered, and no handler fails without a fault", |_, state| {
            state.violation.is_none()
        }),
        always("at rest every order is settled", |_, state| {
            !state.is_at_rest()
                || state.contents.orders.checks.is_empty()
                    && state.orders().all(|order| order.state.is_settled())
        }),
        always("at rest an order is paid if and only if it is confirmed", |_, state| {
            let due = |order: &Order| if order.state == State::Confirmed { price(order) } else { 0 };
            !state.is_at_rest() || state.orders().all(|order| kept(state, order.id) == due(order))
        }),
        always("at rest an order holds seats if and only if it is confirmed", |_, state| {
            !state.is_at_rest()
                || state
                    .orders()
                    .all(|order| holds_seats(state, order.id) == (order.state == State::Confirmed))
        }),
        always("at rest the last mail of an order says how it ended", |_, state| {
            let mailed = |order: &Order| {
                let last = state.contents.mails.last.get(&order.id);
                let sent = |outcome| {
                    let mut mailbox = state.contents.mails.mailbox.iter();
                    mailbox.any(|mail| (mail.order, mail.outcome) == (order.id, outcome))
                };
                match order.reason {
                    // No mail is owed for a flight that never was.
                    Some(Reason::UnknownFlight) => last.is_none(),
                    _ => last.is_some_and(|last| is_end(order.state, *last) && sent(*last)),
                }
            };
            !state.is_at_rest() || state.orders().all(mailed)
        }),
    ]
}

impl ModelState {
    pub(super) fn orders(&self) -> impl Iterator<Item = &Order> {
        self.contents.orders.by_id.values().map(|order| &**order)
    }
}

fn seats_are_conserved(state: &ModelState) -> bool {
    state.contents.tickets.flights.iter().all(|(id, seats)| {
        let held: u32 = state
            .contents
            .tickets
            .reservations
            .values()
            .map(|record| match &**record {
                Reservation::Held(hold) if hold.flight_id == *id => u32::from(hold.seats.get()),
                _ => 0,
            })
            .sum();
        seats.free + held == seats.flight.capacity
    })
}

fn payments(state: &ModelState, order: OrderId) -> impl Iterator<Item = &OpenedPayment> {
    state.contents.payments.ledger.iter().filter(move |opened| opened.order == order)
}

/// Captured less refunded, by the provider's books.
fn kept(state: &ModelState, order: OrderId) -> u64 {
    payments(state, order).map(|opened| opened.account.captured() - opened.account.refunded()).sum()
}

fn is_charged_once(state: &ModelState, order: &Order) -> bool {
    let captures: Vec<u64> = payments(state, order.id)
        .map(|opened| opened.account.captured())
        .filter(|&captured| captured > 0)
        .collect();
    match captures[..] {
        [] => true,
        [captured] => captured == price(order),
        _ => false,
    }
}

/// What the order costs; nothing before it is known.
fn price(order: &Order) -> u64 {
    order.amount.as_ref().map_or(0, |amount| amount.value)
}

fn holds_seats(state: &ModelState, order: OrderId) -> bool {
    state
        .contents
        .tickets
        .reservations
        .get(&order)
        .is_some_and(|record| matches!(**record, Reservation::Held(_)))
}

pub(super) fn stands(state: &ModelState, order: OrderId, stage: Stage) -> bool {
    payments(state, order).any(|opened| opened.account.stage == stage)
}

/// Whether what the record says now is what the update says, or may have come after it.
fn follows(state: &ModelState, order: OrderId, update: &OrderUpdate) -> bool {
    let reservation = state.contents.tickets.reservations.get(&order).map(|record| &**record);
    let payment = state.contents.payments.by_order.get(&order).map(|record| &**record);
    match update {
        OrderUpdate::TicketsReserved { .. } => {
            matches!(reservation, Some(Reservation::Held(_) | Reservation::Released))
        }
        OrderUpdate::TicketsUnavailable { reason: sent } => {
            matches!(reservation, Some(Reservation::Refused { reason }) if reason == sent)
        }
        OrderUpdate::TicketsReleased => matches!(reservation, Some(Reservation::Released)),
        OrderUpdate::PaymentCaptured => match payment {
            Some(Payment::Captured(_) | Payment::Reversing(_)) => true,
            Some(Payment::Reversed { refunded }) => refunded.is_some(),
            _ => false,
        },
        OrderUpdate::PaymentDeclined { reason: sent } => {
            matches!(payment, Some(Payment::Declined { reason }) if reason == sent)
        }
        OrderUpdate::PaymentReversed { refunded: sent } => {
            matches!(payment, Some(Payment::Reversed { refunded }) if refunded == sent)
        }
        OrderUpdate::DeadlinePassed => state.phase == Phase::Over,
    }
}

/// Whether the provider's books may say what they do, given the Billing Service's record.
fn books_follow(state: &ModelState, order: OrderId, payment: &Payment) -> bool {
    let kept = kept(state, order);
    match payment {
        Payment::Charging(_) | Payment::Reversing(_) => true,
        Payment::Captured(intent) => kept == intent.amount.value,
        // Final: nothing is held, and no open payment that was ever recorded is left behind.
        Payment::Declined { .. } => {
            kept == 0 && payments(state, order).all(|opened| opened.account.captured() == 0)
        }
        Payment::Reversed { refunded } => {
            kept == 0 && refunded.is_some() == stands(state, order, Stage::Refunded)
        }
    }
}

/// Whether a customer whose order stands like this may have been mailed that.
fn may_have_mailed(order: &Order, outcome: NoticeOutcome) -> bool {
    match outcome {
        NoticeOutcome::Confirmed => {
            matches!(order.state, State::Confirmed | State::Cancelling(_) | State::Cancelled)
        }
        end => is_end(order.state, end),
    }
}

fn is_end(at: State, outcome: NoticeOutcome) -> bool {
    matches!(
        (at, outcome),
        (State::Confirmed, NoticeOutcome::Confirmed)
            | (State::Rejected, NoticeOutcome::Rejected)
            | (State::PaymentDeclined, NoticeOutcome::PaymentDeclined)
            | (State::Cancelled, NoticeOutcome::Cancelled)
    )
}
