//! The payment provider, as an operator sees it.

use async_trait::async_trait;
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::money::Currency;
use serde::{Deserialize, Serialize};

use super::{Page, PageError, Paged};

/// The payment provider that new orders are charged with.
#[derive(Clone, Copy)]
pub enum Provider<'a> {
    /// The simulated one, which can be broken, and has its ledger here.
    Simulated(&'a dyn SimulatedProvider),
    /// The simulated one, on a platform where it cannot be broken.
    Unbreakable,
    /// Stripe, which keeps its own books.
    Stripe,
}

/// What the simulated payment provider can do beyond a provider's port.
#[async_trait]
pub trait SimulatedProvider: Send + Sync {
    /// Its mode.
    fn mode(&self) -> ProviderMode;

    /// Sets its mode.
    async fn set_mode(&self, mode: ProviderMode) -> Result<(), StoreError>;

    /// Its ledger, newest payment first.
    async fn ledger(&self, page: &Page) -> Result<Paged<LedgerEntry>, PageError>;
}

/// How the simulated provider behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderMode {
    /// Works.
    Up,
    /// Refuses every call before doing anything, as with a 503.
    Unavailable,
    /// Does the work, but the reply is lost after 2 s; only `retrieve` answers.
    Timeout,
    /// Takes 2 s a call.
    Slow,
}

/// The simulated provider's ledger entry of one booking, in minor units.
#[derive(Clone, Debug, Serialize)]
pub struct LedgerEntry {
    /// The order that was paid for.
    pub booking_id: OrderId,
    /// The sum of all captures.
    pub captured: u64,
    /// All that was ever refunded.
    pub refunded: u64,
    /// The currency of both.
    pub currency: Currency,
}
