//! The simulated provider's rules, by the names of Stripe's test cards. Pure: each platform keeps
//! the ledger its own way.

use protocol::money::Money;
use protocol::payment::PaymentMethod;
use serde::{Deserialize, Serialize};

use crate::provider::{Captured, PaymentStatus, Voided};

/// Stripe's test payment methods that pay. Every other is declined, as
/// `pm_card_chargeDeclined` is. <https://docs.stripe.com/testing>
const PAY: [&str; 9] = [
    "pm_card_visa",
    "pm_card_visa_debit",
    "pm_card_mastercard",
    "pm_card_mastercard_debit",
    "pm_card_amex",
    "pm_card_discover",
    "pm_card_diners",
    "pm_card_jcb",
    "pm_card_unionpay",
];

/// How the simulated provider's names of payments begin.
pub const SIMULATED: &str = "sim_";

/// One payment in the provider's own books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What is asked for.
    pub amount: Money,
    /// Whether the card pays.
    pub pays: bool,
    /// How it stands.
    pub stage: Stage,
}

/// How a payment stands in the provider's books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Nothing was taken.
    Open,
    /// The card was refused.
    Declined,
    /// The money was taken.
    Captured,
    /// Closed, with nothing taken.
    Voided,
    /// Captured and refunded.
    Refunded,
}

impl Account {
    /// A new, open payment.
    pub fn open(amount: Money, method: &PaymentMethod) -> Self {
        Self { amount, pays: PAY.contains(&method.as_str()), stage: Stage::Open }
    }

    /// A new payment of a provider that looks at the card first: closed at once if the card will be refused, so that no
    /// seats wait for a capture and a void.
    pub fn open_if_it_pays(amount: Money, method: &PaymentMethod) -> Self {
        let account = Self::open(amount, method);
        let stage = if account.pays { Stage::Open } else { Stage::Voided };
        Self { stage, ..account }
    }

    /// What was taken so far, in minor units; a refund does not reduce it.
    pub fn captured(&self) -> u64 {
        if matches!(self.stage, Stage::Captured | Stage::Refunded) { self.amount.value } else { 0 }
    }

    /// What was refunded, in minor units.
    pub fn refunded(&self) -> u64 {
        if self.stage == Stage::Refunded { self.amount.value } else { 0 }
    }

    /// Takes the money, unless it was taken or the payment closed before.
    pub fn capture(&mut self) -> Captured {
        match self.stage {
            Stage::Open | Stage::Declined if self.pays => {
                self.stage = Stage::Captured;
                Captured::Captured
            }
            Stage::Open | Stage::Declined => {
                self.stage = Stage::Declined;
                Captured::Declined
            }
            Stage::Captured | Stage::Refunded => Captured::Captured,
            Stage::Voided => Captured::Voided,
        }
    }

    /// How it stands.
    pub fn status(&self) -> PaymentStatus {
        match self.stage {
            Stage::Open => PaymentStatus::Open,
            Stage::Declined => PaymentStatus::Declined,
            Stage::Captured => PaymentStatus::Captured,
            Stage::Voided => PaymentStatus::Voided,
            Stage::Refunded => PaymentStatus::Refunded(self.amount.clone()),
        }
    }

    /// Closes it, unless money was taken.
    pub fn void(&mut self) -> Voided {
        match self.stage {
            Stage::Open | Stage::Declined | Stage::Voided => {
                self.stage = Stage::Voided;
                Voided::Voided
            }
            Stage::Captured | Stage::Refunded => Voided::AlreadyCaptured,
        }
    }

    /// Refunds what was captured, once; `None` where nothing was.
    pub fn refund(&mut self) -> Option<Money> {
        if !matches!(self.stage, Stage::Captured | Stage::Refunded) {
            return None;
        }
        self.stage = Stage::Refunded;
        Some(self.amount.clone())
    }
}
