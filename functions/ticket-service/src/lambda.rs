//! The Ticket Service's functions on Lambda: what each is wired of.

use std::sync::Arc;

use axum::Router;
use shared::aws::lambda::ConsumerFunction;
use shared::aws::setup::{Setup, SetupError};
use shared::consumer::Consumer;
use shared::ids::OrderId;
use shared::topic::Topic;

use crate::api;
use crate::dynamodb::DynamoTickets;
use crate::service::TicketService;
use crate::store::TicketStore;

/// The flights API.
///
/// # Errors
/// Names what of the configuration cannot be used.
pub async fn flights_api(setup: &Setup) -> Result<Router, SetupError> {
    let store = store(setup)?;
    setup.first_answer(store.offers().await);
    Ok(shared::http::close(api::router(Arc::new(store))))
}

/// The consumer of tickets.
///
/// # Errors
/// Names what of the configuration cannot be used.
pub async fn tickets_consumer(setup: &Setup) -> Result<ConsumerFunction<TicketService>, SetupError> {
    let store = store(setup)?;
    let (topics, answer) = tokio::join!(
        setup.topics(&[Topic::OrderUpdates], Some(Topic::Tickets)),
        // An order that nobody has.
        store.find(OrderId::from_bytes([0; 16])),
    );
    setup.first_answer(answer);
    let service = TicketService { store: Arc::new(store), clock: setup.clock.clone() };
    Ok(ConsumerFunction { consumer: Consumer::new(service, setup.entropy.clone()), topics: topics? })
}

fn store(setup: &Setup) -> Result<DynamoTickets, SetupError> {
    let (client, table) = setup.table()?;
    Ok(DynamoTickets::new(client, table, setup.entropy.clone()))
}
