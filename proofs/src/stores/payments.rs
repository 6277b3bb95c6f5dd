//! The Billing Service's records.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use billing_service::payment::Payment;
use billing_service::store::{Begun, PaymentStore};
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::topic::Topic;
use testkit::dynamodb;

use super::Intercepted;
use crate::memory::Memory;
use crate::memory::contents::{LateRequest, OpenedPayment, Stored};
use crate::port_call::{PortCall, port_calls};
use crate::simulation::task::intercept;
use crate::stores::Contents;

/// The topic of the service that owns it.
pub const OWNER: Topic = Topic::Billing;

port_calls! {
    order_path {
        PAYMENT_STORE_FIND = PaymentStore::find, Reads;
        PAYMENT_STORE_BEGIN = PaymentStore::begin, Writes;
        PAYMENT_STORE_REPLACE = PaymentStore::replace, Writes;
    }
    elsewhere {
        PAYMENT_STORE_NOTE_REFUSAL = PaymentStore::note_refusal, Writes;
        PAYMENT_STORE_REFUSAL = PaymentStore::refusal, Reads;
    }
}

/// The Billing Service's records; the provider's books count among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Records {
    /// The payments.
    pub by_order: BTreeMap<OrderId, Stored<Payment>>,
    /// Why the provider refuses what they intend.
    pub refused: BTreeMap<OrderId, String>,
    /// The provider's own books, oldest payment first.
    pub ledger: Vec<OpenedPayment>,
    /// Requests to the provider whose callers have stopped waiting, and that will still land.
    pub late: Vec<LateRequest>,
}

/// The store of AWS, with a table of its own.
pub async fn on_dynamodb(client: &Client) -> Arc<dyn PaymentStore> {
    let table = dynamodb::table(client, "PaymentsTable").await;
    Arc::new(billing_service_lambda::dynamodb::DynamoPayments { client: client.clone(), table })
}

#[async_trait]
impl PaymentStore for Memory {
    async fn find(&self, order: OrderId) -> Result<Option<Payment>, StoreError> {
        self.read(PortCall::PAYMENT_STORE_FIND, |contents| {
            contents.payments.by_order.get(&order).map(|payment| (**payment).clone())
        })
        .await
    }

    async fn begin(&self, order: OrderId, payment: &Payment) -> Result<Begun, StoreError> {
        self.write(PortCall::PAYMENT_STORE_BEGIN, |contents| {
            if let Some(existing) = contents.payments.by_order.get(&order) {
                return Begun::Exists((**existing).clone());
            }
            contents.payments.by_order.insert(order, Stored::new(payment.clone()));
            Begun::Begun
        })
        .await
    }

    async fn replace(&self, order: OrderId, from: &Payment, to: &Payment) -> Result<Payment, StoreError> {
        // `from` stands, or another has replaced it: a record is never deleted.
        self.write(PortCall::PAYMENT_STORE_REPLACE, |contents| {
            let stands = contents.payments.by_order.entry(order).or_insert_with(|| Stored::new(from.clone()));
            if **stands == *from {
                *stands = Stored::new(to.clone());
                contents.payments.refused.remove(&order);
            }
            (**stands).clone()
        })
        .await
    }

    async fn note_refusal(&self, order: OrderId, reason: &str) -> Result<(), StoreError> {
        self.write(PortCall::PAYMENT_STORE_NOTE_REFUSAL, |contents| {
            if contents.payments.by_order.contains_key(&order) {
                contents.payments.refused.insert(order, reason.to_owned());
            }
        })
        .await
    }

    async fn refusal(&self, order: OrderId) -> Result<Option<String>, StoreError> {
        let find = |contents: &Contents| contents.payments.refused.get(&order).cloned();
        self.read(PortCall::PAYMENT_STORE_REFUSAL, find).await
    }
}

#[async_trait]
impl PaymentStore for Intercepted<dyn PaymentStore> {
    async fn find(&self, order: OrderId) -> Result<Option<Payment>, StoreError> {
        intercept(PortCall::PAYMENT_STORE_FIND, self.0.find(order)).await
    }

    async fn begin(&self, order: OrderId, payment: &Payment) -> Result<Begun, StoreError> {
        intercept(PortCall::PAYMENT_STORE_BEGIN, self.0.begin(order, payment)).await
    }

    async fn replace(&self, order: OrderId, from: &Payment, to: &Payment) -> Result<Payment, StoreError> {
        intercept(PortCall::PAYMENT_STORE_REPLACE, self.0.replace(order, from, to)).await
    }

    async fn note_refusal(&self, order: OrderId, reason: &str) -> Result<(), StoreError> {
        intercept(PortCall::PAYMENT_STORE_NOTE_REFUSAL, self.0.note_refusal(order, reason)).await
    }

    async fn refusal(&self, order: OrderId) -> Result<Option<String>, StoreError> {
        intercept(PortCall::PAYMENT_STORE_REFUSAL, self.0.refusal(order)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores::tests::{in_memory, on_sqlite};

    mod memory {
        use super::*;

        async fn fresh() -> (Arc<dyn PaymentStore>, ()) {
            (in_memory().payments, ())
        }

        billing_service_contract::payment_store_contract!(fresh);
    }

    mod sqlite {
        use super::*;

        async fn fresh() -> (Arc<dyn PaymentStore>, tempfile::TempDir) {
            let (stores, directory) = on_sqlite();
            (stores.payments, directory)
        }

        billing_service_contract::payment_store_contract!(fresh);
    }
}
