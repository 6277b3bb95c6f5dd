//! The audit: expected state against actual, order by order.
//!
//! Pure: a platform gives the [`Auditor`] one case after another, so the size of the system does not matter. It raises no
//! false alarm on a running system: an order with a message in a topic is not at rest yet. Where a topic cannot be looked
//! into, a settled order that differs while a message about it may wait is neither: it is undecided.

mod case;
mod parts;
mod refunds;
mod row;
mod rule;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use billing_service::payment::Payment;
use billing_service::provider::ProviderName;
use booking_gateway::order::{Order, State};
use protocol::flight::FlightId;
use protocol::ids::OrderId;
use protocol::messages::NoticeOutcome;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use serde::Serialize;
use ticket_service::flight::Offer;
use ticket_service::reservation::Reservation;

pub use self::case::{Case, Snapshot};
pub use self::parts::{Part, Parts};
pub use self::refunds::RefundAudit;
pub use self::row::Row;
use self::rule::Rule;
pub use self::tally::Tally;

/// After how long the reconciler must have checked a waiting order: the time of its first check, and
/// several rounds of the reconciler.
const OVERLOOKED: Duration = Duration::from_secs(3 * 60);

/// A difference between the expected and the actual state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Discrepancy {
    /// The order; `None` if it is about a flight or an unreadable message.
    pub booking_id: Option<OrderId>,
    /// What should be true.
    pub expected: String,
    /// What is.
    pub actual: String,
    /// What an operator does about it, where one sentence helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
}

/// What an audit found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Audit {
    /// Orders audited.
    pub orders: usize,
    /// Of them, those that are settled and have no message in a topic.
    pub at_rest: usize,
    /// The differences found.
    pub discrepancies: Vec<Discrepancy>,
    /// Payment providers whose ledgers are not here: the Billing Service's records are used instead.
    pub books_not_compared: Vec<ProviderName>,
    /// Settled orders that differ, while a message about them may wait in a topic that cannot be looked into.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undecided: Vec<OrderId>,
    /// Flights whose seats were sold while they were read, so that they were not compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flights_not_compared: Vec<FlightId>,
    /// How often each rule was applied.
    pub checked: BTreeMap<&'static str, u64>,
}

/// Compares the expected with the actual state of a snapshot, at the moment `now`.
pub fn audit(snapshot: &Snapshot, now: Timestamp) -> Audit {
    let mut auditor = Auditor::new(snapshot.books.clone(), now);
    for (id, case) in &snapshot.cases {
        auditor.case(*id, case);
    }
    for (topic, failure) in &snapshot.nameless_dead_letters {
        auditor.nameless_dead_letter(*topic, failure);
    }
    auditor.finish(&snapshot.flights)
}

/// Compares the expected with the actual state, one case after another.
#[derive(Debug)]
pub struct Auditor {
    books: BTreeSet<ProviderName>,
    now: Timestamp,
    audit: Audit,
    about: Option<OrderId>,
    held: BTreeMap<FlightId, u64>,
    not_compared: BTreeSet<ProviderName>,
}

impl Auditor {
    /// One that knows the ledgers of these payment providers, at the moment `now`.
    pub fn new(books: BTreeSet<ProviderName>, now: Timestamp) -> Self {
        let (held, not_compared) = Default::default();
        Self { books, now, audit: Audit::default(), about: None, held, not_compared }
    }

    /// Audits what is known of an order.
    pub fn case(&mut self, id: OrderId, case: &Case) {
        if let Some(Reservation::Held(hold)) = &case.reservation {
            *self.held.entry(hold.flight_id.clone()).or_default() += u64::from(hold.seats);
        }
        self.judge(id, case);
    }

    /// The same, without counting its seats.
    fn judge(&mut self, id: OrderId, case: &Case) {
        self.about = Some(id);
        self.audit.orders += usize::from(case.order.is_some());
        self.audit.at_rest += usize::from(case.is_at_rest());
        let provider = case.payment.as_ref().and_then(|payment| payment.provider());
        self.not_compared.extend(provider.filter(|name| !self.books.contains(name)).cloned());

        self.expect(case.dead_letters.is_empty(), &rule::NO_DEAD_LETTERS, || {
            let all = case
                .dead_letters
                .iter()
                .map(|(topic, failure)| format!("one in {}: {failure}", topic.dead_letter_name()));
            all.collect::<Vec<_>>().join("; ")
        });
        let known = case.reservation.is_some() || case.payment.is_some() || case.account.is_some();
        self.expect(case.order.is_some() || !known, &rule::IT_HAS_AN_ORDER, || {
            "records of an order that does not exist".to_owned()
        });
        if let Some(order) = &case.order {
            self.order(case, order);
        }
        self.about = None;
    }

    /// A dead letter that names no order.
    pub fn nameless_dead_letter(&mut self, topic: Topic, failure: &str) {
        self.expect(false, &rule::NO_DEAD_LETTERS, || {
            format!("one in {}: {failure}", topic.dead_letter_name())
        });
    }

    /// What was found, once every case was given, and these are the flights.
    pub fn finish(mut self, flights: &[Offer]) -> Audit {
        let held = std::mem::take(&mut self.held);
        for offer in flights {
            self.flight(offer, held.get(&offer.flight.id).copied().unwrap_or_default());
        }
        self.without_flights()
    }

    /// Audits a flight, of which so many seats are held: where the cases are not read at one moment with the flights.
    pub fn flight(&mut self, offer: &Offer, held: u64) {
        let capacity = u64::from(offer.flight.capacity);
        self.expect(u64::from(offer.seats_left) + held == capacity, &rule::EVERY_SEAT_IS_COUNTED, || {
            format!("flight {}: {} free + {held} held, {capacity} in all", offer.flight.id, offer.seats_left)
        });
    }

