//! The audit of a stack: every table is scanned, and what differs is looked at again before it counts.
//!
//! The tables are not read at one moment, and the topics cannot be looked into. So:
//!
//! - An order that differs is read again, by consistent reads during which it does not change.
//! - An unsettled order is under way until its next check is overdue: the reconciler then has not seen it in time.
//! - A settled order that differs counts if every topic was empty after it was read, and it last changed more than
//!   [`SETTLED`] ago: until then SQS may not count its messages. Else it is undecided.
//! - A flight counts if a second scan finds the same free and held seats.
//!
//! It changes nothing, except that a look at the dead letters hides them for a moment. All cases are in memory at once,
//! some 2 KB an order.

use std::collections::BTreeSet;
use std::time::Duration;

use billing_service::provider::ProviderName;
use booking_gateway::order::Order;
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use serde_json::Value;
use system::audit::{Audit, Auditor, Case};
use system::view::DeadLetter;

use crate::letters::Letters;
use crate::queues::SqsQueues;
use crate::records::{All, Records};

/// How late the reconciler may be: its first check, and several of its rounds.
const OVERLOOKED: Duration = Duration::from_secs(3 * 60);

/// After how long SQS counts a message for certain.
pub const SETTLED: Duration = Duration::from_secs(60);

/// How many orders that differ are read again. Where more differ, the rest counts as it was read first.
const AGAIN: usize = 1_000;

/// The audit of a stack.
pub struct StackAudit<'a> {
    /// Its tables.
    pub records: &'a Records,
    /// Its queues.
    pub queues: &'a SqsQueues,
    /// Its dead letters.
    pub letters: &'a Letters,
    /// The ledgers that are compared.
    pub books: BTreeSet<ProviderName>,
    /// When it is made.
    pub now: Timestamp,
}

impl StackAudit<'_> {
    /// Audits every order and flight.
    pub async fn all(&self) -> Result<Audit, StoreError> {
        let mut all = self.records.all().await?;
        let letters = self.letters.look().await?.letters;
        let nameless = attach(&mut all, &letters);
        let suspects: Vec<_> = all.cases.iter().filter(|(id, case)| self.differs(**id, case)).collect();
        let suspects: Vec<_> = suspects.into_iter().map(|(id, _)| *id).take(AGAIN).collect();
        let mut flights_not_compared = BTreeSet::new();
        for id in &suspects {
            let mut again = self.records.case(*id).await?;
            let before = all.cases.entry(*id).or_default();
            again.dead_letters = std::mem::take(&mut before.dead_letters);
            // Where the order does not tell its amount, or another, one order's books are not found again. They never go.
            again.account = again.account.or_else(|| before.account.take());
            if again.reservation != before.reservation
                && let Some(order) = &again.order
            {
                flights_not_compared.insert(order.request.flight_id.clone());
            }
            *before = again;
        }
        let quiet = self.queues.are_empty().await?;
        for case in all.cases.values_mut() {
            case.unseen = self.is_unseen(case, quiet);
        }
        flights_not_compared.extend(self.sold_meanwhile(&all).await?);

        let mut auditor = Auditor::new(self.books.clone(), self.now);
        for (id, case) in &all.cases {
            auditor.case(*id, case);
        }
        for letter in nameless {
            auditor.nameless_dead_letter(letter.topic, &letter.failure);
        }
        all.flights.retain(|offer| !flights_not_compared.contains(&offer.flight.id));
        let mut audit = auditor.finish(&all.flights);
        audit.flights_not_compared = flights_not_compared.into_iter().collect();
        Ok(audit)
    }

    /// What is known of one order.
    pub async fn case(&self, id: OrderId) -> Result<Case, StoreError> {
        let mut case = self.records.case(id).await?;
        case.unseen = self.is_unseen(&case, self.queues.are_empty().await?);
        for letter in self.letters.look().await?.letters {
            if order_of(&letter) == Some(id) {
                case.dead_letters.push((letter.topic, letter.failure));
            }
        }
        Ok(case)
    }

    /// Whether an order would be a difference if no message about it were in a topic, and its check were not due yet.
    fn differs(&self, id: OrderId, case: &Case) -> bool {
        let case = Case { unseen: self.is_unseen(case, true), ..case.clone() };
        let mut auditor = Auditor::new(self.books.clone(), self.now);
        auditor.case(id, &case);
        let audit = auditor.without_flights();
        !audit.discrepancies.is_empty() || !audit.undecided.is_empty()
    }

    /// Whether a message about an order may be in a topic; `quiet` says that all were empty after it was read.
    fn is_unseen(&self, case: &Case, quiet: bool) -> bool {
        case.order.as_ref().is_some_and(|order: &Order| {
            if order.state.is_settled() {
                !quiet || self.now.since(order.updated_at()) < SETTLED
            } else {
                case.next_check.is_some_and(|check| self.now.since(check) < OVERLOOKED)
            }
        })
    }

    /// The flights whose numbers are not the same in a second scan, of those that seem unequal.
    async fn sold_meanwhile(&self, all: &All) -> Result<Vec<protocol::flight::FlightId>, StoreError> {
        let first = all.unequal_flights();
        if first.is_empty() {
            return Ok(Vec::new());
        }
        let second = self.records.seats().await?.unequal_flights();
        Ok(first.into_iter().filter(|(id, seats)| second.get(id) != Some(seats)).map(|(id, _)| id).collect())
    }
}

/// Adds each letter to its order's case; answers those that name none.
fn attach<'a>(all: &mut All, letters: &'a [DeadLetter]) -> Vec<&'a DeadLetter> {
    let mut nameless = Vec::new();
    for letter in letters {
        match order_of(letter) {
            Some(order) => {
                let case = all.cases.entry(order).or_default();
                case.dead_letters.push((letter.topic, letter.failure.clone()));
            }
            None => nameless.push(letter),
        }
    }
    nameless
}

fn order_of(letter: &DeadLetter) -> Option<OrderId> {
    serde_json::from_str::<Value>(&letter.body).ok()?["subject"].as_str()?.parse().ok()
}
