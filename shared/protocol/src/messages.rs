//! The messages of each topic: one enum per consumer.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::flight::{FlightId, Route, SeatCount};
use crate::money::Money;
use crate::passenger::Passenger;
use crate::payment::PaymentMethod;
use crate::reason::{Declined, Reason, Unavailable};
use crate::time::Timestamp;
use crate::topic::Topic;

/// A message of one topic: a command or an update. Serialized as `{"type": name, "data": {…}}`,
/// which an event wraps in its CloudEvent.
pub trait Message: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The topic it travels in.
    const TOPIC: Topic;
    /// The command's or update's name, `reserve`.
    fn name(&self) -> &'static str;
    /// Its sender, as a CloudEvents source.
    fn source(&self) -> &'static str;
    /// Distinguishes it from the order's other messages; the second half of the event's id.
    fn step(&self) -> &'static str {
        self.name()
    }
}

/// What an event says of its message beside the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// The topic it travels in.
    pub topic: Topic,
    /// [`Message::name`].
    pub name: &'static str,
    /// [`Message::source`].
    pub source: &'static str,
    /// [`Message::step`].
    pub step: &'static str,
}

/// What an event can carry: a message of one topic, or of any ([`AnyMessage`](crate::topic::AnyMessage)).
pub trait Payload: Serialize {
    /// What the event says of it.
    fn label(&self) -> Label;
}

impl<M: Message> Payload for M {
    fn label(&self) -> Label {
        Label { topic: M::TOPIC, name: self.name(), source: self.source(), step: self.step() }
    }
}

const BOOKING_GATEWAY: &str = Topic::OrderUpdates.consumer();
const TICKET_SERVICE: &str = Topic::Tickets.consumer();
const BILLING_SERVICE: &str = Topic::Billing.consumer();

/// To the Ticket Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum TicketCommand {
    /// Hold these seats. Answered `tickets_reserved`, `tickets_unavailable` or, if the order was
    /// released first, `tickets_released`.
    Reserve {
        /// The flight.
        flight_id: FlightId,
        /// How many of its seats.
        seats: SeatCount,
        /// What they cost in all, if the customer has said so: for another amount none are held.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected_amount: Option<Money>,
    },
    /// Release the seats, or make sure that none will be held. Answered `tickets_released`, or
    /// `tickets_unavailable` where they were refused.
    Release {
        /// The flight that was asked for. The record says which seats are released.
        flight_id: FlightId,
    },
}

impl TicketCommand {
    /// The flight it is about.
    pub fn flight_id(&self) -> &FlightId {
        match self {
            TicketCommand::Reserve { flight_id, .. } | TicketCommand::Release { flight_id } => flight_id,
        }
    }
}

impl Message for TicketCommand {
    const TOPIC: Topic = Topic::Tickets;

    fn name(&self) -> &'static str {
        match self {
            TicketCommand::Reserve { .. } => "reserve",
            TicketCommand::Release { .. } => "release",
        }
    }

    fn source(&self) -> &'static str {
        BOOKING_GATEWAY
    }
}

/// To the Billing Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum BillingCommand {
    /// Capture this amount once. Answered `payment_captured`, `payment_declined` or, if the order
    /// was reversed first, `payment_reversed`.
    Charge {
        /// What is due.
        amount: Money,
        /// What it is paid with.
        payment_method: PaymentMethod,
        /// Past this moment nothing new is captured.
        not_after: Timestamp,
    },
    /// Reverse the charge, or make sure that there will be none. Answered `payment_reversed`, or
    /// `payment_declined` where nothing was captured.
    Reverse,
}

impl Message for BillingCommand {
    const TOPIC: Topic = Topic::Billing;

    fn name(&self) -> &'static str {
        match self {
            BillingCommand::Charge { .. } => "charge",
            BillingCommand::Reverse => "reverse",
        }
    }

    fn source(&self) -> &'static str {
        BOOKING_GATEWAY
    }
}

/// To the Email Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum EmailCommand {
    /// Mail the customer. Not answered.
    Send(Notice),
}

