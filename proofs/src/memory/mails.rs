//! The Email Service's records, and a mailbox.

use std::collections::HashMap;

use async_trait::async_trait;
use email_service::contract::Inbox;
use email_service::mail::Mail;
use email_service::mailer::{Mailer, MailerError};
use email_service::store::MailStore;
use shared::ids::OrderId;
use shared::messages::NoticeOutcome;
use shared::passenger::EmailAddress;
use shared::store::StoreError;

use super::contents::{Arrived, Contents, Stored};
use super::{Away, Memory};

impl From<Away> for MailerError {
    fn from(away: Away) -> Self {
        MailerError::Unavailable(format!("{} failed: {:?}", away.name, away.failed))
    }
}

#[async_trait]
impl MailStore for Memory {
    async fn last(&self, order: OrderId) -> Result<Option<NoticeOutcome>, StoreError> {
        self.read("MailStore::last", |contents| contents.mailed.get(&order).copied()).await
    }

    async fn last_of_many(&self, orders: &[OrderId]) -> Result<HashMap<OrderId, NoticeOutcome>, StoreError> {
        let orders = orders.to_vec();
        let find = move |contents: &Contents| {
            let last = |order: OrderId| Some((order, *contents.mailed.get(&order)?));
            orders.into_iter().filter_map(last).collect()
        };
        self.read("MailStore::last_of_many", find).await
    }

    async fn mark(&self, order: OrderId, outcome: NoticeOutcome) -> Result<(), StoreError> {
        self.write("MailStore::mark", |contents| {
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
        self.write("Mailer::send", |contents| {
            let before = |arrived: &&Arrived| (arrived.order, arrived.outcome) == (order, outcome);
            if contents.mailbox.iter().find(before).is_none() {
                contents.mailbox.push(Arrived { order, outcome, mail: Stored::new(mail.clone()) });
                contents.mailbox.sort_by_key(|arrived| (arrived.order, arrived.outcome as u8));
            }
        })
        .await
    }
}

#[async_trait]
impl Inbox for Memory {
    async fn mails(&self, address: &EmailAddress) -> Vec<Mail> {
        let mailbox = self.contents().mailbox;
        mailbox.iter().map(|arrived| (*arrived.mail).clone()).filter(|mail| mail.to == *address).collect()
    }
}
