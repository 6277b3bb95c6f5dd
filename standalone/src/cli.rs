//! The command line.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use booking_gateway::limits::Limits;
use clap::{Args, Parser, Subcommand, ValueEnum};
use protocol::ids::OrderId;
use protocol::manage::PublicUrl;
use system::view::LetterId;

/// The arguments of `bookings`.
#[derive(Debug, Parser)]
#[command(
    name = "bookings",
    version = version(),
    about = "Sells airline tickets on one machine: answers at once, and never loses an order.",
    long_about = "Sells airline tickets on one machine: answers at once, and never loses an order.\n\n\
        The gateway, the ticket, billing and email services and their topics run in this one process, on one \
        SQLite file; the same handlers run on AWS Lambda, SQS and DynamoDB (see README.md).\n\n\
        Without a command it serves: open the page it prints, and buy a ticket.",
    after_help = "Logs go to stderr; RUST_LOG sets how much (RUST_LOG=warn, RUST_LOG=debug)."
)]
pub(crate) struct Cli {
    /// The command; `serve` by default.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The versions that an upgrade must check: the program, its tables, its messages, its SQLite.
fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        format!(
            "{} (tables version {}, messages v{}, SQLite {})",
            env!("CARGO_PKG_VERSION"),
            standalone::sqlite::schema::VERSION,
            protocol::event::VERSION,
            rusqlite::version()
        )
    });
    &VERSION
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the page and the API (the default)
    Serve(Serve),
    /// Compare expected state with actual, order by order; fails if they differ
    Audit(Audit),
    /// Ask Stripe for refunds that failed, maybe days after they were done; fails if there are any, with 2 if it cannot be
    /// asked. It needs the environment variable STRIPE_SECRET_KEY
    Refunds(Refunds),
    #[command(flatten)]
    Inspect(Inspect),
    /// List and explain the dead letters of a running server, and redrive or discard them
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// Forget the passenger of a settled booking: in its order, the copies of its mails and its dead letters
    Erase(Erase),
    /// Break a server of its own while customers book, then report what was lost or paid for nothing
    Drill(Drill),
    /// Send the same customers to the topics and to the REST chain, healthy and through the same outages; fails if the
    /// topics lost, doubled or refused anything
    Compare(Compare),
    /// Book as many customers at once, and report times, rate and failures
    Load(Load),
    /// Make a new secret for the customers' keys to their bookings: links made with the one before still work, older
    /// ones do not
    RotateManageSecret(RotateManageSecret),
}

/// `serve`
#[derive(Args, Clone, Debug)]
pub(crate) struct Serve {
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: String,
    /// The port of 127.0.0.1 for the operator's API, where --host is not loopback; 0 takes a free one. Where --host is
    /// loopback, the API is on --port
    #[arg(long, value_name = "PORT", default_value_t = 8081)]
    pub(crate) operator_port: u16,
    /// The data directory; created if it does not exist
    #[arg(long, value_name = "DIR", default_value = "./data")]
    pub(crate) data: PathBuf,
    /// A file of flights to add or change: JSON as GET /flights shows it, without seats_left
    #[arg(long, value_name = "FILE")]
    pub(crate) flights: Option<PathBuf>,
    /// How long an order may take before it is cancelled, such as 48h, 90m or 30s
    #[arg(long, value_name = "TIME", default_value = "48h", value_parser = duration)]
    pub(crate) hold_deadline: Duration,
    /// simulated: nothing real is charged, the names of Stripe's test cards decide. stripe: needs the secret
    /// key in the environment variable STRIPE_SECRET_KEY; STRIPE_API_URL sets another address
    #[arg(long, value_name = "NAME", default_value = "simulated")]
    pub(crate) payment_provider: PaymentProvider,
    /// The mail server, smtp://HOST or smtps://HOST; a login is taken from the environment variables
    /// SMTP_USERNAME and SMTP_PASSWORD. Without --smtp mail is kept: see /operator/mail
    #[arg(long, value_name = "URL", requires = "mail_from")]
    pub(crate) smtp: Option<String>,
    /// The address that mail is sent from
    #[arg(long, value_name = "ADDRESS", requires = "smtp")]
    pub(crate) mail_from: Option<String>,
    /// How many mails one address gets by --smtp in an hour; what is over waits. 0 for any number
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) mails_per_hour: u32,
    /// Where customers find the page: mail then has a link to the booking
    #[arg(long, value_name = "URL", value_parser = public_url)]
    pub(crate) public_url: Option<PublicUrl>,
    /// How many bookings one address may make a minute (of IPv6 one /64 network); 0 for no limit
    #[arg(long, value_name = "N", default_value_t = Limits::default().client)]
    pub(crate) bookings_per_client: u32,
    /// How many of them for one e-mail address; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = Limits::default().client_and_email)]
    pub(crate) bookings_per_client_and_email: u32,
    /// Limit requests from this machine too
    #[arg(long)]
    pub(crate) limit_loopback: bool,
    /// A proxy in front writes the last address in X-Forwarded-For: believe it
    #[arg(long)]
    pub(crate) behind_proxy: bool,
    /// Without the REST chain, the baseline at /rest-chain that the topics are compared with
    #[arg(long)]
    pub(crate) no_rest_chain: bool,
}

