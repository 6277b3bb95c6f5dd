//! Accepting orders.

use std::sync::Arc;
use std::time::Duration;

use messaging::entropy::Entropy;
use messaging::metrics;
use messaging::store::StoreError;
use protocol::event::TraceParent;
use protocol::ids::OrderId;
use protocol::manage::ManageSecrets;
use protocol::passenger::EmailAddress;
use protocol::secret::Secret;
use tracing::{info, warn};

use crate::gateway::Gateway;
use crate::idempotency::{IdempotencyKey, RequestDigest};
use crate::limits::{Admission, Client, Limiter, PATIENCE};
use crate::order::{ACCEPTED, Order, Request};
use crate::store::Created;

/// Accepts orders for a gateway. Only it knows the deployment's id secret.
#[derive(Clone)]
pub struct Acceptor {
    /// Where the orders go on.
    pub gateway: Gateway,
    /// Its randomness, which ids are made of.
    pub entropy: Arc<dyn Entropy>,
    /// What ids are derived from idempotency keys with, and requests compared. Never rotated.
    pub id_secret: Secret,
    /// What the customers' keys to their bookings are derived with.
    pub manage: ManageSecrets,
    /// Counts the orders of each client, if there are limits.
    pub limiter: Option<Arc<dyn Limiter>>,
}

/// What became of a `POST`.
#[derive(Debug)]
pub enum Acceptance {
    /// The order is accepted, now or under the same key before.
    Accepted(Box<Order>),
    /// The key was used for another request.
    KeyReused,
    /// The client has placed too many orders. It may again after that time.
    Limited(Duration),
}

impl Acceptor {
    /// Accepts a request: one write, one send, and one count where a client is limited. Under a key that was used
    /// before, the answer is the order as it is now, also beyond the limit, and its command is sent again, until the
    /// order has moved on or was checked.
    ///
    /// **Crash contract:** before the write nothing was accepted, and the customer has no answer.
    /// From the write on the order ends in a correct state, even if the send fails.
    pub async fn accept(
        &self,
        request: Request,
        key: Option<&IdempotencyKey>,
        traceparent: Option<TraceParent>,
        client: Option<Client>,
    ) -> Result<Acceptance, StoreError> {
        let gateway = &self.gateway;
        let id = match key {
            Some(key) => self.id_under(key),
            None => self.entropy.order_id_at(gateway.clock.now()),
        };
        let traceparent = traceparent.unwrap_or_else(|| self.entropy.traceparent());
        let digest = RequestDigest::of(id, &request, &self.id_secret);
        let new = Order::accept(id, request, traceparent, gateway.clock.now(), gateway.deadlines.deadline);
        let new = Order { digest: Some(digest), ..new };
        let limited = self.limited(client, &new.request.passenger.email).await;
        let created = match (limited, key) {
            (None, _) => gateway.orders.create(&new).await?,
            (Some(wait), None) => return Ok(Acceptance::Limited(wait)),
            // It may be an order that was placed before, whose answer was lost.
            (Some(wait), Some(_)) => match gateway.orders.get(id).await? {
                Some(order) => Created::Exists(Box::new(order)),
                None => return Ok(Acceptance::Limited(wait)),
            },
        };
        let order = match created {
            Created::Created => {
                let order = &new.request;
                metrics::count(metrics::ACCEPTED, 1, None);
                info!(order_id = %id, "order {id}: accepted, {} × {}", order.seats.get(), order.flight_id);
                Box::new(new)
            }
            // Without a key this is the order itself, stored by a write whose reply was lost.
            Created::Exists(order) if !order.was_asked_for_by(&new) => return Ok(Acceptance::KeyReused),
            Created::Exists(order) => order,
        };
        if order.awaits_first_check_since(ACCEPTED) {
            gateway.send_within_a_second(&order, gateway.commands(&order)).await;
        }
        Ok(Acceptance::Accepted(order))
    }

    /// How long the client must wait, if it must.
    async fn limited(&self, client: Option<Client>, email: &EmailAddress) -> Option<Duration> {
        let (limiter, client) = self.limiter.as_ref().zip(client)?;
        match tokio::time::timeout(PATIENCE, limiter.admit(client, email)).await {
            Ok(Ok(Admission::Admitted)) => None,
            Ok(Ok(Admission::Limited(wait))) => {
                metrics::count(metrics::LIMITED, 1, None);
                Some(wait)
            }
            Ok(Err(error)) => {
                warn!(%error, "an order could not be counted, and is admitted");
                None
            }
            Err(_) => {
                warn!("an order was not counted in time, and is admitted");
                None
            }
        }
    }

    /// One key, one id: the store's condition on the id makes concurrent twins one order, and the
    /// key lives as long as its order. Keyed, so that no customer can compute another's id. A key that is a UUIDv7 lends
    /// the id its time.
    fn id_under(&self, key: &IdempotencyKey) -> OrderId {
        let tag = self.id_secret.tag(&[key.as_str().as_bytes()]);
        match (key.time(), tag) {
            (Some(time), [bytes @ .., _, _, _, _, _, _]) => OrderId::at(time, bytes),
            (None, _) => OrderId::from_bytes(tag),
        }
    }
}
