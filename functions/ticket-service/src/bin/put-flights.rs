//! Puts flights on offer in a stack's table: for whoever deploys it, not a Lambda function.
//!
//! ```text
//! TABLE=<the stack's output TicketsTable> put-flights [FILE]
//! ```
//! FILE is what `serve --flights` takes; without one, the default flights are put. Run again it
//! changes flights by their ids.

use std::path::Path;
use std::process::ExitCode;

use shared::aws::setup::Setup;
use ticket_service::catalogue;
use ticket_service::dynamodb::DynamoTickets;

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
    let setup = Setup::of_process().await;
    let (client, table) = setup.table()?;
    let flights = match std::env::args().nth(1) {
        Some(file) => catalogue::read(Path::new(&file))?,
        None => catalogue::seed(setup.clock.now()),
    };
    let store = DynamoTickets::new(client, table, setup.entropy);
    catalogue::upsert(&store, &flights).await?;
    Ok(flights.len())
}