    /// What was found about the cases alone.
    pub fn without_flights(self) -> Audit {
        Audit { books_not_compared: self.not_compared.into_iter().collect(), ..self.audit }
    }

    fn expect(&mut self, holds: bool, rule: &Rule, actual: impl FnOnce() -> String) {
        let Rule { expected, advice } = *rule;
        *self.audit.checked.entry(expected).or_default() += 1;
        if !holds {
            let (booking_id, expected) = (self.about, expected.to_owned());
            self.audit.discrepancies.push(Discrepancy { booking_id, expected, actual: actual(), advice });
        }
    }

    fn order(&mut self, case: &Case, order: &Order) {
        let (captured, refunded) =
            case.account.as_ref().map_or((0, 0), |account| (account.captured(), account.refunded()));
        let amount = order.amount.as_ref().map_or(0, |amount| amount.value);
        self.expect(captured <= amount && refunded <= captured, &rule::CAPTURED_ONCE, || {
            format!("{captured} captured and {refunded} refunded, {amount} due")
        });
        self.expect(order.state.is_settled() == case.next_check.is_none(), &rule::IT_IS_WATCHED, || {
            format!("{:?}, next check {:?}", order.state, case.next_check)
        });
        let refused = case.refused.as_ref().filter(|_| matches!(case.payment, Some(Payment::Reversing(_))));
        self.expect(refused.is_none(), &rule::IT_CAN_BE_REVERSED, || {
            refused.map(|reason| format!("not reversed: {reason}")).unwrap_or_default()
        });
        let leaves = order.departs_at.is_none_or(|departs_at| self.now < departs_at);
        let undelivered = case.undeliverable && case.mailed == Some(NoticeOutcome::Confirmed);
        self.expect(
            !(undelivered && leaves && order.state == State::Confirmed),
            &rule::IT_COULD_BE_MAILED,
            || "confirmed, and its mail is undeliverable: its address takes none".to_owned(),
        );
        if case.is_at_rest() {
            self.at_rest(case, order);
        } else if case.unseen && case.messages == 0 && order.state.is_settled() {
            self.maybe_at_rest(case, order);
        } else if case.messages == 0 && !case.unseen {
            let waited = self.now.since(order.updated_at());
            self.expect(waited < OVERLOOKED, &rule::A_MESSAGE_IS_UNDER_WAY, || {
                format!("{:?} for {} s, and no message anywhere", order.state, waited.as_secs())
            });
        }
    }

    /// A settled order that is as it should be is at rest. One that is not may be about to change.
    fn maybe_at_rest(&mut self, case: &Case, order: &Order) {
        let found = self.audit.discrepancies.len();
        self.at_rest(case, order);
        if self.audit.discrepancies.len() == found {
            self.audit.at_rest += 1;
        } else {
            self.audit.discrepancies.truncate(found);
            self.audit.undecided.push(order.id);
        }
    }

    /// At rest an order is paid and holds seats if and only if it is confirmed, and its customer was mailed.
    fn at_rest(&mut self, case: &Case, order: &Order) {
        let (due, kept) = (row::due(order).unwrap_or(0), row::kept(case, &self.books));
        self.expect(kept == due, &rule::THE_MONEY_IS_RIGHT, || {
            format!("{:?}: {kept} kept, {due} due", order.state)
        });
        self.expect(row::held(case) == row::booked(order), &rule::THE_SEATS_ARE_RIGHT, || {
            format!("{:?}, and the record says {:?}", order.state, case.reservation)
        });
        self.expect(row::is_payment_recorded(case, order), &rule::THE_PAYMENT_IS_RIGHT, || {
            format!("{:?}, and the record says {:?}", order.state, case.payment)
        });
        self.expect(row::is_mailed(case, order), &rule::IT_WAS_MAILED, || {
            format!("{:?}, and the last mail said {:?}", order.state, case.mailed)
        });
    }
}

impl Audit {
    /// Whether every order and flight could be judged.
    pub fn is_complete(&self) -> bool {
        self.undecided.is_empty() && self.flights_not_compared.is_empty()
    }
}

impl fmt::Display for Discrepancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { booking_id, expected, actual, advice } = self;
        let about = booking_id.map(|id| format!("order {id}: ")).unwrap_or_default();
        write!(f, "{about}{actual}\n  expected: {expected}")?;
        advice.map_or(Ok(()), |advice| write!(f, "\n  advice: {advice}"))
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (rule, times) in &self.checked {
            writeln!(f, "checked {times:>8} × {rule}")?;
        }
        writeln!(f, "{} orders, {} of them at rest", self.orders, self.at_rest)?;
        for discrepancy in &self.discrepancies {
            writeln!(f, "{discrepancy}")?;
        }
        for order in &self.undecided {
            writeln!(f, "order {order} differs, and a message about it may wait in a topic: not decided")?;
        }
        for flight in &self.flights_not_compared {
            writeln!(f, "flight {flight}: its seats were sold while they were read: not compared")?;
        }
        for provider in &self.books_not_compared {
            writeln!(f, "the books of {provider} are not compared, only this system's records of them")?;
        }
        match self.discrepancies.len() {
            0 if self.is_complete() => write!(f, "everything is as it should be"),
            0 => write!(f, "no discrepancy, as far as can be told"),
            1 => write!(f, "1 discrepancy"),
            many => write!(f, "{many} discrepancies"),
        }
    }
}
