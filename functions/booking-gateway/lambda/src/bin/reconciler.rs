//! The reconciler, on Lambda. A schedule triggers it; what the event says does not matter.

use aws::setup::Setup;
use booking_gateway::reconciler::Run;
use booking_gateway_lambda as lambda;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::de::IgnoredAny;

/// How many pages of 100 orders one run handles; the rest waits for the run a minute later.
const PAGES: usize = 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let gateway = lambda::reconciler(&Setup::load()?).await?;
    let run = async |_: LambdaEvent<IgnoredAny>| {
        let Run { resent, expired } = gateway.reconcile(PAGES).await?;
        tracing::info!(resent, expired, "checked the orders that wait");
        Ok::<_, Error>(())
    };
    lambda_runtime::run(service_fn(run)).await
}
