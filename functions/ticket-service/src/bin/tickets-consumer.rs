//! The Ticket Service's consumer, on Lambda.

use std::sync::Arc;

use shared::aws::lambda;
use shared::aws::setup::Setup;
use shared::consumer::Consumer;
use shared::time::SystemClock;
use shared::topic::Topic;
use ticket_service::dynamodb::DynamoTickets;
use ticket_service::service::TicketService;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    let setup = Setup::load().await;
    let (client, table) = setup.table()?;
    let topics = setup.topics(&[Topic::Tickets, Topic::OrderUpdates])?;
    let store = Arc::new(DynamoTickets::new(client, table, setup.entropy.clone()));
    let service = TicketService { store, clock: Arc::new(SystemClock) };
    lambda::run(Consumer::new(service, setup.entropy), topics).await
}
