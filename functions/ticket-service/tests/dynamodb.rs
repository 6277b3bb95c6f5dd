//! The Ticket Service's port, kept by the DynamoDB adapter.

use std::sync::Arc;

use shared::aws::in_process;
use shared::entropy::OsEntropy;
use ticket_service::dynamodb::DynamoTickets;
use ticket_service::store::TicketStore;

async fn fresh() -> (Arc<dyn TicketStore>, ()) {
    let client = in_process::client();
    let table = in_process::table(&client, "TicketsTable").await;
    (Arc::new(DynamoTickets::new(client, table, Arc::new(OsEntropy))), ())
}

ticket_service::ticket_store_contract!(fresh);
