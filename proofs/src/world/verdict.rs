//! Whether a world at rest is as DESIGN.md's promises have it: the audit that operators run, and
//! what only the provider's own books and the mails themselves can tell.

use std::collections::BTreeSet;

use booking_gateway::order::{Order, Status};
use local::audit::{Case, Snapshot, audit};
use shared::ids::OrderId;
use shared::time::Clock;

use super::World;
use super::jobs::PAYS;
use crate::memory::contents::OpenedPayment;

/// What is wrong, in words; nothing, if all is well. Every order must be at rest.
pub async fn verdict(world: &World) -> Vec<String> {
    let orders = world.orders().await;
    let mut wrong = Vec::new();
    for (customer, known) in world.customers.iter().enumerate() {
        match known.order {
            None => wrong.push(format!("customer {customer} has no answer")),
            Some(id) => match orders.iter().find(|order| order.id == id).map(|order| order.state.status()) {
                None => wrong.push(format!("order {id} was answered and is lost")),
                Some(Status::PaymentDeclined) if known.wish.card == PAYS => {
                    wrong.push(format!("order {id} was declined, though its card pays"));
                }
                Some(_) => {}
            },
        }
    }
    match snapshot(world, &orders).await {
        Err(error) => wrong.push(format!("the stores cannot be read: {error}")),
        Ok(snapshot) => {
            let report = audit(&snapshot, world.clock.now());
            wrong.extend(report.discrepancies.iter().map(ToString::to_string));
            let unsettled = report.orders - report.at_rest;
            if unsettled > 0 {
                wrong.push(format!("{unsettled} orders are not at rest"));
            }
        }
    }
    let ledger = world.bank.ledger();
    for order in &orders {
        money(&ledger, order, &mut wrong);
    }
    let known: BTreeSet<OrderId> = orders.iter().map(|order| order.id).collect();
    for payment in ledger.iter().filter(|payment| !known.contains(&payment.order)) {
        if payment.account.captured() > payment.account.refunded() {
            wrong.push(format!("money is kept for {}, which is no order", payment.order));
        }
    }
    wrong
}

/// All payments of the order together: at rest it is paid if and only if it is confirmed, and was
/// never charged twice.
fn money(ledger: &[OpenedPayment], order: &Order, wrong: &mut Vec<String>) {
    let payments =
        || ledger.iter().filter(|payment| payment.order == order.id).map(|payment| &payment.account);
    let captured: u64 = payments().map(|account| account.captured()).sum();
    let refunded: u64 = payments().map(|account| account.refunded()).sum();
    let captures = payments().filter(|account| account.captured() > 0).count();
    let amount = order.amount.as_ref().map_or(0, |amount| amount.value);
    let due = if order.state.status() == Status::Confirmed { amount } else { 0 };
    if captures > 1 {
        wrong.push(format!("order {}: charged {captures} times", order.id));
    }
    if captured != refunded + due {
        wrong.push(format!(
            "order {}: {:?}, {captured} captured, {refunded} refunded, {due} due",
            order.id, order.state
        ));
    }
}

async fn snapshot(world: &World, orders: &[Order]) -> Result<Snapshot, shared::store::StoreError> {
    let mut snapshot = Snapshot::default();
    let far = super::beginning() + 10 * super::YEAR;
    let checks = world.stores.orders.due(far, 100).await?;
    let (ledger, messages) = (world.bank.ledger(), world.queues.messages());
    let delivered = world.outbox.delivered();
    for order in orders {
        let id = order.id;
        let payments: Vec<_> = ledger.iter().filter(|payment| payment.order == id).collect();
        let paid = payments.iter().find(|payment| payment.account.captured() > 0).or(payments.last());
        let mailed = world.stores.mails.last(id).await?;
        let case = Case {
            order: Some(order.clone()),
            next_check: checks.iter().find(|check| check.order == id).map(|check| check.at),
            reservation: world.stores.tickets.find(id).await?,
            payment: world.stores.payments.find(id).await?,
            account: paid.map(|payment| (*payment.account).clone()),
            // A mark without its mail counts for nothing.
            mailed: mailed.filter(|outcome| delivered.contains(&(id, *outcome))),
            messages: messages.iter().filter(|message| message.order == Some(id)).count(),
            dead_letters: Vec::new(),
        };
        snapshot.cases.insert(id, case);
    }
    for (topic, order, failure) in world.queues.dead_letters() {
        match order.and_then(|order| snapshot.cases.get_mut(&order)) {
            Some(case) => case.dead_letters.push((topic, failure)),
            None => snapshot.nameless_dead_letters.push((topic, failure)),
        }
    }
    let offers = world.stores.tickets.offers().await?;
    snapshot.flights = offers.into_iter().filter(|offer| offer.flight.id == world.flight_id).collect();
    Ok(snapshot)
}
