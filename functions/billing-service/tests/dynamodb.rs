//! The Billing Service's store, kept by the DynamoDB adapter.

use std::sync::Arc;

use billing_service::dynamodb::DynamoPayments;
use billing_service::store::PaymentStore;
use shared::aws::in_process;

async fn fresh() -> (Arc<dyn PaymentStore>, ()) {
    let client = in_process::client();
    let table = in_process::table(&client, "order_id", None).await;
    (Arc::new(DynamoPayments { client, table }), ())
}

billing_service::payment_store_contract!(fresh);
