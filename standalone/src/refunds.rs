//! `bookings refunds`: asks the payment provider for refunds that failed.

use std::time::Duration;

use billing_service::provider::ProviderError;
use messaging::clock::Clock;
use protocol::time::Timestamp;
use rustls::crypto::ring;
use stripe::{ApiUrl, Options, SecretKey, StripeError, StripeProvider};
use system::audit::RefundAudit;
use thiserror::Error;

use crate::integrations::Payments;

/// Nothing can be said of the refunds.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum RefundsError {
    #[error("the simulated provider's refunds do not fail: `audit` compares its books")]
    Simulated,
    #[error(transparent)]
    Stripe(#[from] StripeError),
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

/// Asks Stripe for the refunds of the last days.
///
/// # Errors
/// Stripe cannot be asked.
pub async fn refunds(payments: &Payments, days: u32, clock: &dyn Clock) -> Result<RefundAudit, RefundsError> {
    let Payments::Stripe { key, url } = payments else { return Err(RefundsError::Simulated) };
    let refunds = stripe_at(key, url)?.refunds_since(days_before(clock.now(), days)).await?;
    Ok(RefundAudit::of(days, &refunds))
}

fn stripe_at(key: &SecretKey, url: &ApiUrl) -> Result<StripeProvider, StripeError> {
    StripeProvider::new(key, ring::default_provider(), Options { url: url.clone(), ..Options::default() })
}

fn days_before(now: Timestamp, days: u32) -> Timestamp {
    let days = Duration::from_secs(24 * 60 * 60) * days;
    Timestamp::from_millis(now.as_millis() - i64::try_from(days.as_millis()).unwrap_or_default())
}
