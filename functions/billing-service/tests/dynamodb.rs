//! The Billing Service's ports, kept by the DynamoDB adapters.

use std::sync::Arc;

use billing_service::dynamodb::{DynamoPayments, DynamoSimulatedProvider};
use billing_service::provider::PaymentProvider;
use billing_service::store::PaymentStore;
use shared::aws::in_process;

async fn fresh() -> (Arc<dyn PaymentStore>, ()) {
    let client = in_process::client();
    let table = in_process::table(&client, "PaymentsTable").await;
    (Arc::new(DynamoPayments { client, table }), ())
}

billing_service::payment_store_contract!(fresh);

async fn fresh_provider() -> (Arc<dyn PaymentProvider>, ()) {
    let client = in_process::client();
    let table = in_process::table(&client, "PaymentsTable").await;
    (Arc::new(DynamoSimulatedProvider { client, table }), ())
}

billing_service::payment_provider_contract!(fresh_provider);
