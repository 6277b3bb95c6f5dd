//! The Billing Service on AWS: its payments on DynamoDB, and the wiring of its function.

pub mod dynamodb;

use std::sync::Arc;

use aws::lambda::ConsumerFunction;
use aws::setup::{Setup, SetupError};
use billing_service::provider::ProviderError::{Unavailable, Unknown};
use billing_service::provider::{PaymentProvider, PaymentRef, ProviderName, Providers};
use billing_service::service::BillingService;
use billing_service::store::PaymentStore;
use protocol::ids::OrderId;
use protocol::topic::Topic;
use rustls::crypto::aws_lc_rs;
use stripe::{Options, SecretKey, StripeProvider};
use tracing::warn;

use crate::dynamodb::{DynamoPayments, DynamoSimulatedProvider};

/// The consumer of billing.
///
/// # Errors
/// Names the part of the configuration that cannot be used.
pub async fn billing_consumer(setup: &Setup) -> Result<ConsumerFunction, SetupError> {
    let (client, table) = setup.table()?;
    let store = DynamoPayments { client, table };
    let (providers, topics, answer) = tokio::join!(
        providers(setup, &store),
        setup.topics(&[Topic::OrderUpdates], Some(Topic::Billing)),
        store.find(OrderId::NIL),
    );
    setup.first_answer(answer)?;
    let service =
        BillingService { store: Arc::new(store), providers: providers?, clock: setup.clock.clone() };
    Ok(ConsumerFunction::new(service, setup, topics?))
}

async fn providers(setup: &Setup, store: &DynamoPayments) -> Result<Providers, SetupError> {
    let name = "PAYMENT_PROVIDER";
    // Its books are in the same table, over the same connection.
    let DynamoPayments { client, table } = store;
    let simulated = Arc::new(DynamoSimulatedProvider { client: client.clone(), table: table.clone() });
    match setup.required(name)? {
        "simulated" => Ok(Providers::only(ProviderName::SIMULATED, simulated)),
        "stripe" => {
            let name = "PAYMENT_PROVIDER_SECRET_ARN";
            let unusable = |reason: String| SetupError::Secret { name, reason };
            let key = SecretKey::parse(&setup.secret_text(name).await?)
                .map_err(|error| unusable(error.to_string()))?;
            let options = Options { clock: setup.clock.clone(), ..Options::default() };
            let stripe = StripeProvider::new(&key, aws_lc_rs::default_provider(), options)
                .map_err(|error| unusable(error.to_string()))?;
            // Opens the connection. There is no such payment; any answer will do.
            if let Err(error @ (Unavailable(_) | Unknown(_))) =
                stripe.retrieve(&PaymentRef("pi_none".to_owned())).await
            {
                warn!("the payment provider does not answer yet: {error}");
            }
            // Payments opened before the deployment used Stripe are finished by the simulated provider.
            let providers = Providers::only(ProviderName::STRIPE, Arc::new(stripe));
            Ok(providers.beside(ProviderName::SIMULATED, simulated))
        }
        _ => Err(setup.malformed(name, "must be simulated or stripe")),
    }
}
