//! A payment: what is recorded about the money of one order. Never deleted, as reservations are.

use protocol::money::Money;
use protocol::reason::Declined;
use serde::{Deserialize, Serialize};

use crate::provider::{PaymentRef, ProviderName};
use crate::simulated::SIMULATED;

/// The record of one order.
///
/// ```text
/// (none) ──▶ Charging ──▶ Captured ──▶ Reversing ──▶ Reversed
///    │          ├──▶ Declined              ▲
///    │          └──────────────────────────┘
///    ├──▶ Declined (the charge came after the deadline)
///    └──▶ Reversed (a tombstone: a late charge finds it and takes nothing)
/// ```
/// `Declined` and `Reversed` are final. `Charging` and `Reversing` are written before the provider
/// is asked to move or to return money, and are left only on its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Payment {
    /// A payment is open at the provider, and may be captured at any moment.
    Charging(Intent),
    /// The money was taken.
    Captured(Intent),
    /// No money was taken, and none can be: nothing is open at the provider.
    Declined {
        /// Why.
        reason: Declined,
    },
    /// The payment is being undone: voided, or refunded if it was captured.
    Reversing(Intent),
    /// No money is held, and none can be: nothing is open at the provider.
    Reversed {
        /// The refunded amount; none if nothing was captured.
        refunded: Option<Money>,
    },
}

impl Payment {
    /// The provider that has it, while it is open or its money is held.
    pub fn provider(&self) -> Option<&ProviderName> {
        match self {
            Payment::Charging(intent) | Payment::Captured(intent) | Payment::Reversing(intent) => {
                Some(&intent.provider)
            }
            Payment::Declined { .. } | Payment::Reversed { .. } => None,
        }
    }
}

/// A payment that is open at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The provider that it was opened with, and that alone can finish it.
    pub provider: ProviderName,
    /// The provider's name for it: the identity under which everything about it is asked.
    pub reference: PaymentRef,
    /// What is due.
    pub amount: Money,
}

/// The provider of a record that was written before records named it: the simulated provider's
/// references began with `sim_`, and the only other provider was Stripe.
pub fn provider_by_reference(reference: &str) -> ProviderName {
    if reference.starts_with(SIMULATED) { ProviderName::SIMULATED } else { ProviderName::STRIPE }
}
