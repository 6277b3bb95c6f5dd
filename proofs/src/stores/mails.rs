//! The Email Service's records, and a mailbox.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use email_service::mail::Mail;
use email_service::mailer::{Mailer, MailerError};
use email_service::store::{Delivery, MailStore};
use email_service_contract::{Arrived, Inbox};
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::messages::NoticeOutcome;
use protocol::passenger::EmailAddress;
use protocol::topic::Topic;
use testkit::dynamodb;

use super::Intercepted;
use crate::memory::Memory;
use crate::memory::contents::{DeliveredMail, Stored};
use crate::port_call::{PortCall, port_calls};
use crate::simulation::task::intercept;
use crate::stores::Contents;

/// The topic of the service that owns it.
pub const OWNER: Topic = Topic::Email;

port_calls! {
    order_path {
        MAIL_STORE_LAST = MailStore::last, Reads;
        MAIL_STORE_LAST_OF_MANY = MailStore::last_of_many, Reads;
        MAIL_STORE_MARK = MailStore::mark, Writes;
    }
    elsewhere {
        MAIL_STORE_DELIVERY = MailStore::delivery, Reads;
    }
}

/// The Email Service's records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Records {
    /// The last outcome that each order's customer was mailed.
    pub last: BTreeMap<OrderId, NoticeOutcome>,
    /// The orders of which that could not be delivered.
    pub undeliverable: BTreeSet<OrderId>,
    /// The mails that arrived. One that was sent twice is here once: this mailer can tell.
    pub mailbox: Vec<DeliveredMail>,
}

/// The store of AWS, with a table of its own.
pub async fn on_dynamodb(client: &Client) -> Arc<dyn MailStore> {
    let table = dynamodb::table(client, "EmailsTable").await;
    Arc::new(email_service_lambda::dynamodb::DynamoMails { client: client.clone(), table })
}

#[async_trait]
impl MailStore for Memory {
    async fn last(&self, order: OrderId) -> Result<Option<NoticeOutcome>, StoreError> {
        self.read(PortCall::MAIL_STORE_LAST, |contents| contents.mails.last.get(&order).copied()).await
    }

    async fn last_of_many(&self, orders: &[OrderId]) -> Result<HashMap<OrderId, NoticeOutcome>, StoreError> {
        let orders = orders.to_vec();
        let find = move |contents: &Contents| {
            let last = |order: OrderId| Some((order, *contents.mails.last.get(&order)?));
            orders.into_iter().filter_map(last).collect()
        };
        self.read(PortCall::MAIL_STORE_LAST_OF_MANY, find).await
    }

    async fn mark(
        &self,
        order: OrderId,
        outcome: NoticeOutcome,
        delivery: Delivery,
    ) -> Result<(), StoreError> {
        self.write(PortCall::MAIL_STORE_MARK, |contents| {
            let last = contents.mails.last.get(&order);
            if last.is_some_and(|last| last.step() >= outcome.step()) {
                return;
            }
            contents.mails.last.insert(order, outcome);
            match delivery {
                Delivery::Sent => contents.mails.undeliverable.remove(&order),
                Delivery::Undeliverable => contents.mails.undeliverable.insert(order),
            };
        })
        .await
    }

    async fn delivery(&self, order: OrderId) -> Result<Option<Delivery>, StoreError> {
        let find = |contents: &Contents| {
            contents.mails.last.get(&order)?;
            let undeliverable = contents.mails.undeliverable.contains(&order);
            Some(if undeliverable { Delivery::Undeliverable } else { Delivery::Sent })
        };
        self.read(PortCall::MAIL_STORE_DELIVERY, find).await
    }
}

#[async_trait]
impl Mailer for Memory {
    async fn send(&self, mail: &Mail) -> Result<(), MailerError> {
        let (order, outcome) = (mail.order, mail.notice.outcome);
        self.write(PortCall::MAILER_SEND, |contents| {
            let same = |mail: &DeliveredMail| (mail.order, mail.outcome) == (order, outcome);
            if !contents.mails.mailbox.iter().any(same) {
                contents.mails.mailbox.push(DeliveredMail {
                    order,
                    outcome,
                    mail: Stored::new(mail.clone()),
                });
                contents.mails.mailbox.sort_by_key(|mail| (mail.order, mail.outcome as u8));
            }
        })
        .await
    }
}

#[async_trait]
impl Inbox for Memory {
    async fn mails(&self, address: &EmailAddress) -> Vec<Arrived> {
        let delivered = self.contents().mails.mailbox;
        let arrived = delivered.iter().filter(|delivered| delivered.mail.to() == address);
        arrived
            .map(|delivered| Arrived { subject: delivered.mail.subject(), text: delivered.mail.text() })
            .collect()
    }
}

#[async_trait]
impl MailStore for Intercepted<dyn MailStore> {
    async fn last(&self, order: OrderId) -> Result<Option<NoticeOutcome>, StoreError> {
        intercept(PortCall::MAIL_STORE_LAST, self.0.last(order)).await
    }

    async fn last_of_many(&self, orders: &[OrderId]) -> Result<HashMap<OrderId, NoticeOutcome>, StoreError> {
        intercept(PortCall::MAIL_STORE_LAST_OF_MANY, self.0.last_of_many(orders)).await
    }

    async fn mark(
        &self,
        order: OrderId,
        outcome: NoticeOutcome,
        delivery: Delivery,
    ) -> Result<(), StoreError> {
        intercept(PortCall::MAIL_STORE_MARK, self.0.mark(order, outcome, delivery)).await
    }

    async fn delivery(&self, order: OrderId) -> Result<Option<Delivery>, StoreError> {
        intercept(PortCall::MAIL_STORE_DELIVERY, self.0.delivery(order)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores::tests::{in_memory, on_sqlite};

    mod memory {
        use super::*;

        async fn fresh() -> (Arc<dyn MailStore>, ()) {
            (in_memory().mails, ())
        }

        email_service_contract::mail_store_contract!(fresh);
    }

    mod sqlite {
        use super::*;

        async fn fresh() -> (Arc<dyn MailStore>, tempfile::TempDir) {
            let (stores, directory) = on_sqlite();
            (stores.mails, directory)
        }

        email_service_contract::mail_store_contract!(fresh);
    }

    mod mailer_in_memory {
        async fn fresh() -> (super::Memory, ()) {
            (super::Memory::default(), ())
        }

        email_service_contract::mailer_contract!(fresh);
    }
}
