//! The simulated payment provider: the product's own rules, over books in memory.

use async_trait::async_trait;
use billing_service::provider::{
    Captured, Opened, PaymentProvider, PaymentRef, PaymentStatus, ProviderError, Voided,
};
use billing_service::simulated::Account;
use protocol::ids::OrderId;
use protocol::money::Money;
use protocol::payment::PaymentMethod;

use super::Memory;
use super::contents::{LateRequest, MoneyRequest, OpenedPayment, Stored};
use crate::fault::{CallFailure, Fault};
use crate::port_call::PortCall;
use crate::stores::Contents;

/// Changes one payment in the books.
fn change<T>(
    contents: &mut Contents,
    reference: &str,
    change: impl FnOnce(&mut Account) -> T,
) -> Result<T, CallFailure> {
    let opened = contents.payments.ledger.iter_mut().find(|opened| opened.reference.0 == reference);
    let opened = opened.ok_or(CallFailure::Refused)?;
    let mut account = (*opened.account).clone();
    let answer = change(&mut account);
    opened.account = Stored::new(account);
    Ok(answer)
}

/// Carries out a request whose caller has stopped waiting.
pub fn land(contents: &mut Contents, late: &LateRequest) {
    let landed = change(contents, &late.reference, |account| match late.request {
        MoneyRequest::Capture => drop(account.capture()),
        MoneyRequest::Void => drop(account.void()),
        MoneyRequest::Refund => drop(account.refund()),
    });
    // The provider refuses a payment that it does not know; its answer reaches no caller.
    let _ = landed;
}

fn late(request: MoneyRequest, reference: &PaymentRef) -> Option<LateRequest> {
    Some(LateRequest { request, reference: reference.0.clone() })
}

#[async_trait]
impl PaymentProvider for Memory {
    async fn open(
        &self,
        order: OrderId,
        amount: &Money,
        method: &PaymentMethod,
    ) -> Result<Opened, ProviderError> {
        self.call(PortCall::PROVIDER_OPEN, None, |contents, fault| {
            let before = contents.payments.ledger.iter().rev().find(|opened| opened.order == order);
            match before {
                Some(opened) if fault != Some(Fault::KeyForgotten) => {
                    Ok(Opened::Open(opened.reference.clone()))
                }
                // There is no key to forget before the first payment.
                None if fault == Some(Fault::KeyForgotten) => Err(CallFailure::Refused),
                _ => {
                    let number =
                        contents.payments.ledger.iter().filter(|opened| opened.order == order).count();
                    let reference = PaymentRef(format!("sim_{order}_{number}"));
                    let account = Stored::new(Account::open(amount.clone(), method));
                    contents.payments.ledger.push(OpenedPayment {
                        reference: reference.clone(),
                        order,
                        account,
                    });
                    contents.payments.ledger.sort_by(|one, other| one.reference.0.cmp(&other.reference.0));
                    Ok(Opened::Open(reference))
                }
            }
        })
        .await
    }

    async fn capture(&self, _order: OrderId, reference: &PaymentRef) -> Result<Captured, ProviderError> {
        let late = late(MoneyRequest::Capture, reference);
        self.call(PortCall::PROVIDER_CAPTURE, late, |contents, _| {
            change(contents, &reference.0, Account::capture)
        })
        .await
    }

    async fn retrieve(&self, reference: &PaymentRef) -> Result<PaymentStatus, ProviderError> {
        self.call(PortCall::PROVIDER_RETRIEVE, None, |contents, _| {
            change(contents, &reference.0, |account| account.status())
        })
        .await
    }

    async fn void(&self, reference: &PaymentRef) -> Result<Voided, ProviderError> {
        let late = late(MoneyRequest::Void, reference);
        self.call(PortCall::PROVIDER_VOID, late, |contents, _| change(contents, &reference.0, Account::void))
            .await
    }

    async fn refund(&self, _order: OrderId, reference: &PaymentRef) -> Result<Money, ProviderError> {
        let late = late(MoneyRequest::Refund, reference);
        self.call(PortCall::PROVIDER_REFUND, late, |contents, _| {
            change(contents, &reference.0, Account::refund)?.ok_or(CallFailure::Refused)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    async fn fresh() -> (Arc<dyn PaymentProvider>, ()) {
        (Arc::new(Memory::default()), ())
    }

    billing_service_contract::payment_provider_contract!(fresh);
}
