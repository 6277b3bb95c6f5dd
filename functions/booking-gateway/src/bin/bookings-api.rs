//! The bookings API and the page, on Lambda.

use booking_gateway::lambda::bookings_api;
use shared::aws::http;
use shared::aws::setup::Setup;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    http::run(bookings_api(&Setup::load()?).await?).await
}
