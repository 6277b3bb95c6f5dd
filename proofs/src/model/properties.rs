//! What must hold at every state, what at rest, and what the model must be seen to reach.
//!
//! Settlement is checked as a property of every state at rest, not as "eventually": the worlds
//! that a check visits cannot turn in circles (each step takes something in, spends some of what
//! may go wrong, or moves an order on; the reconciler looks once at each version of an order that
//! nothing else moves), so every path ends at rest, and an order that is stuck is seen there.

use billing_service::payment::Payment;
use billing_service::simulated::{Account, Stage};
use booking_gateway::order::{Order, State as At, Undoing};
use shared::ids::OrderId;
use shared::messages::{NoticeOutcome, OrderUpdate};
use shared::reason::Reason;
use stateright::Property;
use ticket_service::reservation::Reservation;

use super::booking::Booking;
use super::state::{Phase, State};
use crate::memory::contents::OpenedPayment;

type Holds = fn(&Booking, &State) -> bool;

fn always(name: &'static str, holds: Holds) -> Property<Booking> {
    Property::always(name, holds)
}

fn sometimes(name: &'static str, holds: Holds) -> Property<Booking> {
    Property::sometimes(name, holds)
}

/// All of them.
pub fn all() -> Vec<Property<Booking>> {
    let mut properties = vec![
        always("on every flight, free + held = capacity", |_, state| conserved(state)),
        always("an order is captured at most once, and for its amount", |_, state| {
            state.orders().all(|order| charged_rightly(state, order))
        }),
        always("a confirmed order has its seats and its money stands", |_, state| {
            state
                .orders()
                .filter(|order| order.state == At::Confirmed)
                .all(|order| holds_seats(state, order.id) && kept(state, order.id) == price(order))
        }),
        always(
            "money is held only for an order that owes its charge, its reversal, or nothing",
            |_, state| {
                let may_hold = |at| {
                    matches!(
                        at,
                        At::TicketsReserved
                            | At::Confirmed
                            | At::Cancelling(Undoing::Payment | Undoing::Both)
                    )
                };
                state.orders().all(|order| may_hold(order.state) || kept(state, order.id) == 0)
            },
        ),
        always("seats are held only for an order that may use them or owes their release", |_, state| {
            let may_hold = |at| {
                !matches!(
                    at,
                    At::Rejected | At::PaymentDeclined | At::Cancelled | At::Cancelling(Undoing::Payment)
                )
            };
            state.orders().all(|order| may_hold(order.state) || !holds_seats(state, order.id))
        }),
        // An update may wait as long as it likes: if a record could ever say something that does
        // not follow from what it said before, a state is visited in which an update that tells
        // the one waits while the record says the other.
        always("no update contradicts the record behind it", |_, state| {
            state.updates().all(|(order, update)| follows(state, order, update))
        }),
        always("the provider's books follow from the record", |_, state| {
            state.contents.payments.iter().all(|(order, payment)| books_follow(state, *order, payment))
        }),
        always("a card that pays is not called declined", |booking, state| {
            let pays = |order: &Order| {
                Account::open(
                    booking.stories[state.story].flight.price.clone(),
                    &order.request.payment_method,
                )
                .pays
            };
            state.orders().all(|order| order.reason != Some(Reason::CardDeclined) || !pays(order))
        }),
        always("every mail is true", |_, state| {
            state.contents.mailbox.iter().all(|mail| {
                state.contents.orders.get(&mail.order).is_some_and(|order| tells(order, mail.outcome))
            })
        }),
        always("nothing is parked, and no handler fails by itself", |_, state| state.wrong.is_none()),
        always("at rest every order is settled", |_, state| {
            !state.is_at_rest()
                || state.contents.checks.is_empty() && state.orders().all(|order| order.state.is_settled())
        }),
        always("at rest an order is paid if and only if it is confirmed", |_, state| {
            let due = |order: &Order| if order.state == At::Confirmed { price(order) } else { 0 };
            !state.is_at_rest() || state.orders().all(|order| kept(state, order.id) == due(order))
        }),
        always("at rest an order holds seats if and only if it is confirmed", |_, state| {
            !state.is_at_rest()
                || state.orders().all(|order| holds_seats(state, order.id) == (order.state == At::Confirmed))
        }),
        always("at rest the last mail of an order tells its end", |_, state| {
            !state.is_at_rest()
                || state.orders().all(|order| {
                    let last = state.contents.mailed.get(&order.id);
                    last.is_some_and(|last| {
                        is_end(order.state, *last)
                            && state
                                .contents
                                .mailbox
                                .iter()
                                .any(|mail| (mail.order, mail.outcome) == (order.id, *last))
                    })
                })
        }),
    ];
    properties.extend(reached());
    properties
}

/// What the model is seen to reach, so that the promises above are not kept for want of trying.
fn reached() -> Vec<Property<Booking>> {
    vec![
        sometimes("confirmed", |_, state| rests(state, |order| order.state == At::Confirmed)),
        sometimes("rejected", |_, state| rests(state, |order| order.state == At::Rejected)),
        sometimes("declined", |_, state| rests(state, |order| order.state == At::PaymentDeclined)),
        sometimes("cancelled with a void", |_, state| {
            rests(state, |order| order.state == At::Cancelled && stands(state, order.id, Stage::Voided))
        }),
        sometimes("cancelled before anything was opened", |_, state| {
            rests(state, |order| {
                order.state == At::Cancelled
                    && !state.contents.ledger.iter().any(|opened| opened.order == order.id)
            })
        }),
        sometimes("expired", |_, state| {
            rests(state, |order| order.state == At::Cancelled && order.reason == Some(Reason::Expired))
        }),
        sometimes("expired by the answer of billing, within the grace", |_, state| {
            state.phase == Phase::Late
                && rests(state, |order| order.state == At::Cancelled && order.reason == Some(Reason::Expired))
        }),
    ]
}

