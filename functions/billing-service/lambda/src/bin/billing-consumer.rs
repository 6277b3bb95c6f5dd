//! The Billing Service's consumer, on Lambda.

use aws::setup::Setup;
use billing_service_lambda::billing_consumer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    billing_consumer(&Setup::load()?).await?.run().await
}
