//! The Billing Service's ports, kept by the DynamoDB adapters.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use aws::dynamodb::string;
use billing_service::payment::Payment;
use billing_service::provider::{PaymentProvider, ProviderName};
use billing_service::store::PaymentStore;
use billing_service_lambda::dynamodb::{DynamoPayments, DynamoSimulatedProvider};
use protocol::ids::OrderId;
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

#[tokio::test]
async fn an_earlier_record_gets_its_provider_from_its_reference_and_can_be_replaced() {
    let client = dynamodb::client();
    let table = dynamodb::table(&client, "PaymentsTable").await;
    let store = DynamoPayments { client: client.clone(), table: table.clone() };
    for (number, reference, provider) in
        [(1, "sim_1", ProviderName::SIMULATED), (2, "pi_1", ProviderName::STRIPE)]
    {
        let order = OrderId::from_bytes([number; 16]);
        let body = format!(
            r#"{{"state":"captured","reference":"{reference}","amount":{{"value":1,"currency":"EUR"}}}}"#
        );
        let put = client.put_item().table_name(&table).item("order_id", string(order.to_string()));
        put.item("body", string(body)).send().await.unwrap();
        let payment = store.find(order).await.unwrap().unwrap();
        assert_eq!(payment.provider(), Some(&provider));
        let reversed = Payment::Reversed { refunded: None };
        assert_eq!(store.replace(order, &payment, &reversed).await.unwrap(), reversed);
    }
}
