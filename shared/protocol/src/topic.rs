//! The topics: the one table that everything about them derives from.
//!
//! A topic is one queue with one consumer, and a dead-letter queue beside it. Its name, its messages, who
//! consumes it, the variables that tell a function where its queues are, and the logical ids of
//! template.yaml all come from its row here. A row that is added and forgotten somewhere does not compile
//! (what is done for a topic is a `match`) or fails a test that names it (`localstack/tests/template.rs`,
//! `tests/wire.rs`).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Invalid;
use crate::event::{DecodeError, Event};
use crate::messages::{self, Label, Payload};

macro_rules! topics {
    ($($(#[doc = $doc:literal])+ $topic:ident: $name:literal of $message:ty, consumed by $consumer:literal, switched as $switch:literal, awaited: $awaited:literal;)+) => {
        /// A topic.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum Topic {
            $($(#[doc = $doc])+ $topic,)+
        }

        impl Topic {
            /// How many there are.
            pub const COUNT: usize = [$(Topic::$topic),+].len();

            /// All of them, in the order a booking first meets them.
            pub const ALL: [Topic; Topic::COUNT] = [$(Topic::$topic),+];

            /// The topic's name, `order-updates`.
            pub const fn name(self) -> &'static str {
                match self { $(Topic::$topic => $name,)+ }
            }

            /// The name of its dead-letter queue, `order-updates-dlq`.
            pub const fn dead_letter_name(self) -> &'static str {
                match self { $(Topic::$topic => concat!($name, "-dlq"),)+ }
            }

            /// The service that consumes it, as a CloudEvents source: `/booking-gateway`.
            pub const fn consumer(self) -> &'static str {
                match self { $(Topic::$topic => concat!("/", $consumer),)+ }
            }

            /// What its consumer alone is called where it can be stopped: `ticket-service`. The gateway
            /// does more than consume `order-updates`, so there it is the topic's name.
            pub const fn switch(self) -> &'static str {
                match self { $(Topic::$topic => $switch,)+ }
            }

            /// Whether an order that has a message in it may be unsettled. No order waits for a mail.
            pub const fn is_awaited(self) -> bool {
                match self { $(Topic::$topic => $awaited,)+ }
            }

            /// How the logical ids of its resources begin: `OrderUpdates` in `OrderUpdatesQueue`.
            pub const fn logical_id(self) -> &'static str {
                match self { $(Topic::$topic => stringify!($topic),)+ }
            }
        }

        /// A message of any topic. As JSON, and in an event, it is the message itself.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum AnyMessage {
            $($(#[doc = $doc])+ $topic($message),)+
        }

        impl AnyMessage {
            /// Reads an event of that topic.
            ///
            /// # Errors
            /// Tells the operator why the body cannot be read.
            pub fn decode(topic: Topic, body: &str) -> Result<Event<AnyMessage>, DecodeError> {
                match topic { $(Topic::$topic => Event::<$message>::decode(body).map(|event| event.map(Self::$topic)),)+ }
            }
        }

        impl Payload for AnyMessage {
            fn label(&self) -> Label {
                match self { $(AnyMessage::$topic(message) => message.label(),)+ }
            }
        }

        $(impl From<$message> for AnyMessage {
            fn from(message: $message) -> Self {
                AnyMessage::$topic(message)
            }
        })+

        const MUST_BE: Invalid = Invalid(concat!("must be a topic:" $(, " ", $name)+));
    };
}

topics! {
    /// Commands to the Ticket Service.
    Tickets: "tickets" of messages::TicketCommand, consumed by "ticket-service", switched as "ticket-service", awaited: true;
    /// Updates for the Booking Gateway.
    OrderUpdates: "order-updates" of messages::OrderUpdate, consumed by "booking-gateway", switched as "order-updates", awaited: true;
    /// Commands to the Billing Service.
    Billing: "billing" of messages::BillingCommand, consumed by "billing-service", switched as "billing-service", awaited: true;
    /// Commands to the Email Service.
    Email: "email" of messages::EmailCommand, consumed by "email-service", switched as "email-service", awaited: false;
}

impl Topic {
    /// The logical id of its queue in template.yaml, `OrderUpdatesQueue`.
    pub fn queue(self) -> String {
        format!("{}Queue", self.logical_id())
    }

    /// The logical id of its dead-letter queue in template.yaml, `OrderUpdatesDeadLetterQueue`.
    pub fn dead_letter_queue(self) -> String {
        format!("{}DeadLetterQueue", self.logical_id())
    }

    /// The variable that tells a function the URL of its queue, `ORDER_UPDATES_QUEUE_URL`.
    pub fn queue_variable(self) -> String {
        format!("{}_QUEUE_URL", self.variable())
    }

    /// The variable that tells a function the URL of its dead-letter queue, `ORDER_UPDATES_DLQ_URL`.
    pub fn dead_letter_queue_variable(self) -> String {
        format!("{}_DLQ_URL", self.variable())
    }

    /// Whether its messages are commands. An order that waits sends them again, and the updates answer them.
    pub const fn carries_commands(self) -> bool {
        !matches!(self, Topic::OrderUpdates)
    }

    fn variable(self) -> String {
        self.name().replace('-', "_").to_ascii_uppercase()
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Topic {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        Topic::ALL.into_iter().find(|topic| topic.name() == name).ok_or(MUST_BE)
    }
}

impl TryFrom<String> for Topic {
    type Error = Invalid;

    fn try_from(name: String) -> Result<Self, Invalid> {
        name.parse()
    }
}

impl From<Topic> for String {
    fn from(topic: Topic) -> String {
        topic.name().to_owned()
    }
}
