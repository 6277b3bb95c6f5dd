//! The Billing Service's consumer, on Lambda.

use billing_service::lambda::billing_consumer;
use shared::aws::setup::Setup;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    billing_consumer(&Setup::load()?).await?.run().await
}
