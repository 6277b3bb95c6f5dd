//! The consumer of order-updates, on Lambda.

use booking_gateway::lambda::order_updates_consumer;
use shared::aws::setup::Setup;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    order_updates_consumer(&Setup::load()?).await?.run().await
}
