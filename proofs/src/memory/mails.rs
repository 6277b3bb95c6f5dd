//! The Email Service's records, and a mailbox.

use std::collections::HashMap;

use async_trait::async_trait;
use email_service::mail::Mail;
use email_service::mailer::{Mailer, MailerError};
use email_service::store::MailStore;
use email_service_contract::Inbox;
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::messages::NoticeOutcome;
use protocol::passenger::EmailAddress;

use super::Memory;
use super::contents::{Contents, DeliveredMail, Stored};
use crate::port_call::PortCall;

#[async_trait]
impl MailStore for Memory {
    async fn last(&self, order: OrderId) -> Result<Option<NoticeOutcome>, StoreError> {
        self.read(PortCall::MailStoreLast, |contents| contents.mailed.get(&order).copied()).await
    }

    async fn last_of_many(&self, orders: &[OrderId]) -> Result<HashMap<OrderId, NoticeOutcome>, StoreError> {
        let orders = orders.to_vec();
        let find = move |contents: &Contents| {
            let last = |order: OrderId| Some((order, *contents.mailed.get(&order)?));
            orders.into_iter().filter_map(last).collect()
        };
        self.read(PortCall::MailStoreLastOfMany, find).await
    }

    async fn mark(&self, order: OrderId, outcome: NoticeOutcome) -> Result<(), StoreError> {
        self.write(PortCall::MailStoreMark, |contents| {
            let last = contents.mailed.entry(order).or_insert(outcome);
            if last.step() < outcome.step() {
                *last = outcome;
            }
        })
        .await
    }
}

#[async_trait]
impl Mailer for Memory {
    async fn send(&self, order: OrderId, outcome: NoticeOutcome, mail: &Mail) -> Result<(), MailerError> {
        self.write(PortCall::MailerSend, |contents| {
            let same = |mail: &DeliveredMail| (mail.order, mail.outcome) == (order, outcome);
            if !contents.mailbox.iter().any(same) {
                contents.mailbox.push(DeliveredMail { order, outcome, mail: Stored::new(mail.clone()) });
                contents.mailbox.sort_by_key(|mail| (mail.order, mail.outcome as u8));
            }
        })
        .await
    }
}

#[async_trait]
impl Inbox for Memory {
    async fn mails(&self, address: &EmailAddress) -> Vec<Mail> {
        let delivered = self.contents().mailbox;
        delivered
            .iter()
            .map(|delivered| (*delivered.mail).clone())
            .filter(|mail| mail.to == *address)
            .collect()
    }
}
