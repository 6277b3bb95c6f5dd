//! The flights API, on Lambda.

use std::sync::Arc;

use shared::aws::setup::Setup;
use ticket_service::dynamodb::DynamoTickets;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    let setup = Setup::load().await;
    let (client, table) = setup.table()?;
    let store = Arc::new(DynamoTickets::new(client, table, setup.entropy));
    lambda_http::run(shared::http::close(ticket_service::api::router(store))).await
}
