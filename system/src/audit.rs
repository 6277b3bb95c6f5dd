//! The audit: expected state against actual, order by order.
//!
//! A pure function over one snapshot of every service's records, the topics and the provider's ledger. It raises no
//! false alarm on a running system: an order with a message in a topic is not at rest yet.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use billing_service::payment::Payment;
use billing_service::provider::ProviderName;
use billing_service::simulated::Account;
use booking_gateway::order::{Command, Order, State, owed};
use protocol::flight::FlightId;
use protocol::ids::OrderId;
use protocol::messages::{EmailCommand, NoticeOutcome};
use protocol::time::Timestamp;
use protocol::topic::{AnyMessage, Topic};
use serde::Serialize;
use ticket_service::flight::Offer;
use ticket_service::reservation::Reservation;

/// After how long the reconciler must have checked a waiting order: the time of its first check, and
/// several rounds of the reconciler.
const OVERLOOKED: Duration = Duration::from_secs(3 * 60);

/// Everything that is known of one order, by service.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// The gateway's record.
    pub order: Option<Order>,
    /// When the reconciler checks it next.
    pub next_check: Option<Timestamp>,
    /// The Ticket Service's record.
    pub reservation: Option<Reservation>,
    /// The Billing Service's record.
    pub payment: Option<Payment>,
    /// The payment provider's ledger.
    pub account: Option<Account>,
    /// The Email Service's record.
    pub mailed: Option<NoticeOutcome>,
    /// How many messages about it are in the topics.
    pub messages: usize,
    /// Its dead letters: the topic and the failure.
    pub dead_letters: Vec<(Topic, String)>,
}

/// The data of one read transaction.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Every order that is known to a service or the provider.
    pub cases: BTreeMap<OrderId, Case>,
    /// Every flight.
    pub flights: Vec<Offer>,
    /// Dead letters without a readable order id.
    pub nameless_dead_letters: Vec<(Topic, String)>,
    /// The payment providers whose ledgers are in it.
    pub books: BTreeSet<ProviderName>,
}

impl Snapshot {
    /// The case of that order.
    pub fn case(&mut self, order: OrderId) -> &mut Case {
        self.cases.entry(order).or_default()
    }
}

/// A difference between the expected and the actual state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Discrepancy {
    /// The order; `None` if it is about a flight or an unreadable message.
    pub booking_id: Option<OrderId>,
    /// What should be true.
    pub expected: String,
    /// What is.
    pub actual: String,
}

/// What an audit found.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// Orders audited.
    pub orders: usize,
    /// Of them, those that are settled and have no message in a topic.
    pub at_rest: usize,
    /// The differences found.
    pub discrepancies: Vec<Discrepancy>,
    /// Payment providers whose ledgers are not here: the Billing Service's records are used instead.
    pub books_not_compared: Vec<ProviderName>,
}

/// Compares the expected with the actual state, at the moment `now`.
pub fn audit(snapshot: &Snapshot, now: Timestamp) -> Audit {
    let mut found = Findings::default();
    for (id, case) in &snapshot.cases {
        found.about = Some(*id);
        found.case(case, &snapshot.books, now);
    }
    found.about = None;
    for (topic, failure) in &snapshot.nameless_dead_letters {
        found.expect(false, "no dead letters", || format!("one in {}: {failure}", topic.dead_letter_name()));
    }
    for offer in &snapshot.flights {
        let held = held_on(snapshot, &offer.flight.id);
        let capacity = u64::from(offer.flight.capacity);
        found.expect(
            u64::from(offer.seats_left) + held == capacity,
            "free + held = capacity on every flight",
            || {
                format!(
                    "flight {}: {} free + {held} held, {capacity} in all",
                    offer.flight.id, offer.seats_left
                )
            },
        );
    }
    let at_rest = snapshot.cases.values().filter(|case| is_at_rest(case)).count();
    let orders = snapshot.cases.values().filter(|case| case.order.is_some()).count();
    let providers = snapshot.cases.values().filter_map(|case| case.payment.as_ref()?.provider());
    let books_not_compared: BTreeSet<_> = providers.filter(|name| !snapshot.books.contains(name)).collect();
    let books_not_compared = books_not_compared.into_iter().cloned().collect();
    Audit { orders, at_rest, discrepancies: found.discrepancies, books_not_compared }
}

fn held_on(snapshot: &Snapshot, flight: &FlightId) -> u64 {
    let reservations = snapshot.cases.values().filter_map(|case| case.reservation.as_ref());
    let held = reservations.map(|reservation| match reservation {
        Reservation::Held(hold) if hold.flight_id == *flight => hold.seats.into(),
        Reservation::Held(_) | Reservation::Refused { .. } | Reservation::Released => 0,
    });
    held.sum()
}

/// Captured minus refunded: by the provider's ledger, or by the Billing Service's record if there is no ledger here.
fn kept(case: &Case, books: &BTreeSet<ProviderName>) -> u64 {
    match (&case.account, &case.payment) {
        (Some(account), _) => account.captured().saturating_sub(account.refunded()),
        (None, Some(Payment::Captured(intent))) if !books.contains(&intent.provider) => intent.amount.value,
        (
            None,
            None
            | Some(
                Payment::Captured(_)
                | Payment::Charging(_)
                | Payment::Declined { .. }
                | Payment::Reversing(_)
                | Payment::Reversed { .. },
            ),
        ) => 0,
    }
}

