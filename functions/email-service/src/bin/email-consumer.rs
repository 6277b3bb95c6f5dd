//! The Email Service's consumer, on Lambda.

use email_service::lambda::email_consumer;
use shared::aws::setup::Setup;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    email_consumer(&Setup::load()?).await?.run().await
}
