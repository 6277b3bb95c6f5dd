//! The Ticket Service on AWS: its flights on DynamoDB, and the wiring of its functions.

pub mod dynamodb;

use std::sync::Arc;

use aws::lambda::ConsumerFunction;
use aws::setup::{Setup, SetupError};
use axum::Router;
use protocol::ids::OrderId;
use protocol::topic::Topic;
use ticket_service::api;
use ticket_service::service::TicketService;
use ticket_service::store::TicketStore;

use crate::dynamodb::DynamoTickets;

/// The flights API.
///
/// # Errors
/// Names the part of the configuration that cannot be used.
pub async fn flights_api(setup: &Setup) -> Result<Router, SetupError> {
    let store = store(setup)?;
    setup.first_answer(store.offers().await)?;
    Ok(shared_http::close(api::router(Arc::new(store), setup.clock.clone())))
}

/// The consumer of tickets.
///
/// # Errors
/// Names the part of the configuration that cannot be used.
pub async fn tickets_consumer(setup: &Setup) -> Result<ConsumerFunction, SetupError> {
    let store = store(setup)?;
    let (topics, answer) =
        tokio::join!(setup.topics(&[Topic::OrderUpdates], Some(Topic::Tickets)), store.find(OrderId::NIL),);
    setup.first_answer(answer)?;
    let service = TicketService { store: Arc::new(store), clock: setup.clock.clone() };
    Ok(ConsumerFunction::new(service, setup, topics?))
}

fn store(setup: &Setup) -> Result<DynamoTickets, SetupError> {
    let (client, table) = setup.table()?;
    Ok(DynamoTickets::new(client, table, setup.entropy.clone()))
}
