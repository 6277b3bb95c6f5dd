//! Erases the passenger of an order from a stack's table: a tool for operators, not a Lambda function.
//!
//! ```text
//! TABLE=<the stack's output OrdersTable> erase BOOKING-ID
//! ```
//! The queues cannot be searched for an order. But SQS keeps no message for longer than fourteen days, so an order that
//! has not changed for that long has none left: no mail that waits, and no dead letter.

use std::process::ExitCode;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use booking_gateway::erasure::Erasure;
use booking_gateway::store::{OrderStore, Updated, Watch};
use booking_gateway_lambda::dynamodb::DynamoOrders;
use messaging::clock::{Clock, SystemClock};
use protocol::ids::OrderId;

/// How long SQS keeps a message at most.
const RETENTION: Duration = Duration::from_secs(14 * 24 * 60 * 60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match erase().await {
        Ok(done) => {
            println!("{done}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn erase() -> Result<&'static str, Box<dyn std::error::Error>> {
    let table = std::env::var("TABLE").map_err(|_| "TABLE must name the stack's table of orders")?;
    let id: OrderId = std::env::args().nth(1).ok_or("give the id of a booking")?.parse()?;
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let orders = DynamoOrders { client: Client::new(&config), table };
    let order = orders.get(id).await?.ok_or("there is no such booking")?;
    let now = SystemClock.now();
    let next = match order.erase(now) {
        Erasure::Unsettled => return Err("the booking is not settled yet".into()),
        Erasure::NotDeparted => {
            return Err("the booking is confirmed, and its flight has not departed".into());
        }
        Erasure::Before => return Ok("it was erased before"),
        Erasure::Erased(_) if now < order.updated_at() + RETENTION => {
            return Err(
                "the booking changed less than fourteen days ago: a message about it may be left".into()
            );
        }
        Erasure::Erased(next) => next,
    };
    match orders.update(&next, Watch::Keep).await? {
        Updated::Updated => Ok("erased"),
        Updated::Stale => Err("the booking was changed meanwhile: try again".into()),
    }
}
