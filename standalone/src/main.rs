//! `cargo run` starts everything.

mod cli;

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use booking_gateway::deadline::DeadlinePolicy;
use clap::Parser;
use cli::{Cli, Command};
use messaging::clock::{Clock, SystemClock};
use standalone::dead_letters::{DeadLetters, DeadLettersError};
use standalone::drill::Drill;
use standalone::integrations::{IntegrationError, Integrations, Payments};
use standalone::load::Load;
use standalone::{Options, Server};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let command = Cli::parse().command.unwrap_or_else(|| Command::Serve(cli::Serve::default()));
    let quiet = matches!(command, Command::Load(_) | Command::Drill(_));
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(if quiet { "error" } else { "info,metrics=off" }));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .compact()
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string()),
    };
    runtime.block_on(async {
        match command {
            Command::Serve(serve) => run_server(serve).await,
            Command::Audit(audit) => run_audit(&audit),
            Command::DeadLetters(command) => match run_dead_letters(command).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&error.to_string()),
            },
            Command::Drill(drill) => run_drill(&drill).await,
            Command::Load(load) => run_load(load).await,
        }
    })
}

fn fail(error: &str) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

/// An environment variable that is set to something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn integrations(serve: &cli::Serve) -> Result<Integrations, IntegrationError> {
    let payments = match serve.payment_provider {
        cli::PaymentProvider::Simulated => Payments::Simulated,
        cli::PaymentProvider::Stripe => Payments::stripe(variable)?,
    };
    let mail = match (&serve.smtp, &serve.mail_from) {
        (Some(url), Some(from)) => Some(standalone::integrations::smtp(url, from, variable)?),
        _ => None,
    };
    Ok(Integrations { payments, mail })
}

async fn run_server(serve: cli::Serve) -> ExitCode {
    let integrations = match integrations(&serve) {
        Ok(integrations) => integrations,
        Err(error) => return fail(&error.to_string()),
    };
    let options = Options {
        integrations,
        host: serve.host,
        port: serve.port,
        flights: serve.flights,
        deadlines: DeadlinePolicy { deadline: serve.hold_deadline, ..DeadlinePolicy::default() },
        ..Options::new(serve.data)
    };
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return fail("signals cannot be handled here");
    };
    let server = match Server::start(options).await {
        Ok(server) => server,
        Err(error) => return fail(&error.to_string()),
    };
    println!("listening on {}", server.url());
    let _ = std::io::stdout().flush();
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("finishing what is in hand");
    server.stop().await;
    ExitCode::SUCCESS
}

fn run_audit(options: &cli::Audit) -> ExitCode {
    let audit = match standalone::sqlite::snapshot::read(&options.data) {
        Ok(snapshot) => system::audit::audit(&snapshot, SystemClock.now()),
        Err(error) => return fail(&error.to_string()),
    };
    if options.json {
        println!("{}", serde_json::json!(audit));
    } else {
        println!("{audit}");
    }
    if audit.discrepancies.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run_dead_letters(command: cli::DeadLetters) -> Result<(), DeadLettersError> {
    match command {
        cli::DeadLetters::List { server } => {
            let letters = DeadLetters::at(&server.url)?.list().await?;
            letters.iter().for_each(|letter| println!("{letter}"));
            eprintln!("{} dead letters", letters.len());
        }
        cli::DeadLetters::Explain { id, server } => {
            print!("{}", DeadLetters::at(&server.url)?.explain(id).await?);
        }
        cli::DeadLetters::Redrive { id, all: _, server } => {
            println!("{} redriven", DeadLetters::at(&server.url)?.redrive(id).await?);
        }
    }
    Ok(())
}

async fn run_drill(options: &cli::Drill) -> ExitCode {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return fail(&format!("this program does not know where it is: {error}")),
    };
    let drill = Drill { bookings: options.bookings, rate: options.rate, program };
    match drill.run(|news| eprintln!("{news}")).await {
        Ok(outcome) => {
            println!("{outcome}");
            if outcome.violations() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => fail(&error.to_string()),
    }
}

async fn run_load(load: cli::Load) -> ExitCode {
    let load =
        Load { bookings: load.bookings as usize, concurrency: load.concurrency as usize, url: load.url };
    let (bookings, terminal) = (load.bookings, std::io::stderr().is_terminal());
    let step = bookings.div_ceil(if terminal { 100 } else { 10 });
    let progress = |settled: usize| {
        if settled.is_multiple_of(step) || settled == bookings {
            let end = if terminal && settled < bookings { '\r' } else { '\n' };
            eprint!("{settled} of {bookings} bookings settled{end}");
        }
    };
    match load.run(progress).await {
        Ok(report) => {
            println!("{report}");
            if report.lost + report.refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => fail(&error.to_string()),
    }
}
