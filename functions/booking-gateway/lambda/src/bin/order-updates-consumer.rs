//! The consumer of order-updates, on Lambda.

use aws::setup::Setup;
use booking_gateway_lambda::order_updates_consumer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    order_updates_consumer(&Setup::load()?).await?.run().await
}
