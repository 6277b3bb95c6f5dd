//! The gateway's ports, kept by the DynamoDB adapter.

use std::sync::Arc;

use booking_gateway::dynamodb::DynamoOrders;
use booking_gateway::store::OrderStore;
use shared::aws::in_process;

async fn fresh() -> (Arc<dyn OrderStore>, ()) {
    let client = in_process::client();
    let table = in_process::table(&client, "OrdersTable").await;
    (Arc::new(DynamoOrders { client, table }), ())
}

booking_gateway::order_store_contract!(fresh);
