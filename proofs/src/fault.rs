//! What goes wrong with a call of a port. The fault matrix, the schedules and the model use this one
//! vocabulary, and the rules here say which fault fits which call.

use std::fmt;

use billing_service::provider::ProviderError;
use email_service::mailer::MailerError;
use messaging::store::StoreError;

use crate::port_call::{Access, PortCall};

/// Declares [`Fault`], so that a new one cannot be missing in [`Fault::ALL`].
macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $fault:ident,)+) => {
        /// What becomes of a call that does not go well.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[doc = $doc])+ $fault,)+
        }

        impl Fault {
            /// All of them. A seed draws from them in this order: another order makes another
            /// schedule of the same seed.
            pub const ALL: &[Fault] = &[$(Fault::$fault,)+];
        }
    };
}

faults! {
    /// It fails, and nothing was done.
    FailsBefore,
    /// It is done, and the reply is lost.
    ReplyLost,
    /// The process dies before it is done.
    DiesBefore,
    /// It is done, and the process dies before it knows.
    DiesAfter,
    /// Of several messages the first is sent and the others are not.
    SentInPart,
    /// Of several messages the first is sent, then the process dies.
    DiesInPart,
    /// The reply is an error, and the request lands at the provider some time later.
    LandsLater,
    /// The provider has forgotten the order's idempotency key, and opens a second payment.
    KeyForgotten,
}

impl Fault {
    /// Whether it can happen to that call, which sends that many messages (0 for other ports).
    pub fn fits(self, call: PortCall, messages: usize) -> bool {
        match self {
            Fault::FailsBefore | Fault::ReplyLost | Fault::DiesBefore | Fault::DiesAfter => true,
            Fault::SentInPart | Fault::DiesInPart => call == PortCall::TOPICS_SEND && messages > 1,
            Fault::LandsLater => call.moves_money(),
            Fault::KeyForgotten => call == PortCall::PROVIDER_OPEN,
        }
    }

    /// The simplest fault that leaves the same behind: a read whose reply is lost is a read that
    /// failed.
    pub fn simplest(self, call: PortCall) -> Fault {
        match (self, call.access()) {
            (Fault::ReplyLost, Access::Reads) => Fault::FailsBefore,
            _ => self,
        }
    }

    /// Whether the process does not survive it.
    pub fn is_deadly(self) -> bool {
        matches!(self, Fault::DiesBefore | Fault::DiesAfter | Fault::DiesInPart)
    }
}

/// What the caller knows of a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallFailure {
    /// Nothing was done.
    Refused,
    /// It may or may not have been done.
    Unknown,
}

/// A call without a result. Each port has its own error; this is turned into it.
#[derive(Clone, Copy, Debug)]
pub struct CallError {
    /// The call.
    pub call: PortCall,
    /// What is known of it.
    pub failure: CallFailure,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, failure } = self;
        match failure {
            CallFailure::Refused => write!(f, "{call} did nothing"),
            CallFailure::Unknown => write!(f, "{call} may have been done"),
        }
    }
}

impl From<CallError> for StoreError {
    fn from(error: CallError) -> Self {
        StoreError::unavailable(error)
    }
}

impl From<CallError> for ProviderError {
    fn from(error: CallError) -> Self {
        match error.failure {
            CallFailure::Refused => ProviderError::Unavailable(error.to_string()),
            CallFailure::Unknown => ProviderError::Unknown(error.to_string()),
        }
    }
}

impl From<CallError> for MailerError {
    fn from(error: CallError) -> Self {
        MailerError::Unavailable(error.to_string())
    }
}