/// The content of a mail: how which order ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// How the order ended.
    pub outcome: NoticeOutcome,
    /// Why, where it did not end in a ticket.
    pub reason: Option<Reason>,
    /// To whom.
    pub passenger: Passenger,
    /// The flight that was booked.
    pub flight_id: FlightId,
    /// How many seats.
    pub seats: SeatCount,
    /// What they cost, once they were held.
    pub amount: Option<Money>,
    /// When the flight leaves, once seats were held.
    pub departs_at: Option<Timestamp>,
    /// Between which places, once seats were held. Senders of before do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
}

/// The ends of an order that the customer is mailed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeOutcome {
    /// Paid, and the seats are the customer's.
    Confirmed,
    /// No tickets.
    Rejected,
    /// The card was refused.
    PaymentDeclined,
    /// By the customer or by the deadline.
    Cancelled,
}

impl NoticeOutcome {
    /// Its place in the order's life. Once a later step was mailed, an earlier one is not:
    /// no customer reads "confirmed" after "cancelled".
    pub fn step(self) -> u8 {
        match self {
            NoticeOutcome::Confirmed => 1,
            NoticeOutcome::Rejected | NoticeOutcome::PaymentDeclined | NoticeOutcome::Cancelled => 2,
        }
    }
}

impl Message for EmailCommand {
    const TOPIC: Topic = Topic::Email;

    fn name(&self) -> &'static str {
        "send"
    }

    fn source(&self) -> &'static str {
        BOOKING_GATEWAY
    }

    fn step(&self) -> &'static str {
        let EmailCommand::Send(notice) = self;
        match notice.outcome {
            NoticeOutcome::Confirmed => "send-confirmed",
            NoticeOutcome::Rejected => "send-rejected",
            NoticeOutcome::PaymentDeclined => "send-payment-declined",
            NoticeOutcome::Cancelled => "send-cancelled",
        }
    }
}

/// To the Booking Gateway: what the services answer, and the deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum OrderUpdate {
    /// The seats are held.
    TicketsReserved {
        /// Price × seats.
        amount: Money,
        /// When the flight leaves.
        departs_at: Timestamp,
        /// Between which places. Senders of before, and records of before, do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        route: Option<Route>,
    },
    /// No seats are held, and none will be.
    TicketsUnavailable {
        /// Why.
        reason: Unavailable,
    },
    /// No seats are held any more, and none will be.
    TicketsReleased,
    /// The money was taken.
    PaymentCaptured,
    /// No money was taken, and none will be.
    PaymentDeclined {
        /// Why.
        reason: Declined,
    },
    /// No money is held any more, and none will be.
    PaymentReversed {
        /// The refunded amount; none if nothing was captured.
        refunded: Option<Money>,
    },
    /// The reconciler found the order unfinished an hour past its deadline.
    DeadlinePassed,
}

impl Message for OrderUpdate {
    const TOPIC: Topic = Topic::OrderUpdates;

    fn name(&self) -> &'static str {
        match self {
            OrderUpdate::TicketsReserved { .. } => "tickets_reserved",
            OrderUpdate::TicketsUnavailable { .. } => "tickets_unavailable",
            OrderUpdate::TicketsReleased => "tickets_released",
            OrderUpdate::PaymentCaptured => "payment_captured",
            OrderUpdate::PaymentDeclined { .. } => "payment_declined",
            OrderUpdate::PaymentReversed { .. } => "payment_reversed",
            OrderUpdate::DeadlinePassed => "deadline_passed",
        }
    }

    fn source(&self) -> &'static str {
        match self {
            OrderUpdate::TicketsReserved { .. }
            | OrderUpdate::TicketsUnavailable { .. }
            | OrderUpdate::TicketsReleased => TICKET_SERVICE,
            OrderUpdate::PaymentCaptured
            | OrderUpdate::PaymentDeclined { .. }
            | OrderUpdate::PaymentReversed { .. } => BILLING_SERVICE,
            OrderUpdate::DeadlinePassed => BOOKING_GATEWAY,
        }
    }
}
