//! Refunds that failed, as Stripe says: it is asked with the stack's own key.

use std::time::Duration;

use aws_config::SdkConfig;
use billing_service::provider::ProviderError;
use messaging::clock::Clock;
use messaging::error_chain::error_chain;
use protocol::time::Timestamp;
use rustls::crypto::aws_lc_rs;
use serde_json::json;
use stripe::{Options, SecretKey, StripeError, StripeProvider};
use system::audit::RefundAudit;
use thiserror::Error;

use crate::commands::{Answer, Verdict};
use crate::stack::Stack;

/// Nothing can be said of the refunds: exit status 2.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum RefundsError {
    #[error("the stack simulates payments, and its refunds do not fail: `audit` compares its books")]
    Simulated,
    #[error("the stack has no PaymentProviderSecretArn")]
    NoSecret,
    #[error("the secret of PaymentProviderSecretArn {0}")]
    Secret(String),
    #[error(transparent)]
    Stripe(#[from] StripeError),
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

/// The provider of a stack, with the key that the stack uses. The key is never shown.
///
/// # Errors
/// The stack does not use Stripe, or its key cannot be read.
pub async fn stripe(config: &SdkConfig, stack: &Stack) -> Result<StripeProvider, RefundsError> {
    if stack.simulates_payments {
        return Err(RefundsError::Simulated);
    }
    let arn = stack.provider_secret.as_ref().ok_or(RefundsError::NoSecret)?;
    let client = aws_sdk_secretsmanager::Client::new(config);
    let secret = client.get_secret_value().secret_id(arn).send().await;
    let secret =
        secret.map_err(|error| RefundsError::Secret(format!("cannot be read: {}", error_chain(&error))))?;
    let key = SecretKey::parse(secret.secret_string().unwrap_or_default())
        .map_err(|error| RefundsError::Secret(error.to_string()))?;
    Ok(StripeProvider::new(&key, aws_lc_rs::default_provider(), Options::default())?)
}

/// The refunds of the last days: 1 if any failed.
///
/// # Errors
/// Stripe does not answer, or refuses.
pub async fn refunds(stripe: &StripeProvider, clock: &dyn Clock, days: u32) -> Result<Answer, RefundsError> {
    let span = Duration::from_secs(24 * 60 * 60) * days;
    let since = clock.now().as_millis() - i64::try_from(span.as_millis()).unwrap_or_default();
    let refunds = stripe.refunds_since(Timestamp::from_millis(since)).await?;
    let audit = RefundAudit::of(days, &refunds);
    let verdict = if audit.discrepancies.is_empty() { Verdict::Fine } else { Verdict::Differs };
    Ok(Answer { text: audit.to_string(), json: json!(audit), verdict })
}
