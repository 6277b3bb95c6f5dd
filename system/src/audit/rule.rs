//! What the audit expects, and what an operator does where it is not so.

/// One thing that should be true.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// What.
    pub(super) expected: &'static str,
    /// What an operator does if it is not, where one sentence helps.
    pub(super) advice: Option<&'static str>,
}

const fn rule(expected: &'static str, advice: &'static str) -> Rule {
    Rule { expected, advice: Some(advice) }
}

pub(super) const NO_DEAD_LETTERS: Rule = rule(
    "no dead letters",
    "`dead-letters list` and `explain` say why it was dead-lettered: remove the cause, then redrive it",
);
pub(super) const IT_HAS_AN_ORDER: Rule = rule(
    "every record belongs to an order",
    "was an older backup restored? If money was captured for it, refund it at the payment provider",
);
pub(super) const CAPTURED_ONCE: Rule = rule(
    "captured at most once, refunded at most that",
    "compare the order with the payment provider's books, and settle the rest with its customer there",
);
pub(super) const IT_IS_WATCHED: Rule = rule(
    "the reconciler watches the unsettled, and only them",
    "the order's record was not changed by this program: find out by whom, and restore it",
);
pub(super) const A_MESSAGE_IS_UNDER_WAY: Rule = rule(
    "an order that waits has a message in a topic",
    "the reconciler sends what the order owes at its next check; if that is overdue, see in the log why it does not run",
);
pub(super) const THE_MONEY_IS_RIGHT: Rule = rule(
    "captured − refunded = amount if confirmed, else 0",
    "its customer paid for nothing, or has a ticket unpaid: see its journey, and refund or charge it at the payment provider",
);
pub(super) const THE_SEATS_ARE_RIGHT: Rule = rule(
    "seats are held if and only if the order is confirmed",
    "see its journey; a customer who is confirmed without seats needs others, or a cancellation",
);
pub(super) const THE_PAYMENT_IS_RIGHT: Rule =
    Rule { expected: "the payment's record is captured if confirmed, else closed", advice: None };
pub(super) const IT_WAS_MAILED: Rule = rule(
    "the customer was mailed how it ended",
    "look for its mail among the dead letters; if it is not there, tell the customer by other means",
);
pub(super) const IT_COULD_BE_MAILED: Rule = rule(
    "the mail to a confirmed customer can be delivered",
    "reach the customer by other means before the flight leaves; the booking itself is sound",
);
pub(super) const IT_CAN_BE_REVERSED: Rule = rule(
    "the charge is reversed",
    "it is asked for again at least every 15 minutes: remove the cause that the provider names, or refund it in the provider's dashboard, where the next attempt finds it",
);
pub(super) const EVERY_SEAT_IS_COUNTED: Rule = rule(
    "free + held = capacity on every flight",
    "a flight's free seats or a hold were not changed by this program: stop the ticket-service, and set free to capacity less held",
);
pub(super) const A_REFUND_ARRIVES: Rule = rule(
    "a refund reaches the customer",
    "if the order is cancelled, nothing asks for another: return the money by other means, and tell the customer",
);