fn is_at_rest(case: &Case) -> bool {
    case.messages == 0 && case.order.as_ref().is_some_and(|order| order.state.is_settled())
}

#[derive(Default)]
struct Findings {
    about: Option<OrderId>,
    discrepancies: Vec<Discrepancy>,
}

impl Findings {
    fn expect(&mut self, holds: bool, expected: &str, actual: impl FnOnce() -> String) {
        if !holds {
            let expected = expected.to_owned();
            self.discrepancies.push(Discrepancy { booking_id: self.about, expected, actual: actual() });
        }
    }

    fn case(&mut self, case: &Case, books: &BTreeSet<ProviderName>, now: Timestamp) {
        for (topic, failure) in &case.dead_letters {
            self.expect(false, "no dead letters", || {
                format!("one in {}: {failure}", topic.dead_letter_name())
            });
        }
        let Some(order) = &case.order else {
            let known = case.reservation.is_some() || case.payment.is_some() || case.account.is_some();
            self.expect(!known, "every record belongs to an order", || {
                "records of an order that does not exist".to_owned()
            });
            return;
        };
        let (captured, refunded) =
            case.account.as_ref().map_or((0, 0), |account| (account.captured(), account.refunded()));
        let amount = order.amount.as_ref().map_or(0, |amount| amount.value);
        self.expect(
            captured <= amount && refunded <= captured,
            "captured at most once, refunded at most that",
            || format!("{captured} captured and {refunded} refunded, {amount} due"),
        );
        self.expect(
            order.state.is_settled() == case.next_check.is_none(),
            "the reconciler watches the unsettled, and only them",
            || format!("{:?}, next check {:?}", order.state, case.next_check),
        );
        if is_at_rest(case) {
            self.at_rest(case, order, kept(case, books));
        } else if case.messages == 0 {
            let waited = now.since(order.updated_at());
            self.expect(waited < OVERLOOKED, "an order that waits has a message in a topic", || {
                format!("{:?} for {} s, and no message anywhere", order.state, waited.as_secs())
            });
        }
    }

    /// At rest an order is paid and holds seats if and only if it is confirmed, and its customer was mailed.
    fn at_rest(&mut self, case: &Case, order: &Order, kept: u64) {
        let confirmed = match order.state {
            State::Confirmed => true,
            State::Pending
            | State::TicketsReserved
            | State::Rejected
            | State::ReleasingDeclined
            | State::PaymentDeclined
            | State::Cancelling(_)
            | State::Cancelled => false,
        };
        let amount = order.amount.as_ref().map_or(0, |amount| amount.value);
        let due = if confirmed { amount } else { 0 };
        self.expect(kept == due, "captured − refunded = amount if confirmed, else 0", || {
            format!("{:?}: {kept} kept, {due} due", order.state)
        });

        let held = match &case.reservation {
            Some(Reservation::Held(hold)) => Some((&hold.flight_id, hold.seats)),
            None | Some(Reservation::Refused { .. } | Reservation::Released) => None,
        };
        let booked = confirmed.then_some((&order.request.flight_id, order.request.seats));
        self.expect(held == booked, "seats are held if and only if the order is confirmed", || {
            format!("{:?}, and the record says {:?}", order.state, case.reservation)
        });

        let (recorded, open) = match case.payment {
            Some(Payment::Captured(_)) => (true, false),
            Some(Payment::Charging(_) | Payment::Reversing(_)) => (false, true),
            None | Some(Payment::Declined { .. } | Payment::Reversed { .. }) => (false, false),
        };
        self.expect(
            recorded == confirmed && !open,
            "the payment's record is captured if confirmed, else closed",
            || format!("{:?}, and the record says {:?}", order.state, case.payment),
        );

        let owed = owed(order).into_iter().find_map(|command| match command {
            Command(AnyMessage::Email(EmailCommand::Send(notice))) => Some(notice.outcome),
            Command(_) => None,
        });
        // Earlier versions wrote of unknown flights too, which owe no mail now: such a mail is no difference.
        let of_before = owed.is_none() && case.mailed == Some(NoticeOutcome::Rejected);
        self.expect(case.mailed == owed || of_before, "the customer was mailed how it ended", || {
            format!("{:?}, and the last mail said {:?}", order.state, case.mailed)
        });
    }
}

impl fmt::Display for Discrepancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { booking_id, expected, actual } = self;
        let about = booking_id.map(|id| format!("order {id}: ")).unwrap_or_default();
        write!(f, "{about}{actual}\n  expected: {expected}")
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} orders, {} of them at rest", self.orders, self.at_rest)?;
        for discrepancy in &self.discrepancies {
            writeln!(f, "{discrepancy}")?;
        }
        for provider in &self.books_not_compared {
            writeln!(f, "the books of {provider} are not compared, only this system's records of them")?;
        }
        match self.discrepancies.len() {
            0 => write!(f, "everything is as it should be"),
            1 => write!(f, "1 discrepancy"),
            many => write!(f, "{many} discrepancies"),
        }
    }
}
