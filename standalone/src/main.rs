//! `cargo run` starts everything.

mod cli;
mod log_line;

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::fmt::Display;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use booking_gateway::deadline::DeadlinePolicy;
use booking_gateway::limits::Limits;
use clap::Parser;
use cli::{Cli, Command};
use client::{Bookings, ClientError};
use log_line::{LogLine, span_fields};
use messaging::clock::{Clock, SystemClock};
use protocol::ids::OrderId;
use standalone::client_address::Clients;
use standalone::compare::Compare;
use standalone::dead_letters::{DeadLetters, DeadLettersError};
use standalone::drill::Drill;
use standalone::inspect::{Inspect, InspectError};
use standalone::integrations::{IntegrationError, Integrations, Payments};
use standalone::load::Load;
use standalone::{Options, Server};
use system::view::dead_letter::Letter;
use tokio::signal::unix::{SignalKind, signal};
use tracing_appender::non_blocking::NonBlockingBuilder;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let command = Cli::parse().command.unwrap_or_else(|| Command::Serve(cli::Serve::default()));
    let quiet = matches!(command, Command::Load(_) | Command::Drill(_) | Command::Compare(_));
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(if quiet { "error" } else { "info,metrics=off" }));
    // The threads that log do not wait for it to be written; what is left is written at the end.
    let stderr = BufWriter::new(std::io::stderr());
    let (writer, _written_at_the_end) = NonBlockingBuilder::default().lossy(false).finish(stderr);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    // It would print that it cannot print, and panic unread.
    let log = log.log_internal_errors(false);
    if std::io::stderr().is_terminal() {
        log.fmt_fields(span_fields()).event_format(LogLine { clock: Arc::new(SystemClock) }).init();
    } else {
        log.with_ansi(false).with_target(false).compact().init();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string()),
    };
    runtime.block_on(async {
        match command {
            Command::Serve(serve) => run_server(serve).await,
            Command::Audit(audit) => run_audit(&audit),
            Command::Refunds(refunds) => run_refunds(refunds).await,
            Command::Inspect(command) => match run_inspect(command).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&error.to_string()),
            },
            Command::DeadLetters(command) => match run_dead_letters(command).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&error.to_string()),
            },
            Command::Erase(erase) => match run_erase(&erase).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&error.to_string()),
            },
            Command::Drill(drill) => run_drill(&drill).await,
            Command::Compare(compare) => run_compare(&compare).await,
            Command::Load(load) => run_load(load).await,
            Command::RotateManageSecret(rotate) => match standalone::rotate_manage_secret(&rotate.data).await
            {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&error.to_string()),
            },
        }
    })
}

fn fail(error: &str) -> ExitCode {
    note(&format!("error: {error}\n"));
    ExitCode::FAILURE
}

/// Prints a result. Not `println!`: where its reader has closed the pipe, as `| head` does, that panics.
fn say(text: impl Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Prints what is no result.
fn note(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
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
        (Some(url), Some(from)) => {
            Some(standalone::integrations::smtp(url, from, serve.mails_per_hour, variable)?)
        }
        _ => None,
    };
    Ok(Integrations { payments, mail })
}

/// What `serve` prints once it listens. Programs read the first line.
fn greeting(server: &Server, data: &Path, payments: cli::PaymentProvider) -> String {
    let (url, operator) = (server.url(), server.operator_url());
    let process = std::process::id();
    let data = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    let payments = match payments {
        cli::PaymentProvider::Simulated => "simulated, nothing real is charged",
        cli::PaymentProvider::Stripe => "by Stripe, which charges real money unless the key is a test key",
    };
    let data = data.display();
    let apart = if operator == url { String::new() } else { format!("operator  {operator}/operator/\n") };
    format!(
        "listening on {url}\n\
         {apart}\
         data      {data}\n\
         payments  {payments}\n\
         break it  curl -X PUT {operator}/operator/services/billing-service -d '{{\"running\": false}}' \
         -H 'Content-Type: application/json'\n\
         process   {process}, stop it with Ctrl-C\n\
         watch it  {operator}/system\n"
    )
}

