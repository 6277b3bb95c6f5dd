//! Accepting orders.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use messaging::entropy::Entropy;
use messaging::metrics;
use messaging::store::StoreError;
use protocol::event::TraceParent;
use protocol::ids::OrderId;
use sha2::Sha256;
use tracing::info;

use crate::gateway::Gateway;
use crate::idempotency::IdempotencyKey;
use crate::order::{ACCEPTED, Order, Request};
use crate::store::Created;

/// Accepts orders for a gateway. Only it knows the deployment's secret.
#[derive(Clone)]
pub struct Acceptor {
    /// Where the orders go on.
    pub gateway: Gateway,
    /// Its randomness, which ids are made of.
    pub entropy: Arc<dyn Entropy>,
    /// The deployment's secret, which ids are derived from idempotency keys with.
    pub secret: Secret,
}

/// A secret of at least 32 bytes. `Debug` hides it.
#[derive(Clone)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// Takes 32 bytes or more.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= 32).then(|| Self(bytes.into()))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What became of a `POST`.
#[derive(Debug)]
pub enum Acceptance {
    /// The order is accepted, now or under the same key before.
    Accepted(Box<Order>),
    /// The key was used for another request.
    KeyReused,
}

impl Acceptor {
    /// Accepts a request: one write, one send. Under a key that was used before, the answer is
    /// the order as it is now, and its command is sent again, until the order has moved on or was checked.
    ///
    /// **Crash contract:** before the write nothing was accepted, and the customer has no answer.
    /// From the write on the order ends in a correct state, even if the send fails.
    pub async fn accept(
        &self,
        request: Request,
        key: Option<&IdempotencyKey>,
        traceparent: Option<TraceParent>,
    ) -> Result<Acceptance, StoreError> {
        let gateway = &self.gateway;
        let id = match key {
            Some(key) => self.id_under(key),
            None => self.entropy.order_id(),
        };
        let traceparent = traceparent.unwrap_or_else(|| self.entropy.traceparent());
        let new = Order::accept(id, request, traceparent, gateway.clock.now(), gateway.deadlines.deadline);
        let order = match gateway.orders.create(&new).await? {
            Created::Created => {
                let order = &new.request;
                metrics::count(metrics::ACCEPTED, 1, None);
                info!(order_id = %id, "order {id}: accepted, {} × {}", order.seats.get(), order.flight_id);
                Box::new(new)
            }
            // Without a key this is the order itself, stored by a write whose reply was lost.
            Created::Exists(order) if order.request != new.request => {
                return Ok(Acceptance::KeyReused);
            }
            Created::Exists(order) => order,
        };
        if order.awaits_first_check_since(ACCEPTED) {
            gateway.send_within_a_second(&order, gateway.commands(&order)).await;
        }
        Ok(Acceptance::Accepted(order))
    }

    /// One key, one id: the store's condition on the id makes concurrent twins one order, and the
    /// key lives as long as its order. Keyed, so that no customer can compute another's id.
    fn id_under(&self, key: &IdempotencyKey) -> OrderId {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret.0).expect("a key of any length");
        mac.update(key.as_str().as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        OrderId::from_bytes(bytes)
    }
}
