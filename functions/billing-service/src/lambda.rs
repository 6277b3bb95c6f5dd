//! The Billing Service's function on Lambda: what it is wired of.

use std::sync::Arc;

use shared::aws::lambda::ConsumerFunction;
use shared::aws::setup::{Setup, SetupError};
use shared::consumer::Consumer;
use shared::ids::OrderId;
use shared::topic::Topic;

use crate::dynamodb::{DynamoPayments, DynamoSimulatedProvider};
use crate::provider::PaymentProvider;
use crate::service::BillingService;
use crate::store::PaymentStore;

/// The consumer of billing.
///
/// # Errors
/// Names what of the configuration cannot be used.
pub async fn billing_consumer(setup: &Setup) -> Result<ConsumerFunction<BillingService>, SetupError> {
    let (client, table) = setup.table()?;
    let store = DynamoPayments { client, table };
    let (provider, topics, answer) = tokio::join!(
        provider(setup),
        setup.topics(&[Topic::OrderUpdates], Some(Topic::Billing)),
        // An order that nobody has.
        store.find(OrderId::from_bytes([0; 16])),
    );
    setup.first_answer(answer);
    let service = BillingService { store: Arc::new(store), provider: provider?, clock: setup.clock.clone() };
    Ok(ConsumerFunction { consumer: Consumer::new(service, setup.entropy.clone()), topics: topics? })
}

async fn provider(setup: &Setup) -> Result<Arc<dyn PaymentProvider>, SetupError> {
    let name = "PAYMENT_PROVIDER";
    match setup.required(name)? {
        "simulated" => {
            let (client, table) = setup.table()?;
            Ok(Arc::new(DynamoSimulatedProvider { client, table }))
        }
        _ => Err(setup.malformed(name, "must be simulated")),
    }
}