async fn run_server(serve: cli::Serve) -> ExitCode {
    let integrations = match integrations(&serve) {
        Ok(integrations) => integrations,
        Err(error) => return fail(&error.to_string()),
    };
    let data = serve.data.clone();
    let payments = serve.payment_provider;
    let options = Options {
        integrations,
        host: serve.host,
        port: serve.port,
        operator_port: serve.operator_port,
        flights: serve.flights,
        public_url: serve.public_url,
        bookings: Limits {
            client: serve.bookings_per_client,
            client_and_email: serve.bookings_per_client_and_email,
        },
        clients: Clients { behind_proxy: serve.behind_proxy, limit_loopback: serve.limit_loopback },
        rest_chain: !serve.no_rest_chain,
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
    say(greeting(&server, &data, payments).trim_end());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("finishing the work in progress");
    server.stop().await;
    ExitCode::SUCCESS
}

async fn run_inspect(command: cli::Inspect) -> Result<(), InspectError> {
    let (json, (text, value)) = match command {
        cli::Inspect::Topics(cli::Topics { json, server }) => {
            (json, Inspect::at(&server.url)?.topics().await?)
        }
        cli::Inspect::Orders(cli::Orders { status, limit, json, server }) => {
            (json, Inspect::at(&server.url)?.orders(status.as_deref(), limit).await?)
        }
        cli::Inspect::Journey(cli::Journey { id, json, server }) => {
            (json, Inspect::at(&server.url)?.journey(&id.to_string()).await?)
        }
    };
    if json {
        say(value)
    } else {
        say(text.trim_end())
    }
    Ok(())
}

fn run_order_audit(options: &cli::Audit, order: OrderId) -> ExitCode {
    let found = standalone::sqlite::snapshot::audit_order(&options.data, order, SystemClock.now());
    let (audit, rows) = match found {
        Ok(found) => found,
        Err(error) => return fail(&error.to_string()),
    };
    if options.json {
        let mut json = serde_json::json!(audit);
        json["rows"] = serde_json::json!(rows);
        say(json);
    } else {
        say(format_args!("{}\n\n{audit}", system::text::rows(&rows)));
    }
    if audit.discrepancies.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_audit(options: &cli::Audit) -> ExitCode {
    if let Some(order) = options.order {
        return run_order_audit(options, order);
    }
    let audit = match standalone::sqlite::snapshot::audit(&options.data, SystemClock.now()) {
        Ok(audit) => audit,
        Err(error) => return fail(&error.to_string()),
    };
    if options.json {
        say(serde_json::json!(audit));
    } else {
        say(&audit);
    }
    if audit.discrepancies.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Ends with 1 if refunds failed, with 2 if nothing can be said.
async fn run_refunds(options: cli::Refunds) -> ExitCode {
    let unknown = |error: &dyn Display| {
        note(&format!("error: {error}\n"));
        ExitCode::from(2)
    };
    let payments = match Payments::stripe(variable) {
        Ok(payments) => payments,
        Err(error) => return unknown(&error),
    };
    let audit = match standalone::refunds::refunds(&payments, options.days, &SystemClock).await {
        Ok(audit) => audit,
        Err(error) => return unknown(&error),
    };
    if options.json {
        say(serde_json::json!(audit));
    } else {
        say(&audit);
    }
    if audit.discrepancies.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run_dead_letters(command: cli::DeadLetters) -> Result<(), DeadLettersError> {
    match command {
        cli::DeadLetters::List { server } => {
            let letters = DeadLetters::at(&server.url)?.list().await?;
            if !letters.is_empty() {
                say(Letter::header());
            }
            letters.iter().for_each(say);
            note(&format!("{} dead letters\n", letters.len()));
        }
        cli::DeadLetters::Explain { id, server } => {
            say(DeadLetters::at(&server.url)?.explain(id).await?.trim_end());
        }
        cli::DeadLetters::Redrive { id, all: _, server } => {
            let redriven = DeadLetters::at(&server.url)?.redrive(id).await?;
            say(format_args!("{redriven} redriven"));
        }
        cli::DeadLetters::Discard { id, reason, server } => {
            DeadLetters::at(&server.url)?.discard(id, &reason).await?;
            say("1 discarded");
        }
    }
    Ok(())
}

async fn run_erase(erase: &cli::Erase) -> Result<(), ClientError> {
    let path = format!("/operator/orders/{}/erase", erase.id);
    Bookings::at(&erase.server.url)?.post(&path, &serde_json::json!({})).await?;
    println!("the passenger of {} is erased", erase.id);
    Ok(())
}

async fn run_drill(options: &cli::Drill) -> ExitCode {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return fail(&format!("the path of this program cannot be found: {error}")),
    };
    let drill = Drill { bookings: options.bookings, rate: options.rate, program };
    match drill.run(|line| note(&format!("{line}\n"))).await {
        Ok(outcome) => {
            say(&outcome);
            if outcome.violations() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => fail(&error.to_string()),
    }
}

async fn run_compare(options: &cli::Compare) -> ExitCode {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return fail(&format!("the path of this program cannot be found: {error}")),
    };
    let cli::Compare { bookings, rate, outage } = *options;
    match (Compare { bookings, rate, outage, program }).run(|line| note(&format!("{line}\n"))).await {
        Ok(outcome) => {
            say(&outcome);
            if outcome.violations() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => fail(&error.to_string()),
    }
}

async fn run_load(load: cli::Load) -> ExitCode {
    let load = Load {
        bookings: load.bookings as usize,
        concurrency: load.concurrency as usize,
        url: load.url,
        counters: load.counters,
    };
    let (bookings, terminal) = (load.bookings, std::io::stderr().is_terminal());
    let step = bookings.div_ceil(if terminal { 100 } else { 10 });
    let progress = |settled: usize| {
        if settled.is_multiple_of(step) || settled == bookings {
            let end = if terminal && settled < bookings { '\r' } else { '\n' };
            note(&format!("{settled} of {bookings} bookings settled{end}"));
        }
    };
    match load.run(progress).await {
        Ok(report) => {
            say(&report);
            if report.lost + report.refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => fail(&error.to_string()),
    }
}
