//! What the tests of the Stripe adapter share.
#![allow(dead_code, clippy::unwrap_used, clippy::allow_attributes, reason = "each test file uses its part")]

use std::sync::Arc;
use std::time::Duration;

use billing_service::provider::{Opened, PaymentProvider, PaymentRef, ProviderError};
use messaging::clock::{Clock, ManualClock};
use protocol::ids::OrderId;
use protocol::money::{Currency, Money};
use protocol::payment::PaymentMethod;
use protocol::time::Timestamp;
use serde_json::{Value, json};
use stripe::{ApiUrl, Options, Patience, SecretKey, StripeProvider};
use stripe_server::StripeServer;

pub(crate) const KEY: &str = "sk_test_verySecret42";

/// A client of a server like Stripe's, both on one clock.
pub(crate) struct Stripe {
    pub(crate) server: StripeServer,
    pub(crate) provider: Arc<StripeProvider>,
    pub(crate) clock: Arc<ManualClock>,
}

impl Stripe {
    pub(crate) async fn start() -> Self {
        Self::patient(Duration::from_secs(10)).await
    }

    /// One whose answers are waited for only so long.
    pub(crate) async fn patient(patience: Duration) -> Self {
        let clock = Arc::new(ManualClock::at(start()));
        let server = StripeServer::start(clock.clone()).await;
        let provider = Arc::new(provider(server.url(), patience, clock.clone()));
        Self { server, provider, clock }
    }

    pub(crate) async fn open(&self, method: &str) -> PaymentRef {
        match self.provider.open(order(), &euros(25_900), &card(method)).await.unwrap() {
            Opened::Open(reference) => reference,
            Opened::Declined => panic!("it was declined before it was opened"),
        }
    }

    pub(crate) async fn captured(&self, method: &str) -> PaymentRef {
        let reference = self.open(method).await;
        self.provider.capture(order(), &reference).await.unwrap();
        reference
    }

    /// The requests that were on their way arrive.
    pub(crate) fn land(&self) -> usize {
        self.server.land(self.clock.now())
    }
}

pub(crate) fn provider(url: &str, patience: Duration, clock: Arc<dyn Clock>) -> StripeProvider {
    let patience = Patience { confirm: patience, other: patience };
    let options = Options { url: ApiUrl::parse(url).unwrap(), patience, clock };
    StripeProvider::new(&SecretKey::parse(KEY).unwrap(), rustls::crypto::ring::default_provider(), options)
        .unwrap()
}

pub(crate) fn order() -> OrderId {
    OrderId::from_bytes([7; 16])
}

pub(crate) fn start() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

pub(crate) fn euros(value: u64) -> Money {
    Money { value, currency: Currency::parse("EUR").unwrap() }
}

pub(crate) fn card(method: &str) -> PaymentMethod {
    PaymentMethod::parse(method).unwrap()
}

pub(crate) const fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

pub(crate) fn unknown<T>(result: &Result<T, ProviderError>) -> bool {
    matches!(result, Err(ProviderError::Unknown(_)))
}

pub(crate) fn refused<T>(result: &Result<T, ProviderError>) -> bool {
    matches!(result, Err(ProviderError::Refused(_)))
}

pub(crate) fn unavailable<T>(result: &Result<T, ProviderError>) -> bool {
    matches!(result, Err(ProviderError::Unavailable(_)))
}

pub(crate) fn error(kind: &str, code: Value, param: Value) -> Value {
    json!({"error": {"type": kind, "code": code, "param": param, "message": "about pm_card_visa"}})
}
