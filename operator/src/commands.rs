//! The commands: each answers text, JSON, and a verdict, which is the program's exit status.

use booking_gateway::api::without_passenger;
use booking_gateway::order::{Order, Status};
use messaging::clock::Clock;
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::topic::Topic;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use system::audit::{Auditor, Case, Row};
use system::journey::Journey;
use system::text::{self, Change, Listed, Topics};
use system::view::dead_letter::Letter;
use system::view::{DeadLetter, Filter, LetterId, Page, PageError, Switches, View};
use thiserror::Error;

use crate::view::AwsView;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well, or what was asked for is done. Exit status 0.
    Fine,
    /// There are differences or dead letters. Exit status 1.
    Differs,
    /// It cannot be told. Exit status 2.
    Unknown,
}

/// A command's answer.
#[derive(Debug)]
pub struct Answer {
    /// For a person.
    pub text: String,
    /// For a program.
    pub json: Value,
    /// The exit status.
    pub verdict: Verdict,
}

/// The command failed: exit status 2.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum CommandError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("--after {0}")]
    Page(#[from] PageError),
    #[error("there is no order {0}")]
    NoOrder(OrderId),
    #[error("there is no dead letter {0}; `dead-letters list` shows them")]
    NoLetter(LetterId),
    #[error("there is no service {0:?}; there are {known}", known = Topic::ALL.map(Topic::switch).join(", "))]
    NoService(String),
    #[error("an answer cannot be read: {0}")]
    Odd(#[from] serde_json::Error),
}

type Answered = Result<Answer, CommandError>;

fn answer(text: impl Into<String>, json: Value) -> Answer {
    Answer { text: text.into(), json, verdict: Verdict::Fine }
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, CommandError> {
    Ok(T::deserialize(value)?)
}

/// The state of every topic. Dead letters are a difference.
pub async fn topics(view: &AwsView) -> Answered {
    let states = view.topics().await?;
    let dead = states.iter().any(|(_, state)| state.dead_lettered > 0);
    let states = Topics(states.into_iter().map(|(topic, state)| (topic.name().to_owned(), state)).collect());
    let text = format!("{states}\n\nSQS counts approximately; these may be a minute old.");
    Ok(Answer {
        verdict: if dead { Verdict::Differs } else { Verdict::Fine },
        ..answer(text, json!(states.0))
    })
}

/// Which orders are listed.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    /// Those that are not settled, by their next check.
    Unsettled,
    /// All, by a scan.
    All,
    /// Those of a status, by a scan.
    Of(Status),
}

/// A page of orders.
pub async fn orders(view: &AwsView, which: Which, page: &Page) -> Answered {
    let filter = match which {
        Which::Unsettled => Filter::UNSETTLED,
        Which::All => Filter::ALL,
        Which::Of(status) => Filter { status: Some(status), ..Filter::ALL },
    };
    let orders = view.orders(filter, page).await?;
    let items: Vec<_> = orders.items.iter().map(without_passenger).collect();
    let json = json!({"items": items, "next": orders.next});
    let listed: Vec<Listed> = read(&json["items"])?;
    let mut lines = vec![Listed::header()];
    lines.extend(listed.iter().map(Listed::to_string));
    lines.extend(orders.next.map(|next| format!("\nthere are more: --after {next}")));
    Ok(answer(lines.join("\n"), json))
}

async fn find(view: &AwsView, id: OrderId) -> Result<(Order, Case), CommandError> {
    let case = view.case(id).await?;
    let order = case.order.clone().ok_or(CommandError::NoOrder(id))?;
    Ok((order, case))
}

/// Expected against actual, of one order.
pub async fn order(view: &AwsView, clock: &dyn Clock, id: OrderId) -> Answered {
    let (_, case) = find(view, id).await?;
    let rows = Row::of(&case, &view.books());
    let mut auditor = Auditor::new(view.books(), clock.now());
    auditor.case(id, &case);
    let audit = auditor.without_flights();
    let verdict = verdict(&audit);
    let text = format!("{}\n\n{audit}", text::rows(&rows));
    let mut json = json!(audit);
    json["rows"] = json!(rows);
    Ok(Answer { verdict, ..answer(text, json) })
}

/// What happened to an order. Its messages are in the functions' logs alone.
pub async fn journey(view: &AwsView, id: OrderId) -> Answered {
    let (order, case) = find(view, id).await?;
    let shown = json!(without_passenger(&order));
    let history: Vec<Change> = read(&shown["history"])?;
    let journey = Journey::of(&order, &case, view);
    let found = Journey { cut_before: None, ..journey.clone() };
    let text = format!(
        "{}its messages are in the logs: sam logs --stack-name STACK --filter '{id}'",
        text::journey(&history, &found)
    );
    let Journey { messages, cut_before, rows } = journey;
    let json = json!({"order": shown, "messages": messages, "cut_before": cut_before, "rows": rows});
    Ok(answer(text, json))
}

/// Every order and flight, expected against actual: a scan.
pub async fn audit(view: &AwsView) -> Answered {
    let audit = view.audit().await?;
    Ok(Answer { verdict: verdict(&audit), ..answer(audit.to_string(), json!(audit)) })
}

fn verdict(audit: &system::audit::Audit) -> Verdict {
    if !audit.discrepancies.is_empty() {
        Verdict::Differs
    } else if audit.is_complete() {
        Verdict::Fine
    } else {
        Verdict::Unknown
    }
}

/// The dead letters.
pub async fn letters(view: &AwsView) -> Answered {
    let looked = view.look().await?;
    let letters: Vec<_> = looked.letters.iter().map(Letter::of).collect();
    let mut lines: Vec<_> = if letters.is_empty() { Vec::new() } else { vec![Letter::header()] };
    lines.extend(letters.iter().map(Letter::to_string));
    lines.push(format!("{} dead letters", letters.len()));
    if looked.missed > 0 {
        lines.push(format!("SQS counts {} more: another receiver hides them for a minute", looked.missed));
    }
    let verdict = match (letters.is_empty(), looked.missed) {
        (false, _) => Verdict::Differs,
        (true, 0) => Verdict::Fine,
        (true, _) => Verdict::Unknown,
    };
    Ok(Answer { verdict, ..answer(lines.join("\n"), json!(letters)) })
}

async fn letter(view: &AwsView, id: &LetterId) -> Result<DeadLetter, CommandError> {
    let letters = view.dead_letters().await?;
    letters.into_iter().find(|letter| letter.id == *id).ok_or_else(|| CommandError::NoLetter(id.clone()))
}

/// Everything about one dead letter.
pub async fn explain(view: &AwsView, id: &LetterId) -> Answered {
    let letter = Letter::of(&letter(view, id).await?);
    let order = match &letter.order_id {
        None => "none can be read from it".to_owned(),
        Some(order) => match order.parse::<OrderId>() {
            Ok(id) => match view.case(id).await?.order {
                Some(found) => text::progress(order, &json!(without_passenger(&found))),
                None => format!("{order}, which this stack does not know"),
            },
            Err(_) => format!("{order}, which is no order's id"),
        },
    };
    Ok(answer(text::letter(&letter, &order).trim_end(), json!(letter)))
}

/// Sends dead letters back to their topics, one or all.
pub async fn redrive(view: &AwsView, one: Option<LetterId>, dry_run: bool) -> Answered {
    if dry_run {
        let letters = match &one {
            Some(id) => vec![letter(view, id).await?],
            None => view.dead_letters().await?,
        };
        let letters: Vec<_> = letters.iter().map(Letter::of).collect();
        let lines: Vec<_> = letters.iter().map(|letter| format!("would redrive {letter}")).collect();
        return Ok(answer(lines.join("\n"), json!({"would_redrive": letters})));
    }
    let redriven = view.redrive(one.clone()).await?;
    match one {
        Some(id) if redriven == 0 => Err(CommandError::NoLetter(id)),
        _ => Ok(answer(format!("{redriven} redriven"), json!({"redriven": redriven}))),
    }
}

/// Deletes a dead letter. What it was is in the answer: SQS keeps nothing of it.
pub async fn discard(view: &AwsView, id: &LetterId, reason: &str, dry_run: bool) -> Answered {
    let letter = Letter::of(&letter(view, id).await?);
    if dry_run {
        return Ok(answer(format!("would discard {letter}"), json!({"would_discard": letter})));
    }
    let discarded = view.discard(id.clone(), reason).await?;
    if discarded == 0 {
        return Err(CommandError::NoLetter(id.clone()));
    }
    let text = format!("{discarded} discarded: {letter}\nreason: {reason}");
    Ok(answer(text, json!({"discarded": discarded, "letter": letter, "reason": reason})))
}

/// Which services run.
pub async fn services(view: &AwsView) -> Answered {
    view.topics().await?;
    let services = Topic::ALL.map(|topic| (topic.switch(), view.is_running(topic)));
    let line = |(name, running)| format!("{name:<16}  {}", if running { "running" } else { "stopped" });
    let json: serde_json::Map<_, _> =
        services.iter().map(|(name, running)| ((*name).to_owned(), json!({"running": running}))).collect();
    Ok(answer(services.map(line).join("\n"), json.into()))
}

/// Starts or stops a service.
pub async fn switch(view: &AwsView, service: &str, running: bool, dry_run: bool) -> Answered {
    let topic = Topic::ALL.into_iter().find(|topic| topic.switch() == service);
    let topic = topic.ok_or_else(|| CommandError::NoService(service.to_owned()))?;
    if !dry_run {
        view.switch(topic, running).await?;
    }
    let would = if dry_run { "would be " } else { "is " };
    let done = if running { "started" } else { "stopped" };
    let text = format!("{service} {would}{done}");
    Ok(answer(text, json!({"service": service, "running": running, "dry_run": dry_run})))
}
