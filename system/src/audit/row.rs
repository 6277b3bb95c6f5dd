//! The evidence: what is expected of one order, and what is, by whose record.

use std::collections::BTreeSet;
use std::fmt;

use billing_service::payment::Payment;
use billing_service::provider::ProviderName;
use booking_gateway::order::{Command, Order, State, owed};
use protocol::flight::{FlightId, SeatCount};
use protocol::messages::{EmailCommand, NoticeOutcome};
use protocol::money::Money;
use protocol::topic::AnyMessage;
use serde::{Deserialize, Serialize};
use ticket_service::reservation::Reservation;

use super::Case;

/// The place of the row about messages.
const MESSAGES: usize = 4;

/// One line of the comparison. While the order is under way, what is expected is where it is heading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What is compared, and by whose record.
    pub what: String,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub actual: String,
    /// Whether it is what it should be.
    pub equal: bool,
}

impl Row {
    fn new(what: &str, expected: impl fmt::Display, actual: impl fmt::Display, equal: bool) -> Self {
        Self { what: what.to_owned(), expected: expected.to_string(), actual: actual.to_string(), equal }
    }

    /// What is known of an order; the ledgers of these payment providers are known.
    pub fn of(case: &Case, books: &BTreeSet<ProviderName>) -> Vec<Self> {
        let Some(order) = &case.order else { return Vec::new() };
        let (booked, held) = (booked(order), held(case));
        let (due, kept) = (due(order), kept(case, books));
        let currency = order.amount.as_ref().map(|amount| amount.currency.clone());
        let money = |value| match &currency {
            Some(currency) => Money { value, currency: currency.clone() }.to_string(),
            None => value.to_string(),
        };
        let expected = due.map_or_else(|| "the price of the seats".to_owned(), &money);
        let books_are_here = match &case.payment {
            Some(payment) => payment.provider().is_none_or(|provider| books.contains(provider)),
            None => true,
        };
        let whose = if books_are_here { "the provider's ledger" } else { "the Billing Service's record" };
        let watched = case.next_check.map_or_else(|| "none".to_owned(), |at| format!("at {at}"));
        let is_settled = order.state.is_settled();
        let letters = case.dead_letters.len();
        let mut rows = vec![
            Self::new("seats held, by the Ticket Service", seats(booked), seats(held), booked == held),
            Self::new(&format!("money kept, by {whose}"), expected, money(kept), due == Some(kept)),
            Self::new(
                "payment, by the Billing Service",
                if is_to_be_confirmed(order) { "captured" } else { "none, or closed" },
                recorded(case.payment.as_ref()),
                is_payment_recorded(case, order),
            ),
            Self::new(
                "mail, by the Email Service",
                outcome(mail_owed(order)),
                outcome(case.mailed),
                is_mailed(case, order),
            ),
            Self::new("dead letters", 0, letters, letters == 0),
            Self::new(
                "next check of the reconciler",
                if is_settled { "none" } else { "at any time" },
                watched,
                is_settled == case.next_check.is_none(),
            ),
        ];
        // Where topics cannot be looked into, nothing is said of them.
        if !case.unseen {
            let messages = Self::new("messages in the topics", 0, case.messages, case.messages == 0);
            rows.insert(MESSAGES, messages);
        }
        rows
    }
}

/// Whether the order is confirmed, or will be if all goes well.
fn is_to_be_confirmed(order: &Order) -> bool {
    match order.state {
        State::Pending | State::TicketsReserved | State::Confirmed => true,
        State::Rejected
        | State::ReleasingDeclined
        | State::PaymentDeclined
        | State::Cancelling(_)
        | State::Cancelled => false,
    }
}

/// What is to be kept in the end; `None` while no price is known.
pub(super) fn due(order: &Order) -> Option<u64> {
    if is_to_be_confirmed(order) { order.amount.as_ref().map(|amount| amount.value) } else { Some(0) }
}

/// Captured minus refunded: by the provider's ledger, or by the Billing Service's record if there is no ledger here.
pub(super) fn kept(case: &Case, books: &BTreeSet<ProviderName>) -> u64 {
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

/// The seats that are to be held in the end.
pub(super) fn booked(order: &Order) -> Option<(&FlightId, SeatCount)> {
    is_to_be_confirmed(order).then_some((&order.request.flight_id, order.request.seats))
}

/// The seats that are held.
pub(super) fn held(case: &Case) -> Option<(&FlightId, SeatCount)> {
    match &case.reservation {
        Some(Reservation::Held(hold)) => Some((&hold.flight_id, hold.seats)),
        None | Some(Reservation::Refused { .. } | Reservation::Released) => None,
    }
}

fn seats(seats: Option<(&FlightId, SeatCount)>) -> String {
    seats.map_or_else(|| "none".to_owned(), |(flight, seats)| format!("{} on {flight}", u64::from(seats)))
}

/// Whether the payment's record is captured if the order is, or will be, confirmed, else closed.
pub(super) fn is_payment_recorded(case: &Case, order: &Order) -> bool {
    let (captured, open) = match case.payment {
        Some(Payment::Captured(_)) => (true, false),
        Some(Payment::Charging(_) | Payment::Reversing(_)) => (false, true),
        None | Some(Payment::Declined { .. } | Payment::Reversed { .. }) => (false, false),
    };
    captured == is_to_be_confirmed(order) && !open
}

fn recorded(payment: Option<&Payment>) -> &'static str {
    match payment {
        None => "none",
        Some(Payment::Charging(_)) => "charging",
        Some(Payment::Captured(_)) => "captured",
        Some(Payment::Declined { .. }) => "declined",
        Some(Payment::Reversing(_)) => "reversing",
        Some(Payment::Reversed { .. }) => "reversed",
    }
}

/// The mail that the order owes its customer in the end.
fn mail_owed(order: &Order) -> Option<NoticeOutcome> {
    if !order.state.is_settled() && is_to_be_confirmed(order) {
        return Some(NoticeOutcome::Confirmed);
    }
    owed(order).into_iter().find_map(|command| match command {
        Command(AnyMessage::Email(EmailCommand::Send(notice))) => Some(notice.outcome),
        Command(_) => None,
    })
}

/// Whether the customer was mailed how it ended. Earlier versions wrote of unknown flights too, which owe no mail now: such
/// a mail is no difference.
pub(super) fn is_mailed(case: &Case, order: &Order) -> bool {
    let owed = mail_owed(order);
    case.mailed == owed || (owed.is_none() && case.mailed == Some(NoticeOutcome::Rejected))
}

fn outcome(outcome: Option<NoticeOutcome>) -> String {
    // Named as on the wire.
    let name = outcome.and_then(|outcome| Some(serde_json::to_value(outcome).ok()?.as_str()?.to_owned()));
    name.unwrap_or_else(|| "none".to_owned())
}
