//! The flights API, on Lambda.

use aws::http;
use aws::setup::Setup;
use ticket_service_lambda::flights_api;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    http::run(flights_api(&Setup::load()?).await?).await
}
