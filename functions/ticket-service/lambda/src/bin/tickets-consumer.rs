//! The Ticket Service's consumer, on Lambda.

use aws::setup::Setup;
use ticket_service_lambda::tickets_consumer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    tickets_consumer(&Setup::load()?).await?.run().await
}
