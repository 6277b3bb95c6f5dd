//! The Email Service's consumer, on Lambda.

use aws::setup::Setup;
use email_service_lambda::email_consumer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    email_consumer(&Setup::load()?).await?.run().await
}
