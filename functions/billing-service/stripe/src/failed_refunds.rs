//! Refunds that failed after Stripe had taken them on: a closed card is found out days later, when the order was cancelled
//! long ago. <https://docs.stripe.com/refunds#failed-refunds>

use std::collections::BTreeSet;

use billing_service::provider::{PaymentRef, ProviderError};
use billing_service::refunds::{FailedRefund, Refunds};
use protocol::money::{Currency, Money};
use protocol::time::Timestamp;

use super::StripeProvider;
use super::api::word;
use super::objects::{List, Refund, RefundStatus};

impl StripeProvider {
    /// The refunds that were asked for since that moment: how many, and the payments whose last one failed. It is a list of
    /// the account, read page by page, newest first.
    ///
    /// # Errors
    /// Stripe does not answer, or refuses.
    pub async fn refunds_since(&self, since: Timestamp) -> Result<Refunds, ProviderError> {
        let mut found = Refunds::default();
        // Payments of which a later refund was seen.
        let mut seen = BTreeSet::new();
        let mut after: Option<String> = None;
        loop {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("limit", "100");
            query.append_pair("created[gte]", &since.as_millis().div_euclid(1_000).to_string());
            if let Some(after) = &after {
                query.append_pair("starting_after", after);
            }
            let path = format!("/v1/refunds?{}", query.finish());
            let List { data, has_more } = self.api.get::<List<Refund>>(&path, self.patience.other).await?;
            after = data.last().map(|refund| refund.id.clone());
            for refund in data {
                found.all += 1;
                let payment = refund.payment_intent.clone().unwrap_or_else(|| refund.id.clone());
                if seen.insert(payment) && has_failed(&refund) {
                    found.failed.push(self.failed(refund).await?);
                }
            }
            if !has_more || after.is_none() {
                return Ok(found);
            }
        }
    }

    async fn failed(&self, refund: Refund) -> Result<FailedRefund, ProviderError> {
        let Refund { id, amount, currency, created, payment_intent, failure_reason, metadata, status } =
            refund;
        // One that was made in the dashboard names no order, but its payment does.
        let order = match (metadata.order(), payment_intent) {
            (Some(order), _) => Some(order),
            (None, Some(intent)) => self.intent(&PaymentRef(intent)).await?.metadata.order(),
            (None, None) => None,
        };
        let currency = Currency::parse(&currency.to_ascii_uppercase())
            .map_err(|error| ProviderError::Unknown(format!("the currency of {id} {error}")))?;
        let reason = match (word(failure_reason.as_deref()), status) {
            ("", RefundStatus::Canceled) => "canceled",
            ("", _) => "unknown",
            (reason, _) => reason,
        };
        let at = Timestamp::from_millis(created.saturating_mul(1_000));
        Ok(FailedRefund {
            name: id,
            order,
            amount: Money { value: amount, currency },
            at,
            reason: reason.to_owned(),
        })
    }
}

fn has_failed(refund: &Refund) -> bool {
    match refund.status {
        RefundStatus::Failed | RefundStatus::Canceled => true,
        // Under way, or done; one that needs its customer is neither.
        RefundStatus::Pending
        | RefundStatus::RequiresAction
        | RefundStatus::Succeeded
        | RefundStatus::Other => false,
    }
}
