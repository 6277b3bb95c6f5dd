//! Stripe as the payment provider.
//!
//! A payment is a PaymentIntent: *open* creates it unconfirmed, with its payment method; *capture*
//! confirms it; *void* cancels it; *refund* refunds its charge. Only its id is ever looked for.
//!
//! | asked | idempotency key | asked again under another key, or late, or forgotten by Stripe |
//! |---|---|---|
//! | open | `{order}/open` | opens another intent that is never confirmed: no money moves |
//! | capture | `{order}/capture` | an intent makes at most one successful charge: one that succeeded, was refused or canceled cannot be confirmed again |
//! | void | none | one that is canceled stays so; one that succeeded cannot be canceled |
//! | refund | `{order}/refund`, then `{order}/refund/N` after N − 1 refunds that failed | refunds are listed first, and a charge refunds no more than was taken: each asks for all of it |
//!
//! So keys save work, and the intent's own state keeps money from moving twice. This allows a new key
//! where Stripe would only repeat an old error: it stores the first answer
//! to a key for a day, a `500` too, and a `500` says nothing about whether the work was done. The
//! way out of a `500` on a capture is: the outcome is unknown, so the command waits; its next copy
//! retrieves the intent; only if that is still unconfirmed is it confirmed again, and if the answer
//! is the stored `500`, once more under the key of this quarter of an hour
//! (`{order}/capture/{quarters since 1970}`).
//!
//! A refund counts once Stripe says that it *succeeded*. While it is pending, the reversal waits;
//! if it failed, another is asked for. One that fails after that comes to light only where Stripe is
//! asked for it, by [`StripeProvider::refunds_since`]: an operator must return the money by other means.
//! <https://docs.stripe.com/refunds#failed-refunds>

mod api;
mod failed_refunds;
mod objects;
mod settings;

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use messaging::clock::{Clock, SystemClock};
use protocol::ids::OrderId;
use protocol::money::Money;
use protocol::payment::PaymentMethod;
use rustls::crypto::CryptoProvider;
use thiserror::Error;
use tracing::warn;

use self::api::{Api, Failure, Post};
use self::objects::{Intent, List, Refund, RefundStatus, Stage};
pub use self::settings::{ApiUrl, Patience, SecretKey};
use billing_service::provider::{
    Captured, Opened, PaymentProvider, PaymentRef, PaymentStatus, ProviderError, Voided,
};

/// Where Stripe counts in other units than ISO 4217, an amount would be charged as a hundredth of
/// itself (ISK, UGX: no minor unit, yet Stripe has hundredths) or a hundredfold (MGA: the reverse).
/// <https://docs.stripe.com/currencies#minor-units>
const COUNTED_OTHERWISE: [&str; 3] = ["ISK", "MGA", "UGX"];

/// Payments by Stripe.
pub struct StripeProvider {
    api: Api,
    patience: Patience,
}

/// What a [`StripeProvider`] is made of, beside its key.
#[derive(Clone)]
pub struct Options {
    /// Where Stripe is.
    pub url: ApiUrl,
    /// How long its answers are waited for.
    pub patience: Patience,
    /// Its time: see the [module](self) on keys.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Self { url: ApiUrl::default(), patience: Patience::default(), clock: Arc::new(SystemClock) }
    }
}

