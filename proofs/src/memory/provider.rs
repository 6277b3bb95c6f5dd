//! The simulated payment provider: the product's own rules, over books in memory.

use async_trait::async_trait;
use billing_service::provider::{
    Captured, Opened, PaymentProvider, PaymentRef, PaymentStatus, ProviderError, Voided,
};
use billing_service::simulated::Account;
use shared::ids::OrderId;
use shared::money::Money;
use shared::payment::PaymentMethod;

use super::contents::{Contents, Late, OpenedPayment, Request, Stored};
use super::script::{Failed, Fault, Kind};
use super::{Away, Memory};

impl From<Away> for ProviderError {
    fn from(away: Away) -> Self {
        match away.failed {
            Failed::Refused => ProviderError::Unavailable(format!("{} did nothing", away.name)),
            Failed::Unknown => ProviderError::Unknown(format!("{} may have been done", away.name)),
        }
    }
}

/// Changes one payment in the books.
fn change<T>(
    contents: &mut Contents,
    reference: &str,
    change: impl FnOnce(&mut Account) -> T,
) -> Result<T, Failed> {
    let opened = contents.ledger.iter_mut().find(|opened| opened.reference.0 == reference);
    let opened = opened.ok_or(Failed::Refused)?;
    let mut account = (*opened.account).clone();
    let answer = change(&mut account);
    opened.account = Stored::new(account);
    Ok(answer)
}

/// Carries out a request whose caller has long gone.
pub fn land(contents: &mut Contents, late: &Late) {
    let landed = change(contents, &late.reference, |account| match late.request {
        Request::Capture => drop(account.capture()),
        Request::Void => drop(account.void()),
        Request::Refund => drop(account.refund()),
    });
    // The provider refuses what it does not know; nobody hears of it.
    let _ = landed;
}

fn request(request: Request, reference: &PaymentRef) -> Kind {
    Kind::Request(Late { request, reference: reference.0.clone() })
}

#[async_trait]
impl PaymentProvider for Memory {
    async fn open(
        &self,
        order: OrderId,
        amount: &Money,
        method: &PaymentMethod,
    ) -> Result<Opened, ProviderError> {
        self.call("PaymentProvider::open", Kind::Open, |contents, fault| {
            let before = contents.ledger.iter().rev().find(|opened| opened.order == order);
            match before {
                Some(opened) if fault != Some(Fault::Forgotten) => Ok(Opened::Open(opened.reference.clone())),
                // Nothing was there to be forgotten.
                None if fault == Some(Fault::Forgotten) => Err(Failed::Refused),
                _ => {
                    let number = contents.ledger.iter().filter(|opened| opened.order == order).count();
                    let reference = PaymentRef(format!("sim_{order}_{number}"));
                    let account = Stored::new(Account::open(amount.clone(), method));
                    contents.ledger.push(OpenedPayment { reference: reference.clone(), order, account });
                    contents.ledger.sort_by(|one, other| one.reference.0.cmp(&other.reference.0));
                    Ok(Opened::Open(reference))
                }
            }
        })
        .await
    }

    async fn capture(&self, _order: OrderId, reference: &PaymentRef) -> Result<Captured, ProviderError> {
        let kind = request(Request::Capture, reference);
        self.call("PaymentProvider::capture", kind, |contents, _| {
            change(contents, &reference.0, Account::capture)
        })
        .await
    }

    async fn retrieve(&self, reference: &PaymentRef) -> Result<PaymentStatus, ProviderError> {
        self.call("PaymentProvider::retrieve", Kind::Read, |contents, _| {
            change(contents, &reference.0, |account| account.status())
        })
        .await
    }

    async fn void(&self, reference: &PaymentRef) -> Result<Voided, ProviderError> {
        let kind = request(Request::Void, reference);
        self.call("PaymentProvider::void", kind, |contents, _| change(contents, &reference.0, Account::void))
            .await
    }

    async fn refund(&self, _order: OrderId, reference: &PaymentRef) -> Result<Money, ProviderError> {
        let kind = request(Request::Refund, reference);
        self.call("PaymentProvider::refund", kind, |contents, _| {
            change(contents, &reference.0, Account::refund)?.ok_or(Failed::Refused)
        })
        .await
    }
}
