//! Whether a simulation at rest keeps the promises of `docs/PROOFS.md`: the audit that operators run,
//! and what only the provider's own books and the mails themselves can tell.

use std::collections::BTreeSet;

use billing_service::provider::ProviderName;
use booking_gateway::order::{Order, Status};
use messaging::store::StoreError;
use protocol::ids::OrderId;
use system::audit::{Case, Snapshot, audit};

use super::Simulation;
use crate::fixtures::CARD_THAT_PAYS;
use crate::memory::contents::OpenedPayment;

/// What is wrong, in words; empty if all is well. Every order must be at rest.
pub async fn violations(simulation: &Simulation) -> Vec<String> {
    let orders = simulation.orders().await;
    let mut found = Vec::new();
    for (customer, known) in simulation.customers.iter().enumerate() {
        match known.order {
            None => found.push(format!("customer {customer} has no answer")),
            Some(id) => match orders.iter().find(|order| order.id == id).map(|order| order.state.status()) {
                None => found.push(format!("order {id} was accepted and is lost")),
                Some(Status::PaymentDeclined) if known.purchase.card == CARD_THAT_PAYS => {
                    found.push(format!("order {id} was declined, though its card pays"));
                }
                Some(_) => {}
            },
        }
    }
    match snapshot(simulation, &orders).await {
        Err(error) => found.push(format!("the stores cannot be read: {error}")),
        Ok(snapshot) => {
            let report = audit(&snapshot, simulation.now());
            found.extend(report.discrepancies.iter().map(ToString::to_string));
            let unsettled = report.orders - report.at_rest;
            if unsettled > 0 {
                found.push(format!("{unsettled} orders are not at rest"));
            }
        }
    }
    let ledger = simulation.provider.ledger();
    for order in &orders {
        check_money(&ledger, order, &mut found);
    }
    let known: BTreeSet<OrderId> = orders.iter().map(|order| order.id).collect();
    for payment in ledger.iter().filter(|payment| !known.contains(&payment.order)) {
        if payment.account.captured() > payment.account.refunded() {
            found.push(format!("money is kept for {}, which is no order", payment.order));
        }
    }
    found
}

/// All payments of the order together: at rest it is paid if and only if it is confirmed, and it was
/// never charged twice.
fn check_money(ledger: &[OpenedPayment], order: &Order, found: &mut Vec<String>) {
    let payments =
        || ledger.iter().filter(|payment| payment.order == order.id).map(|payment| &payment.account);
    let captured: u64 = payments().map(|account| account.captured()).sum();
    let refunded: u64 = payments().map(|account| account.refunded()).sum();
    let captures = payments().filter(|account| account.captured() > 0).count();
    let amount = order.amount.as_ref().map_or(0, |amount| amount.value);
    let due = if order.state.status() == Status::Confirmed { amount } else { 0 };
    if captures > 1 {
        found.push(format!("order {}: charged {captures} times", order.id));
    }
    if captured != refunded + due {
        found.push(format!(
            "order {}: {:?}, {captured} captured, {refunded} refunded, {due} due",
            order.id, order.state
        ));
    }
}

async fn snapshot(simulation: &Simulation, orders: &[Order]) -> Result<Snapshot, StoreError> {
    let mut snapshot = Snapshot { books: [ProviderName::SIMULATED].into(), ..Snapshot::default() };
    let (ledger, messages) = (simulation.provider.ledger(), simulation.topics.messages());
    let delivered = simulation.mailer.delivered();
    for order in orders {
        let id = order.id;
        let payments: Vec<_> = ledger.iter().filter(|payment| payment.order == id).collect();
        let paid = payments.iter().find(|payment| payment.account.captured() > 0).or(payments.last());
        let mailed = simulation.stores.mails.last(id).await?;
        let case = Case {
            order: Some(order.clone()),
            next_check: order.next_check.map(|check| check.at),
            reservation: simulation.stores.tickets.find(id).await?,
            payment: simulation.stores.payments.find(id).await?,
            account: paid.map(|payment| (*payment.account).clone()),
            // A record of a mail that was not delivered counts for nothing.
            mailed: mailed.filter(|outcome| delivered.contains(&(id, *outcome))),
            messages: messages.iter().filter(|message| message.order == Some(id)).count(),
            dead_letters: Vec::new(),
            unseen: false,
            refused: None,
            undeliverable: false,
        };
        snapshot.cases.insert(id, case);
    }
    for letter in simulation.topics.dead_letters() {
        let entry = (letter.topic, letter.failure);
        match letter.order.and_then(|order| snapshot.cases.get_mut(&order)) {
            Some(case) => case.dead_letters.push(entry),
            None => snapshot.nameless_dead_letters.push(entry),
        }
    }
    let offers = simulation.stores.tickets.offers().await?;
    snapshot.flights = offers.into_iter().filter(|offer| offer.flight.id == simulation.flight_id).collect();
    Ok(snapshot)
}