/// Stripe cannot be called from here.
#[derive(Debug, Error)]
#[error("Stripe cannot be called over TLS: {0}; are root certificates installed (ca-certificates)?")]
pub struct StripeError(#[from] io::Error);

impl StripeProvider {
    /// Stripe, with that account's key, over that TLS: a platform brings the cryptography that it
    /// links anyway. Nothing is asked yet.
    pub fn new(key: &SecretKey, cryptography: CryptoProvider, options: Options) -> Result<Self, StripeError> {
        let Options { url, patience, clock } = options;
        Ok(Self { api: Api::new(url, key, cryptography, clock)?, patience })
    }

    async fn post(
        &self,
        path: String,
        form: &[(&str, &str)],
        key: Option<String>,
    ) -> Result<Intent, Failure> {
        self.api.post(&Post { path, form, key, patience: self.patience.other }).await
    }

    async fn intent(&self, reference: &PaymentRef) -> Result<Intent, ProviderError> {
        Ok(self.api.get(&path(reference, "")?, self.patience.other).await?)
    }

    /// The refunds of a payment. There are never many: each is for all that is left.
    async fn refunds(&self, reference: &PaymentRef) -> Result<Refunds, ProviderError> {
        path(reference, "")?;
        let query = format!("/v1/refunds?limit=100&payment_intent={reference}");
        let List { data, .. } = self.api.get(&query, self.patience.other).await?;
        Ok(Refunds(data))
    }

    /// Asks for the refund of all that is left of `taken`; answers whether all is refunded then.
    async fn ask_for_refund(
        &self,
        order: OrderId,
        reference: &PaymentRef,
        taken: &Money,
        mut refunds: Refunds,
    ) -> Result<bool, ProviderError> {
        let dead = refunds.dead();
        let key = if dead == 0 { format!("{order}/refund") } else { format!("{order}/refund/{}", dead + 1) };
        let order = order.to_string();
        let post = Post {
            path: "/v1/refunds".to_owned(),
            form: &[("payment_intent", &reference.0), ("metadata[order_id]", &order)],
            key: Some(key),
            patience: self.patience.other,
        };
        match self.api.post::<Refund>(&post).await {
            Ok(refund) => {
                refunds.0.push(refund);
                refunds.fully_refunded(taken.value)
            }
            // Another copy of the command was faster, and its refund may be pending. If a refund
            // failed before, this answer is not enough: the money may be back in our account.
            Err(Failure::Request(error, _)) if error.code.as_deref() == Some("charge_already_refunded") => {
                Ok(self.refunds(reference).await?.fully_refunded(taken.value)? || dead == 0)
            }
            Err(failure) => Err(failure.into()),
        }
    }
}

/// The path of a payment's intent. Its name is checked: it becomes part of an address.
fn path(reference: &PaymentRef, action: &str) -> Result<String, ProviderError> {
    let rest = reference.0.strip_prefix("pi_").unwrap_or_default();
    if (1..=250).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        Ok(format!("/v1/payment_intents/{reference}{action}"))
    } else {
        Err(ProviderError::Refused(format!("{reference:?} is not a payment of Stripe")))
    }
}

/// All refunds of one payment.
struct Refunds(Vec<Refund>);

impl Refunds {
    fn sum(&self, status: RefundStatus) -> u64 {
        self.0.iter().filter(|refund| refund.status == status).map(|refund| refund.amount).sum()
    }

    /// How many failed.
    fn dead(&self) -> usize {
        let dead = |refund: &&Refund| matches!(refund.status, RefundStatus::Failed | RefundStatus::Canceled);
        self.0.iter().filter(dead).count()
    }

    /// Whether all of `taken` was refunded, if that is certain.
    fn fully_refunded(&self, taken: u64) -> Result<bool, ProviderError> {
        if self.sum(RefundStatus::Succeeded) >= taken {
            return Ok(true);
        }
        for Refund { id, status, .. } in &self.0 {
            match status {
                RefundStatus::Pending => {
                    return Err(ProviderError::Unknown(format!("refund {id} is still pending")));
                }
                RefundStatus::RequiresAction | RefundStatus::Other => {
                    return Err(ProviderError::Refused(format!("refund {id} waits: {status:?}")));
                }
                RefundStatus::Failed | RefundStatus::Canceled | RefundStatus::Succeeded => {}
            }
        }
        Ok(false)
    }
}

