//! The Billing Service's ports, kept by the DynamoDB adapters.

use std::sync::Arc;

use billing_service::provider::PaymentProvider;
use billing_service::store::PaymentStore;
use billing_service_lambda::dynamodb::{DynamoPayments, DynamoSimulatedProvider};
use testkit::dynamodb;

async fn fresh() -> (Arc<dyn PaymentStore>, ()) {
    let client = dynamodb::client();
    let table = dynamodb::table(&client, "PaymentsTable").await;
    (Arc::new(DynamoPayments { client, table }), ())
}

billing_service_contract::payment_store_contract!(fresh);

async fn fresh_provider() -> (Arc<dyn PaymentProvider>, ()) {
    let client = dynamodb::client();
    let table = dynamodb::table(&client, "PaymentsTable").await;
    (Arc::new(DynamoSimulatedProvider { client, table }), ())
}

billing_service_contract::payment_provider_contract!(fresh_provider);
