//! The bookings API and the page, on Lambda.

use aws::http;
use aws::setup::Setup;
use booking_gateway_lambda::bookings_api;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    http::run(bookings_api(&Setup::load()?).await?).await
}