/// `--payment-provider`
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PaymentProvider {
    Simulated,
    Stripe,
}

/// `audit`
#[derive(Args, Clone, Debug)]
pub(crate) struct Audit {
    /// The data directory of a server, running or not; nothing is written to it
    #[arg(long, value_name = "DIR", default_value = "./data")]
    pub(crate) data: PathBuf,
    /// Only this order, with the evidence
    #[arg(long, value_name = "ID")]
    pub(crate) order: Option<OrderId>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `refunds`
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Refunds {
    /// Those of so many days
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=365))]
    pub(crate) days: u32,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The commands that look at a running server.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Inspect {
    /// Show how many messages wait in each topic of a running server, and for how long
    Topics(Topics),
    /// List the orders of a running server that wait, or those of a status
    Orders(Orders),
    /// Show what happened to an order of a running server, and what it should be against what it is
    Journey(Journey),
}

/// `topics`
#[derive(Args, Clone, Debug)]
pub(crate) struct Topics {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: RunningServer,
}

/// `orders`
#[derive(Args, Clone, Debug)]
pub(crate) struct Orders {
    /// Those of this status, newest first, such as confirmed. Without it those that wait, longest first
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) limit: u32,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: RunningServer,
}

/// `journey`
#[derive(Args, Clone, Debug)]
pub(crate) struct Journey {
    /// The order's id
    pub(crate) id: OrderId,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: RunningServer,
}

/// `rotate-manage-secret`
#[derive(Args, Clone, Debug)]
pub(crate) struct RotateManageSecret {
    /// The data directory of a server that does not run
    #[arg(long, value_name = "DIR", default_value = "./data")]
    pub(crate) data: PathBuf,
}

/// `erase`
#[derive(Args, Clone, Debug)]
pub(crate) struct Erase {
    /// The booking's id
    pub(crate) id: OrderId,
    #[command(flatten)]
    pub(crate) server: RunningServer,
}

/// `dead-letters`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// List them, one line each
    List {
        #[command(flatten)]
        server: RunningServer,
    },
    /// Show why one was dead-lettered, how often it was tried, and the state of its order
    Explain {
        /// Its id in the list
        id: LetterId,
        #[command(flatten)]
        server: RunningServer,
    },
    /// Move one back to its topic, or all
    Redrive {
        /// Its id in the list
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<LetterId>,
        /// Redrive all of them
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        server: RunningServer,
    },
    /// Delete one that is not needed; what it was is kept with the reason
    Discard {
        /// Its id in the list
        id: LetterId,
        /// Why it is not needed
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        server: RunningServer,
    },
}

/// The server that a command talks to.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunningServer {
    /// The URL of the running server's operator's API, as `serve` prints it
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
}

/// `drill`
#[derive(Args, Clone, Debug)]
pub(crate) struct Drill {
    /// How many bookings to make
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    pub(crate) bookings: u32,
    /// How many bookings a second
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) rate: u32,
}

/// `compare`
#[derive(Args, Clone, Debug)]
pub(crate) struct Compare {
    /// How many bookings at full rate, on each system
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub(crate) bookings: u32,
    /// How many customers a second in the other phases
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) rate: u32,
    /// For how long they come in each of these phases, and something is broken
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration)]
    pub(crate) outage: Duration,
}

/// `load`
#[derive(Args, Clone, Debug)]
pub(crate) struct Load {
    /// How many bookings to make
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) bookings: u32,
    /// How many customers book at the same time, each one booking after the other
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) concurrency: u32,
    /// The URL of the server to load; without it, one is started on a temporary directory
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// Print what the database did for a booking: statements, pages, bytes, flushes, hops. Not with --url
    #[arg(long, conflicts_with = "url")]
    pub(crate) counters: bool,
}

impl Default for Serve {
    fn default() -> Self {
        // Parsed, so that the defaults are written once.
        match Cli::parse_from(["bookings", "serve"]).command {
            Some(Command::Serve(serve)) => serve,
            _ => unreachable!("`serve` parses as serve"),
        }
    }
}

fn public_url(text: &str) -> Result<PublicUrl, String> {
    PublicUrl::parse(text).map_err(|invalid| invalid.to_string())
}

fn duration(text: &str) -> Result<Duration, String> {
    let unit = match text.chars().last() {
        Some('h') => 3600,
        Some('m') => 60,
        Some('s') => 1,
        _ => return Err("give a number and h, m or s, such as 48h".to_owned()),
    };
    match text[..text.len() - 1].parse::<u32>() {
        Ok(number) if number > 0 => Ok(Duration::from_secs(u64::from(number) * unit)),
        _ => Err("give a whole number above 0 and h, m or s, such as 48h".to_owned()),
    }
}
