//! The gateway's ports, kept by the DynamoDB adapter.

use std::sync::Arc;

use booking_gateway::store::OrderStore;
use booking_gateway_lambda::dynamodb::DynamoOrders;
use testkit::dynamodb;

async fn fresh() -> (Arc<dyn OrderStore>, ()) {
    let client = dynamodb::client();
    let table = dynamodb::table(&client, "OrdersTable").await;
    (Arc::new(DynamoOrders { client, table }), ())
}

booking_gateway_contract::order_store_contract!(fresh);
