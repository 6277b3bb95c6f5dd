//! Auditing what changed alone.

use std::collections::BTreeSet;

use async_trait::async_trait;
use messaging::store::StoreError;
use protocol::ids::OrderId;

use crate::audit::Tally;

/// A platform that knows which orders change.
///
/// An order changes by every write of this process that the audit can see: to a record of a service or the provider's
/// ledger, a message, a dead letter. Who writes behind its back is found by [`Watched::audit_all`] alone.
///
/// **Contract:** each call looks at one moment, after it was called: orders, flights, topics and all are read as they were
/// then. Every change before the moment of an `audit_changed` is told by that call, or was told by one before; each is told
/// once. **Crash contract:** what changed is in memory alone. A process begins with a full audit.
#[async_trait]
pub trait Watched: Send + Sync {
    /// Audits every order and flight into a new tally. It tells no changes, and takes none from `audit_changed`.
    ///
    /// # Errors
    /// Something cannot be read, or the platform stops.
    async fn audit_all(&self) -> Result<Tally, StoreError>;

    /// Audits the orders that changed since the call before, those that are due, and `also`, into a tally of an earlier
    /// moment; and every flight.
    ///
    /// # Errors
    /// Something cannot be read. The changes are lost, as with [`Changed::TooMany`].
    async fn audit_changed(&self, tally: Tally, also: BTreeSet<OrderId>) -> Result<Changed, StoreError>;
}

/// What changed.
#[derive(Debug)]
pub enum Changed {
    /// These orders, and all that was audited is in the tally.
    These(Box<Tally>, BTreeSet<OrderId>),
    /// More than are kept. Nothing was audited, and what changed before this call is not told any more: a full audit that
    /// begins after it is needed.
    TooMany,
}
