//! The command line.

use booking_gateway::order::Status;
use clap::{Args, Parser, Subcommand};
use protocol::ids::OrderId;
use serde::Deserialize;
use serde::de::value::{Error, StrDeserializer};
use system::view::LetterId;
use system::view::paging::MOST;

/// The operator's view of a stack on AWS: it shows what the stack holds, and changes only what a command names.
///
/// Exit status: 0 all is well, 1 differences or dead letters, 2 it cannot be told. Credentials and region are those of the
/// AWS command line: from the environment, or the files that `aws configure` writes.
#[derive(Parser)]
#[command(name = "operator", version)]
pub(crate) struct Cli {
    /// The stack's name.
    #[arg(long, env = "STACK")]
    pub(crate) stack: String,
    /// Answers JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// The counts of every topic and dead-letter queue.
    Topics,
    /// The orders that are not settled, by their next check.
    Orders(Orders),
    /// Expected against actual, of one order.
    Order {
        /// Its id.
        id: OrderId,
    },
    /// What happened to an order, then expected against actual.
    Journey {
        /// Its id.
        id: OrderId,
    },
    /// Expected against actual, of every order and flight. Scans the tables.
    Audit,
    /// Refunds that failed, maybe days after they were done. Asks Stripe, with the stack's key.
    Refunds {
        /// Those of so many days.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=365))]
        days: u32,
    },
    /// The dead letters.
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// The services: the event source mappings of the topics.
    #[command(subcommand)]
    Services(Services),
    /// Serves the system page on 127.0.0.1, with your credentials.
    Serve {
        /// The port; 0 takes a free one.
        #[arg(long, default_value_t = 8082)]
        port: u16,
    },
}

#[derive(Args)]
pub(crate) struct Orders {
    /// All orders, by a scan, in no order.
    #[arg(long, conflicts_with = "status")]
    pub(crate) all: bool,
    /// Those of a status, by a scan.
    #[arg(long, value_parser = status)]
    pub(crate) status: Option<Status>,
    /// At most so many.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=MOST as i64))]
    pub(crate) limit: u16,
    /// Those after an earlier page, which named this.
    #[arg(long)]
    pub(crate) after: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum DeadLetters {
    /// All of them. A look hides them from other receivers for a moment.
    List,
    /// Everything about one.
    Explain {
        /// Its id.
        id: LetterId,
    },
    /// Sends one back to its topic, or all.
    Redrive {
        /// Its id.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<LetterId>,
        /// All of them.
        #[arg(long)]
        all: bool,
        /// At most so many a second.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        rate: u32,
        /// Shows what would be done.
        #[arg(long)]
        dry_run: bool,
    },
    /// Deletes one. SQS keeps nothing of it: keep this command's answer.
    Discard {
        /// Its id.
        id: LetterId,
        /// Why it is not needed.
        #[arg(long, value_parser = reason)]
        reason: String,
        /// Shows what would be done.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum Services {
    /// Which run.
    List,
    /// Lets one receive again.
    Start(Service),
    /// Stops one: its messages wait.
    Stop(Service),
}

#[derive(Args)]
pub(crate) struct Service {
    /// ticket-service, billing-service, email-service or order-updates.
    pub(crate) name: String,
    /// Shows what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

fn status(text: &str) -> Result<Status, Error> {
    Status::deserialize(StrDeserializer::new(text))
}

fn reason(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() { Err("must not be empty") } else { Ok(text.to_owned()) }
}
