//! What the model must be seen to reach. Without this, its properties could hold because nothing happens.

use billing_service::payment::Payment;
use billing_service::simulated::Stage;
use booking_gateway::order::{Order, State};
use protocol::reason::Reason;
use stateright::Property;

use super::properties::stands;
use super::state::{ModelState, Phase};
use super::transitions::BookingModel;

type Reached = fn(&BookingModel, &ModelState) -> bool;

fn sometimes(name: &'static str, reached: Reached) -> Property<BookingModel> {
    Property::sometimes(name, reached)
}

/// What a check of that model must reach, by its customers and bounds.
pub(super) fn of(model: &BookingModel) -> Vec<Property<BookingModel>> {
    let mut properties = with_any_bounds();
    if model.customers.iter().any(|customers| customers.requests.len() > 1) {
        properties.extend(with_two_orders());
    }
    if model.bounds.budget.faults > 0 {
        properties.extend(with_faults());
    }
    if model.bounds.budget.cancels > 0 {
        properties.extend(with_cancellations());
    }
    properties
}

fn with_any_bounds() -> Vec<Property<BookingModel>> {
    vec![
        sometimes("confirmed", |_, state| rests(state, |order| order.state == State::Confirmed)),
        sometimes("rejected", |_, state| rests(state, |order| order.state == State::Rejected)),
        sometimes("declined", |_, state| rests(state, |order| order.state == State::PaymentDeclined)),
        sometimes("cancelled with a void", |_, state| {
            rests(state, |order| order.state == State::Cancelled && stands(state, order.id, Stage::Voided))
        }),
        sometimes("cancelled before anything was opened", |_, state| {
            rests(state, |order| {
                order.state == State::Cancelled
                    && !state.contents.payments.ledger.iter().any(|opened| opened.order == order.id)
            })
        }),
        sometimes("expired", |_, state| {
            rests(state, |order| order.state == State::Cancelled && order.reason == Some(Reason::Expired))
        }),
        sometimes("expired by the answer of billing, within the grace", |_, state| {
            state.phase == Phase::Late
                && rests(state, |order| {
                    order.state == State::Cancelled && order.reason == Some(Reason::Expired)
                })
        }),
    ]
}

/// What is reached only if a customer cancels: a deadline undoes nothing that was captured.
fn with_cancellations() -> Vec<Property<BookingModel>> {
    vec![sometimes("cancelled with a refund", |_, state| {
        rests(state, |order| order.state == State::Cancelled && stands(state, order.id, Stage::Refunded))
    })]
}

/// What is reached only if a message is lost, so that the reconciler is needed.
fn with_faults() -> Vec<Property<BookingModel>> {
    vec![sometimes("expired by the reconciler", |_, state| {
        let by_billing = |order: &Order| {
            let payment = state.contents.payments.by_order.get(&order.id);
            payment.is_some_and(|payment| matches!(**payment, Payment::Declined { .. }))
        };
        rests(state, |order| {
            order.state == State::Cancelled && order.reason == Some(Reason::Expired) && !by_billing(order)
        })
    })]
}

/// What is reached only by two orders.
fn with_two_orders() -> Vec<Property<BookingModel>> {
    vec![
        sometimes("one has the seat, the other is rejected", |_, state| {
            let at = |wanted| state.orders().any(|order| order.state == wanted);
            state.is_at_rest() && at(State::Confirmed) && at(State::Rejected)
        }),
        sometimes("a seat that was released is sold again", |_, state| {
            let at = |wanted| state.orders().any(|order| order.state == wanted);
            state.is_at_rest() && at(State::Confirmed) && (at(State::Cancelled) || at(State::PaymentDeclined))
        }),
    ]
}

fn rests(state: &ModelState, end: impl Fn(&Order) -> bool) -> bool {
    state.is_at_rest() && state.orders().any(end)
}
