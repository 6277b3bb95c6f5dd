//! Stripe's objects, as far as they are read here.

use billing_service::provider::ProviderError;
use protocol::ids::OrderId;
use protocol::money::{Currency, Money};
use serde::Deserialize;

/// A payment intent: what this service calls a payment.
/// <https://docs.stripe.com/api/payment_intents/object>
#[derive(Debug, Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    #[serde(default)]
    pub(super) metadata: Metadata,
    status: Status,
    amount_received: u64,
    currency: String,
}

/// What was written on an object when it was made. Other programs may have made it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Metadata {
    #[serde(default)]
    order_id: Option<String>,
}

impl Metadata {
    /// The order that it is about.
    pub(super) fn order(&self) -> Option<OrderId> {
        self.order_id.as_deref()?.parse().ok()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    Processing,
    RequiresCapture,
    Succeeded,
    Canceled,
    /// One that this version does not know.
    #[serde(other)]
    Other,
}

/// Where an intent stands, in this service's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not confirmed yet.
    Open,
    /// The card was refused, or its owner would have to act: nothing happens without another card.
    Declined,
    /// The money was taken.
    Captured,
    /// Closed, with nothing taken.
    Voided,
}

impl Intent {
    /// Where it stands; unknown while Stripe itself does not know.
    pub(super) fn stage(&self) -> Result<Stage, ProviderError> {
        match self.status {
            Status::RequiresConfirmation => Ok(Stage::Open),
            // It was opened with a payment method, so if it asks for one that one was refused.
            Status::RequiresPaymentMethod | Status::RequiresAction => Ok(Stage::Declined),
            Status::Succeeded => Ok(Stage::Captured),
            Status::Canceled => Ok(Stage::Voided),
            Status::Processing => Err(ProviderError::Unknown(format!("{} is being processed", self.id))),
            // No payment opened here is authorized for a later capture.
            Status::RequiresCapture | Status::Other => {
                let (id, status) = (&self.id, self.status);
                Err(ProviderError::Refused(format!("{id} has a status it should never have: {status:?}")))
            }
        }
    }

    /// What was taken by one that succeeded.
    pub(super) fn received(&self) -> Result<Money, ProviderError> {
        let currency = Currency::parse(&self.currency.to_ascii_uppercase())
            .map_err(|error| ProviderError::Unknown(format!("the currency of {} {error}", self.id)))?;
        if self.amount_received == 0 {
            return Err(ProviderError::Refused(format!("{} succeeded, and took nothing", self.id)));
        }
        Ok(Money { value: self.amount_received, currency })
    }
}

/// <https://docs.stripe.com/api/refunds/object>
#[derive(Debug, Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) status: RefundStatus,
    pub(super) amount: u64,
    #[serde(default)]
    pub(super) currency: String,
    /// When it was asked for, in seconds since 1970.
    #[serde(default)]
    pub(super) created: i64,
    #[serde(default)]
    pub(super) payment_intent: Option<String>,
    #[serde(default)]
    pub(super) failure_reason: Option<String>,
    #[serde(default)]
    pub(super) metadata: Metadata,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RefundStatus {
    /// Under way. It may yet fail.
    Pending,
    /// Waits for the customer. Refunds to cards never do.
    RequiresAction,
    Succeeded,
    Failed,
    Canceled,
    /// One that this version does not know.
    #[serde(other)]
    Other,
}

/// A page of a list, newest first.
#[derive(Debug, Deserialize)]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
    #[serde(default)]
    pub(super) has_more: bool,
}

/// The body of an error.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorBody {
    #[serde(default)]
    pub(super) error: ErrorObject,
}

/// What is read of an error. Its `message` is not: it may quote a payment method.
/// <https://docs.stripe.com/api/errors>
#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorObject {
    #[serde(default, rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) code: Option<String>,
    #[serde(default)]
    pub(super) param: Option<String>,
}

/// Codes of a payment method that was refused. Not `payment_method_unactivated`: that is the account's.
/// <https://docs.stripe.com/error-codes>
const OF_THE_METHOD: [&str; 3] =
    ["payment_method_customer_decline", "payment_method_provider_decline", "payment_method_unexpected_state"];

impl ErrorObject {
    /// Whether the request was refused for its payment method, by a parameter or a code that Stripe documents for it.
    ///
    /// An error with neither is never taken for one: it may be the account that is refused, and with it every good
    /// card. So a method that was used up, for which Stripe names neither, waits until the order's deadline.
    pub(super) fn is_about_the_method(&self) -> bool {
        self.kind == "invalid_request_error"
            && (self.param.as_deref() == Some("payment_method")
                || self.code.as_deref().is_some_and(|code| OF_THE_METHOD.contains(&code)))
    }
}
