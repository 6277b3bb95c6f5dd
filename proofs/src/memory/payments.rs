//! The Billing Service's records.

use async_trait::async_trait;
use billing_service::payment::Payment;
use billing_service::store::{Begun, PaymentStore};
use messaging::store::StoreError;
use protocol::ids::OrderId;

use super::Memory;
use super::contents::Stored;
use crate::port_call::PortCall;

#[async_trait]
impl PaymentStore for Memory {
    async fn find(&self, order: OrderId) -> Result<Option<Payment>, StoreError> {
        self.read(PortCall::PaymentStoreFind, |contents| {
            contents.payments.get(&order).map(|payment| (**payment).clone())
        })
        .await
    }

    async fn begin(&self, order: OrderId, payment: &Payment) -> Result<Begun, StoreError> {
        self.write(PortCall::PaymentStoreBegin, |contents| {
            if let Some(existing) = contents.payments.get(&order) {
                return Begun::Exists((**existing).clone());
            }
            contents.payments.insert(order, Stored::new(payment.clone()));
            Begun::Begun
        })
        .await
    }

    async fn replace(&self, order: OrderId, from: &Payment, to: &Payment) -> Result<Payment, StoreError> {
        // `from` stands, or another has replaced it: a record is never deleted.
        self.write(PortCall::PaymentStoreReplace, |contents| {
            let stands = contents.payments.entry(order).or_insert_with(|| Stored::new(from.clone()));
            if **stands == *from {
                *stands = Stored::new(to.clone());
            }
            (**stands).clone()
        })
        .await
    }
}
