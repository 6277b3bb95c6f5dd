//! The Billing Service's records.

use async_trait::async_trait;
use billing_service::payment::Payment;
use billing_service::store::{Begun, PaymentStore};
use shared::ids::OrderId;
use shared::store::StoreError;

use super::Memory;
use super::contents::Stored;

#[async_trait]
impl PaymentStore for Memory {
    async fn find(&self, order: OrderId) -> Result<Option<Payment>, StoreError> {
        self.read("PaymentStore::find", |contents| {
            contents.payments.get(&order).map(|payment| (**payment).clone())
        })
        .await
    }

    async fn begin(&self, order: OrderId, payment: &Payment) -> Result<Begun, StoreError> {
        self.write("PaymentStore::begin", |contents| {
            if let Some(existing) = contents.payments.get(&order) {
                return Begun::Exists((**existing).clone());
            }
            contents.payments.insert(order, Stored::new(payment.clone()));
            Begun::Begun
        })
        .await
    }

    async fn replace(&self, order: OrderId, from: &Payment, to: &Payment) -> Result<Payment, StoreError> {
        // `from` stands, or another has replaced it: a payment is never taken away.
        self.write("PaymentStore::replace", |contents| {
            let stands = contents.payments.entry(order).or_insert_with(|| Stored::new(from.clone()));
            if **stands == *from {
                *stands = Stored::new(to.clone());
            }
            (**stands).clone()
        })
        .await
    }
}