#[async_trait]
impl PaymentProvider for StripeProvider {
    async fn open(
        &self,
        order: OrderId,
        amount: &Money,
        method: &PaymentMethod,
    ) -> Result<Opened, ProviderError> {
        if COUNTED_OTHERWISE.contains(&amount.currency.as_str()) {
            let currency = &amount.currency;
            return Err(ProviderError::Refused(format!("{currency} is not counted in ISO 4217's units")));
        }
        let (value, currency) = (amount.value.to_string(), amount.currency.as_str().to_ascii_lowercase());
        let form = [
            ("amount", value.as_str()),
            ("currency", &currency),
            ("payment_method", method.as_str()),
            // Cards alone: nothing that sends the customer elsewhere, or pays days later.
            ("payment_method_types[]", "card"),
            ("capture_method", "automatic"),
            ("confirm", "false"),
            ("metadata[order_id]", &order.to_string()),
        ];
        match self.post("/v1/payment_intents".to_owned(), &form, Some(format!("{order}/open"))).await {
            Ok(intent) => Ok(Opened::Open(PaymentRef(intent.id))),
            Err(Failure::Card) => Ok(Opened::Declined),
            Err(Failure::Request(error, said)) if error.is_about_the_method() => {
                warn!(order_id = %order, "order {order}: its payment method was refused: {said}");
                Ok(Opened::Declined)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    async fn capture(&self, order: OrderId, reference: &PaymentRef) -> Result<Captured, ProviderError> {
        let confirm = Post {
            path: path(reference, "/confirm")?,
            // No customer is present: a card that requires authentication is declined.
            form: &[("error_on_requires_action", "true")],
            key: Some(format!("{order}/capture")),
            patience: self.patience.confirm,
        };
        let (intent, refused) = match self.api.post(&confirm).await {
            Ok(intent) => (intent, None),
            Err(Failure::Card) => return Ok(Captured::Declined),
            // It is not to be confirmed (any more); how it stands says why.
            Err(Failure::Request(error, said)) => (self.intent(reference).await?, Some((error, said))),
            Err(failure) => return Err(failure.into()),
        };
        match (intent.stage()?, refused) {
            (Stage::Captured, _) => Ok(Captured::Captured),
            (Stage::Declined, _) => Ok(Captured::Declined),
            (Stage::Voided, _) => Ok(Captured::Voided),
            (Stage::Open, Some((error, said))) if error.is_about_the_method() => {
                warn!(order_id = %order, "order {order}: its payment method was refused: {said}");
                Ok(Captured::Declined)
            }
            (Stage::Open, Some((_, said))) => Err(ProviderError::Refused(said)),
            (Stage::Open, None) => Err(ProviderError::Unknown(format!("{reference} was not confirmed"))),
        }
    }

    async fn retrieve(&self, reference: &PaymentRef) -> Result<PaymentStatus, ProviderError> {
        let intent = self.intent(reference).await?;
        match intent.stage()? {
            Stage::Open => Ok(PaymentStatus::Open),
            Stage::Declined => Ok(PaymentStatus::Declined),
            Stage::Voided => Ok(PaymentStatus::Voided),
            Stage::Captured => {
                let taken = intent.received()?;
                let fully_refunded = self.refunds(reference).await?.fully_refunded(taken.value)?;
                Ok(if fully_refunded { PaymentStatus::Refunded(taken) } else { PaymentStatus::Captured })
            }
        }
    }

    async fn void(&self, reference: &PaymentRef) -> Result<Voided, ProviderError> {
        let (intent, refused) = match self.post(path(reference, "/cancel")?, &[], None).await {
            Ok(intent) => (intent, None),
            Err(Failure::Request(_, said)) => (self.intent(reference).await?, Some(said)),
            Err(failure) => return Err(failure.into()),
        };
        match intent.stage()? {
            Stage::Voided => Ok(Voided::Voided),
            Stage::Captured => Ok(Voided::AlreadyCaptured),
            Stage::Open | Stage::Declined => Err(ProviderError::Refused(
                refused.unwrap_or_else(|| format!("{reference} was not canceled")),
            )),
        }
    }

    async fn refund(&self, order: OrderId, reference: &PaymentRef) -> Result<Money, ProviderError> {
        let intent = self.intent(reference).await?;
        if intent.stage()? != Stage::Captured {
            return Err(ProviderError::Refused(format!("nothing was taken with {reference}")));
        }
        let taken = intent.received()?;
        // Refunds are listed, not repeated: Stripe may have forgotten the key of an earlier one.
        let refunds = self.refunds(reference).await?;
        if refunds.fully_refunded(taken.value)? {
            return Ok(taken);
        }
        if self.ask_for_refund(order, reference, &taken, refunds).await? {
            return Ok(taken);
        }
        Err(ProviderError::Refused(format!("a refund of {reference} failed; another is asked for later")))
    }
}
