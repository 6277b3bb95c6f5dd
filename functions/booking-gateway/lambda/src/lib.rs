//! The Booking Gateway on AWS: its orders on DynamoDB, and the wiring of its functions.

pub mod dynamodb;
pub mod limits;

use std::sync::Arc;
use std::time::Duration;

use aws::lambda::ConsumerFunction;
use aws::setup::{Setup, SetupError};
use aws::sqs::SqsTopics;
use axum::Router;
use axum::extract::Request;
use axum::middleware::map_request;
use booking_gateway::accept::Acceptor;
use booking_gateway::api;
use booking_gateway::deadline::DeadlinePolicy;
use booking_gateway::gateway::Gateway;
use booking_gateway::limits::{Client, Limiter, Limits};
use booking_gateway::store::{From, OrderStore};
use booking_gateway::updates::OrderUpdates;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use protocol::topic::Topic;

use crate::dynamodb::DynamoOrders;
use crate::limits::DynamoLimiter;

/// The longest deadline of an order that a deployment can choose, in hours.
const LONGEST_DEADLINE: u64 = 365 * 24;

/// The bookings API and the page.
///
/// # Errors
/// Names the part of the configuration that cannot be used.
pub async fn bookings_api(setup: &Setup) -> Result<Router, SetupError> {
    let deadlines = DeadlinePolicy { deadline: deadline(setup)?, ..DeadlinePolicy::default() };
    let limits = limits(setup)?;
    let orders = orders(setup)?;
    let (client, table) = setup.table()?;
    // A `POST` owes the seats, a `DELETE` their release and the reversal.
    let sends = topics(|topic| topic.carries_commands() && topic.is_awaited());
    let (id_secret, manage, topics, answer) = tokio::join!(
        setup.secret("IDEMPOTENCY_SECRET_ARN"),
        setup.manage_secrets(),
        setup.topics(&sends, None),
        orders.get(OrderId::NIL)
    );
    setup.first_answer(answer)?;
    let gateway = Gateway { deadlines, ..gateway(setup, orders, topics?) };
    let (id_secret, manage) = (id_secret?, manage?);
    let limiter = limits.is_on().then(|| -> Arc<dyn Limiter> {
        let (clock, secret) = (setup.clock.clone(), id_secret.clone());
        Arc::new(DynamoLimiter { client, table, clock, secret, limits })
    });
    let acceptor = Acceptor { gateway, entropy: setup.entropy.clone(), id_secret, manage, limiter };
    let router = api::router(acceptor).layer(map_request(with_client));
    Ok(shared_http::close(router))
}

/// The request, with its client.
async fn with_client(mut request: Request) -> Request {
    if let Some(address) = aws::http::source_ip(request.extensions()) {
        request.extensions_mut().insert(Client::from(address));
    }
    request
}

fn limits(setup: &Setup) -> Result<Limits, SetupError> {
    let limit = |name| {
        let limit = setup.required(name)?.parse();
        limit.map_err(|_| setup.malformed(name, "must be a whole number, 0 for no limit"))
    };
    let (client, client_and_email) = ("BOOKINGS_PER_CLIENT", "BOOKINGS_PER_CLIENT_AND_EMAIL");
    Ok(Limits { client: limit(client)?, client_and_email: limit(client_and_email)? })
}

/// The consumer of order-updates.
///
/// # Errors
/// Names the part of the configuration that cannot be used.
pub async fn order_updates_consumer(setup: &Setup) -> Result<ConsumerFunction, SetupError> {
    let orders = orders(setup)?;
    let commands = topics(Topic::carries_commands);
    let (topics, answer) =
        tokio::join!(setup.topics(&commands, Some(Topic::OrderUpdates)), orders.get(OrderId::NIL));
    setup.first_answer(answer)?;
    let topics = topics?;
    let gateway = gateway(setup, orders, topics.clone());
    Ok(ConsumerFunction::new(OrderUpdates(gateway), setup, topics))
}

/// The gateway that the reconciler drives.
///
/// # Errors
/// Names the part of the configuration that cannot be used.
pub async fn reconciler(setup: &Setup) -> Result<Gateway, SetupError> {
    let orders = orders(setup)?;
    // No email: an order that owes a mail is settled, and not checked.
    let sends = topics(Topic::is_awaited);
    // One shard of the index is enough to open the connection.
    let shard = orders.due(0, Timestamp::from_millis(0), From::Oldest(None), 1);
    let (topics, answer) = tokio::join!(setup.topics(&sends, None), shard);
    setup.first_answer(answer)?;
    Ok(gateway(setup, orders, topics?))
}

fn topics(which: impl Fn(Topic) -> bool) -> Vec<Topic> {
    Topic::ALL.into_iter().filter(|topic| which(*topic)).collect()
}

fn gateway(setup: &Setup, orders: DynamoOrders, topics: SqsTopics) -> Gateway {
    let (clock, deadlines) = (setup.clock.clone(), DeadlinePolicy::default());
    Gateway { orders: Arc::new(orders), topics: Arc::new(topics), clock, deadlines }
}

fn orders(setup: &Setup) -> Result<DynamoOrders, SetupError> {
    let (client, table) = setup.table()?;
    Ok(DynamoOrders { client, table })
}

fn deadline(setup: &Setup) -> Result<Duration, SetupError> {
    let name = "HOLD_DEADLINE_HOURS";
    match setup.required(name)?.parse() {
        Ok(hours) if (1..=LONGEST_DEADLINE).contains(&hours) => Ok(Duration::from_secs(hours * 60 * 60)),
        _ => Err(setup.malformed(name, format_args!("must be from 1 to {LONGEST_DEADLINE}"))),
    }
}
