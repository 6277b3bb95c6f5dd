//! The reconciler, on Lambda. A schedule triggers it; what the event says does not matter.

use aws::lambda::time_left;
use aws::setup::Setup;
use booking_gateway::reconciler::Run;
use booking_gateway_lambda as lambda;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::de::IgnoredAny;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let gateway = lambda::reconciler(&Setup::load()?).await?;
    let run = async |event: LambdaEvent<IgnoredAny>| {
        // What is left waits for the run a minute later.
        let Run { resent, expired, lateness } = gateway.reconcile(time_left(&event.context)).await?;
        tracing::info!(resent, expired, ?lateness, "checked the orders that wait");
        Ok::<_, Error>(())
    };
    lambda_runtime::run(service_fn(run)).await
}
