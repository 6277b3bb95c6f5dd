//! The operator's view of a stack on AWS, from the command line.

mod cli;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use aws_config::BehaviorVersion;
use clap::Parser;
use cli::{Cli, Command, DeadLetters, Services};
use messaging::clock::{Clock, SystemClock};
use operator::commands::{self, Answer, Verdict, Which};
use operator::cost::Cost;
use operator::refunds;
use operator::serve::Server;
use operator::stack::Stack;
use operator::view::AwsView;
use system::view::Page;
use tokio::signal::unix::{SignalKind, signal};
use tracing::Level;

type Failure = Box<dyn std::error::Error>;

/// How many letters a second the page redrives.
const RATE: u32 = 10;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    // What is not of this program may log the bodies of its calls, which have names and addresses.
    tracing_subscriber::fmt()
        .with_max_level(Level::WARN)
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
    let json = cli.json;
    match run(cli).await {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(Answer { text, json: value, verdict })) => {
            say(&if json { value.to_string() } else { text });
            match verdict {
                Verdict::Fine => ExitCode::SUCCESS,
                Verdict::Differs => ExitCode::FAILURE,
                Verdict::Unknown => ExitCode::from(2),
            }
        }
        Err(error) => {
            note(&format!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

/// Prints a result. Not `println!`: where its reader has closed the pipe, as `| head` does, that panics.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Prints what is no result.
fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

async fn run(cli: Cli) -> Result<Option<Answer>, Failure> {
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let stack = Stack::find(&aws_sdk_cloudformation::Client::new(&config), &cli.stack).await?;
    let rate = match &cli.command {
        Command::DeadLetters(DeadLetters::Redrive { rate, .. }) => *rate,
        _ => RATE,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    if let Command::Refunds { days } = cli.command {
        let stripe = refunds::stripe(&config, &stack).await?;
        return Ok(Some(refunds::refunds(&stripe, clock.as_ref(), days).await?));
    }
    let view = AwsView::new(&config, stack, clock.clone(), rate);
    let answer = match cli.command {
        Command::Topics => commands::topics(&view).await,
        Command::Orders(orders) => {
            let which = match orders.status {
                Some(status) => Which::Of(status),
                None if orders.all => Which::All,
                None => Which::Unsettled,
            };
            if !matches!(which, Which::Unsettled) {
                note(&Cost::of_a_list(view.size_of_orders().await?).to_string());
            }
            let page = Page { limit: usize::from(orders.limit), after: orders.after };
            commands::orders(&view, which, &page).await
        }
        Command::Order { id } => commands::order(&view, clock.as_ref(), id).await,
        Command::Journey { id } => commands::journey(&view, id).await,
        Command::Audit => {
            note(&Cost::of_an_audit(view.sizes().await?).to_string());
            commands::audit(&view).await
        }
        Command::DeadLetters(DeadLetters::List) => commands::letters(&view).await,
        Command::DeadLetters(DeadLetters::Explain { id }) => commands::explain(&view, &id).await,
        Command::DeadLetters(DeadLetters::Redrive { id, dry_run, .. }) => {
            commands::redrive(&view, id, dry_run).await
        }
        Command::DeadLetters(DeadLetters::Discard { id, reason, dry_run }) => {
            commands::discard(&view, &id, &reason, dry_run).await
        }
        Command::Services(Services::List) => commands::services(&view).await,
        Command::Services(Services::Start(service)) => {
            commands::switch(&view, &service.name, true, service.dry_run).await
        }
        Command::Services(Services::Stop(service)) => {
            commands::switch(&view, &service.name, false, service.dry_run).await
        }
        // It needs no table, and was done above.
        Command::Refunds { .. } => return Ok(None),
        Command::Serve { port } => {
            serve(view, clock, port).await?;
            return Ok(None);
        }
    };
    Ok(Some(answer?))
}

async fn serve(view: AwsView, clock: Arc<dyn Clock>, port: u16) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = Server::listen(Arc::new(view), clock, port).await?;
    say(&format!("listening on {}", server.url()?));
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Ok(server.run(stop).await?)
}