/// What is reached only if a customer cancels: a deadline undoes nothing that was captured.
pub fn reached_by_cancelling() -> Vec<Property<Booking>> {
    vec![sometimes("cancelled with a refund", |_, state| {
        rests(state, |order| order.state == At::Cancelled && stands(state, order.id, Stage::Refunded))
    })]
}

/// What is reached only if something is lost, so that the reconciler is needed.
pub fn reached_by_faults() -> Vec<Property<Booking>> {
    vec![sometimes("expired by the reconciler", |_, state| {
        let by_billing = |order: &Order| {
            let payment = state.contents.payments.get(&order.id);
            payment.is_some_and(|payment| matches!(**payment, Payment::Declined { .. }))
        };
        rests(state, |order| {
            order.state == At::Cancelled && order.reason == Some(Reason::Expired) && !by_billing(order)
        })
    })]
}

/// What only two orders can reach.
pub fn reached_by_two() -> Vec<Property<Booking>> {
    vec![
        sometimes("one has the seat, the other is told that it is sold", |_, state| {
            let at = |wanted| state.orders().any(|order| order.state == wanted);
            state.is_at_rest() && at(At::Confirmed) && at(At::Rejected)
        }),
        sometimes("a seat that was given back is sold again", |_, state| {
            let at = |wanted| state.orders().any(|order| order.state == wanted);
            state.is_at_rest() && at(At::Confirmed) && (at(At::Cancelled) || at(At::PaymentDeclined))
        }),
    ]
}

fn rests(state: &State, end: impl Fn(&Order) -> bool) -> bool {
    state.is_at_rest() && state.orders().any(end)
}

impl State {
    fn orders(&self) -> impl Iterator<Item = &Order> {
        self.contents.orders.values().map(|order| &**order)
    }
}

fn conserved(state: &State) -> bool {
    state.contents.flights.iter().all(|(id, seats)| {
        let held: u32 = state
            .contents
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

fn payments(state: &State, order: OrderId) -> impl Iterator<Item = &OpenedPayment> {
    state.contents.ledger.iter().filter(move |opened| opened.order == order)
}

/// Captured less refunded, by the provider's books.
fn kept(state: &State, order: OrderId) -> u64 {
    payments(state, order).map(|opened| opened.account.captured() - opened.account.refunded()).sum()
}

fn charged_rightly(state: &State, order: &Order) -> bool {
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

fn holds_seats(state: &State, order: OrderId) -> bool {
    state.contents.reservations.get(&order).is_some_and(|record| matches!(**record, Reservation::Held(_)))
}

fn stands(state: &State, order: OrderId, stage: Stage) -> bool {
    payments(state, order).any(|opened| opened.account.stage == stage)
}

/// Whether what the record says now is what the update tells, or may have come after it.
fn follows(state: &State, order: OrderId, update: &OrderUpdate) -> bool {
    let reservation = state.contents.reservations.get(&order).map(|record| &**record);
    let payment = state.contents.payments.get(&order).map(|record| &**record);
    match update {
        OrderUpdate::TicketsReserved { .. } => {
            matches!(reservation, Some(Reservation::Held(_) | Reservation::Released))
        }
        OrderUpdate::TicketsUnavailable { reason: told } => {
            matches!(reservation, Some(Reservation::Refused { reason }) if reason == told)
        }
        OrderUpdate::TicketsReleased => matches!(reservation, Some(Reservation::Released)),
        OrderUpdate::PaymentCaptured => match payment {
            Some(Payment::Captured(_) | Payment::Reversing(_)) => true,
            Some(Payment::Reversed { refunded }) => refunded.is_some(),
            _ => false,
        },
        OrderUpdate::PaymentDeclined { reason: told } => {
            matches!(payment, Some(Payment::Declined { reason }) if reason == told)
        }
        OrderUpdate::PaymentReversed { refunded: told } => {
            matches!(payment, Some(Payment::Reversed { refunded }) if refunded == told)
        }
        OrderUpdate::DeadlinePassed => state.phase == Phase::Over,
    }
}

/// Whether the books of the payment that the record names may stand as they do.
fn books_follow(state: &State, order: OrderId, payment: &Payment) -> bool {
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

/// Whether an order that stands like this may have been told that.
fn tells(order: &Order, outcome: NoticeOutcome) -> bool {
    match outcome {
        NoticeOutcome::Confirmed => matches!(order.state, At::Confirmed | At::Cancelling(_) | At::Cancelled),
        end => is_end(order.state, end),
    }
}

fn is_end(at: At, outcome: NoticeOutcome) -> bool {
    matches!(
        (at, outcome),
        (At::Confirmed, NoticeOutcome::Confirmed)
            | (At::Rejected, NoticeOutcome::Rejected)
            | (At::PaymentDeclined, NoticeOutcome::PaymentDeclined)
            | (At::Cancelled, NoticeOutcome::Cancelled)
    )
}
