//! The audit of a stack: every table is read, and what differs is looked at again before it counts.
//!
//! The tables are not read at one moment, and the topics cannot be looked into. So:
//!
//! - An order is read with all that the services know of it, a page of orders after another.
//! - An order that differs is read again, by consistent reads during which it does not change.
//! - An unsettled order is under way until its next check is overdue: the reconciler then has not seen it in time.
//! - A settled order that differs counts if every topic was empty after it was read, and it last changed more than
//!   [`SETTLED`] ago: until then SQS may not count its messages. Else it is undecided.
//! - A flight counts if a second scan finds the same free and held seats.
//!
//! It changes nothing, except that a look at the dead letters hides them for a moment. In memory are a page of orders, those
//! that differ, and some 64 bytes for each other order.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;
use std::time::Duration;

use billing_service::provider::ProviderName;
use booking_gateway::order::Order;
use messaging::store::StoreError;
use protocol::flight::FlightId;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use serde_json::Value;
use system::audit::{Audit, Auditor, Case};
use system::view::DeadLetter;

use crate::known::{Cases, Known, PAGE, Seats, Strays};
use crate::letters::Letters;
use crate::queues::SqsQueues;
use crate::records::Records;

/// How late the reconciler may be: its first check, and several of its rounds.
const OVERLOOKED: Duration = Duration::from_secs(3 * 60);

/// After how long SQS counts a message for certain.
pub const SETTLED: Duration = Duration::from_secs(60);

/// How many orders that differ are read again. Where more differ, the settled of the rest are undecided.
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

/// An audit that is being made.
struct Run<'a> {
    audit: &'a StackAudit<'a>,
    auditor: Auditor,
    /// Audits orders once more, which are counted already.
    again: Auditor,
    known: Known,
    /// The dead letters by their orders, until these are read.
    letters: BTreeMap<OrderId, Vec<(Topic, String)>>,
    /// The orders that differ, to be read again.
    suspects: Vec<Suspect>,
}

struct Suspect {
    order: OrderId,
    case: Case,
    is_counted: bool,
}

impl StackAudit<'_> {
    /// Audits every order and flight.
    pub async fn all(&self) -> Result<Audit, StoreError> {
        let mut run = Run::of(self);
        for letter in self.letters.look().await?.letters {
            run.letter(letter);
        }
        let mut start = None;
        loop {
            let (cases, next) = self.records.page(start).await?;
            run.take(cases);
            if next.is_none() {
                break;
            }
            start = next;
        }
        let (seats, strays) = self.records.strays(&run.known).await?;
        run.look_for(strays).await?;
        run.look_again().await?;
        let not_compared = self.sold_meanwhile(&seats).await?;
        for offer in seats.flights.iter().filter(|offer| !not_compared.contains(&offer.flight.id)) {
            run.auditor.flight(offer, seats.held(&offer.flight.id));
        }
        let (mut audit, again) = (run.auditor.without_flights(), run.again.without_flights());
        audit.discrepancies.extend(again.discrepancies);
        audit.undecided.extend(again.undecided);
        audit.flights_not_compared = not_compared.into_iter().collect();
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

    fn auditor(&self) -> Auditor {
        Auditor::new(self.books.clone(), self.now)
    }

    /// Whether an order would be a difference if no message about it were in a topic, and its check were not due yet.
    fn differs(&self, id: OrderId, case: &Case) -> bool {
        let mut auditor = self.auditor();
        auditor.case(id, case);
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
    async fn sold_meanwhile(&self, seats: &Seats) -> Result<BTreeSet<FlightId>, StoreError> {
        let first = seats.unequal();
        if first.is_empty() {
            return Ok(BTreeSet::new());
        }
        let second = self.records.seats().await?.unequal();
        Ok(first.into_iter().filter(|(id, seats)| second.get(id) != Some(seats)).map(|(id, _)| id).collect())
    }
}

impl<'a> Run<'a> {
    fn of(audit: &'a StackAudit<'a>) -> Self {
        let (auditor, again) = (audit.auditor(), audit.auditor());
        let (known, letters, suspects) = Default::default();
        Self { audit, auditor, again, known, letters, suspects }
    }

    fn letter(&mut self, letter: DeadLetter) {
        match order_of(&letter) {
            Some(order) => self.letters.entry(order).or_default().push((letter.topic, letter.failure)),
            None => self.auditor.nameless_dead_letter(letter.topic, &letter.failure),
        }
    }

    /// Audits the orders of a page, or puts them off to be read again.
    fn take(&mut self, cases: Cases) {
        for (order, mut case) in cases {
            case.dead_letters = self.letters.remove(&order).unwrap_or_default();
            let amount = case.order.as_ref().and_then(|order| order.amount.as_ref());
            let is_counted = self.known.insert(order, amount.map(|amount| amount.value)).is_some();
            case.unseen = self.audit.is_unseen(&case, true);
            if !self.audit.differs(order, &case) {
                self.judge(order, &case, is_counted);
            } else if self.suspects.len() < AGAIN {
                self.suspects.push(Suspect { order, case, is_counted });
            } else {
                case.unseen = self.audit.is_unseen(&case, false);
                self.judge(order, &case, is_counted);
            }
        }
    }

    fn judge(&mut self, order: OrderId, case: &Case, is_counted: bool) {
        let auditor = if is_counted { &mut self.again } else { &mut self.auditor };
        auditor.case(order, case);
    }

    /// Audits what was not found by the orders of the pages, if that is not because they are newer.
    async fn look_for(&mut self, Strays { mut orders, mut accounts }: Strays) -> Result<(), StoreError> {
        orders.extend(self.letters.keys());
        // One that differs is read again anyway, once.
        for Suspect { order, case, .. } in &mut self.suspects {
            if orders.remove(order) {
                case.account = case.account.take().or_else(|| accounts.remove(order));
            }
        }
        let orders: Vec<_> = orders.into_iter().collect();
        for page in orders.chunks(PAGE) {
            let mut cases = self.audit.records.cases(page).await?;
            for (order, case) in &mut cases {
                case.account = case.account.take().or_else(|| accounts.remove(order));
            }
            self.take(cases);
        }
        Ok(())
    }

    /// Audits the orders that differ, as they are now.
    async fn look_again(&mut self) -> Result<(), StoreError> {
        let mut suspects = take(&mut self.suspects);
        for Suspect { order, case, .. } in &mut suspects {
            let mut again = self.audit.records.case(*order).await?;
            again.dead_letters = take(&mut case.dead_letters);
            // Where the order does not tell its amount, or another, one order's books are not found again. They never go.
            again.account = again.account.or_else(|| case.account.take());
            *case = again;
        }
        let quiet = self.audit.queues.are_empty().await?;
        for Suspect { order, mut case, is_counted } in suspects {
            case.unseen = self.audit.is_unseen(&case, quiet);
            self.judge(order, &case, is_counted);
        }
        Ok(())
    }
}

fn order_of(letter: &DeadLetter) -> Option<OrderId> {
    serde_json::from_str::<Value>(&letter.body).ok()?["subject"].as_str()?.parse().ok()
}
