//! Puts flights on offer in a stack's table: a tool for operators, not a Lambda function.
//!
//! ```text
//! TABLE=<the stack's output TicketsTable> put-flights [FILE]
//! ```
//! FILE is what `serve --flights` takes; without one, the default flights are put. A second run changes
//! flights by their ids.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use messaging::clock::{Clock, SystemClock};
use messaging::entropy::OsEntropy;
use ticket_service::catalogue;
use ticket_service_lambda::dynamodb::DynamoTickets;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match put().await {
        Ok(flights) => {
            println!("{flights} flights are on offer");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn put() -> Result<usize, Box<dyn std::error::Error>> {
    let table = std::env::var("TABLE").map_err(|_| "TABLE must name the stack's table of tickets")?;
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let flights = match std::env::args().nth(1) {
        Some(file) => catalogue::read(Path::new(&file))?,
        None => catalogue::seed(SystemClock.now()),
    };
    let store = DynamoTickets::new(Client::new(&config), table, Arc::new(OsEntropy));
    catalogue::upsert(&store, &flights).await?;
    Ok(flights.len())
}
