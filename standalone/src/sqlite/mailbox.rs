//! The mailbox: mail is kept here instead of being delivered, or, with SMTP, after it was sent. It is kept as facts, and its
//! text is made when it is read. Beside it, the addresses that do not exist.

use std::sync::Arc;

use async_trait::async_trait;
use email_service::mail::{Mail, with_link};
use email_service::mailer::{Mailer, MailerError};
use messaging::clock::Clock;
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::manage::ManageLinks;
use protocol::messages::{Notice, NoticeOutcome};
use protocol::passenger::EmailAddress;
use protocol::time::Timestamp;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use system::view::{Page, PageError, Paged, SentMail};

use super::database::Database;
use super::{Json, Statements, paging};

/// What is kept of a mail.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Kept {
    /// What it told, and since when that is so.
    Facts { notice: Notice, at: Timestamp },
    /// Its text, as versions before kept it.
    Text { to: EmailAddress, subject: String, body: String },
}

impl Kept {
    /// To whom, the subject and the text.
    fn texts(self, order: OrderId, links: Option<&ManageLinks>) -> (EmailAddress, String, String) {
        match self {
            Self::Facts { notice, at } => {
                let mail = Mail::compose(order, &notice, links, at);
                (mail.to().clone(), mail.subject(), mail.text())
            }
            Self::Text { to, subject, body } => {
                let body = links.map_or(body.clone(), |links| with_link(&body, &links.link(order)));
                (to, subject, body)
            }
        }
    }
}

/// Mails in a table: one for each order and outcome.
pub struct Mailbox {
    /// The database with the table.
    pub database: Database,
    /// The time of sending.
    pub clock: Arc<dyn Clock>,
    /// Makes the links of mails that are shown: no mail is kept with its link, which is its customer's key.
    pub links: Option<ManageLinks>,
}

impl Mailbox {
    /// The mails sent, newest first.
    pub async fn sent(&self, page: &Page) -> Result<Paged<SentMail>, PageError> {
        let (before, limit) = (paging::before(page)?, page.limit);
        let sql = "SELECT order_id, outcome, sent_at, body, id FROM mailbox WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
        let links = self.links.clone();
        let read = move |connection: &Connection| {
            connection.rows(sql, params![before, limit + 1], |row| {
                let (booking_id, sent_at) = (row.get(0)?, row.get(2)?);
                let (booking_id, sent_at) = (OrderId::stored(booking_id), Timestamp::from_millis(sent_at));
                let (Json(outcome), Json::<Kept>(kept)) = (row.get(1)?, row.get(3)?);
                let (to, subject, body) = kept.texts(booking_id, links.as_ref());
                let mail = SentMail { booking_id, outcome, sent_at, to, subject, body };
                Ok((row.get::<_, i64>(4)?, mail))
            })
        };
        Ok(paging::page(self.database.scan(read).await?, limit))
    }

    /// Whether that mail was sent.
    pub async fn has(&self, order: OrderId, outcome: NoticeOutcome) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM mailbox WHERE order_id = ?1 AND outcome = ?2";
        let read = move |connection: &Connection| {
            connection.row(sql, params![order.as_bytes(), Json(&outcome)], |_| Ok(()))
        };
        Ok(self.database.read(read).await?.is_some())
    }

    /// Since when the address is known as undeliverable.
    pub async fn undeliverable_since(&self, address: &EmailAddress) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT since FROM undeliverable WHERE address = ?1";
        let address = address.as_str().to_ascii_lowercase();
        let read = move |connection: &Connection| connection.row(sql, [address], |row| row.get::<_, i64>(0));
        Ok(self.database.read(read).await?.map(Timestamp::from_millis))
    }

    /// Remembers that the address is undeliverable, by what the mail server answered. Repeatable: the first time counts.
    ///
    /// **Crash contract:** one write. Without it, the next mail to the address asks the server again.
    pub async fn remember_undeliverable(
        &self,
        address: &EmailAddress,
        answer: &str,
    ) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO undeliverable (address, since, answer) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        let (address, answer) = (address.as_str().to_ascii_lowercase(), answer.to_owned());
        let now = self.clock.now().as_millis();
        let write =
            move |connection: &Connection| connection.change(sql, params![address, now, answer]).map(drop);
        self.database.write_lightly(write).await
    }
}

#[async_trait]
impl Mailer for Mailbox {
    /// Unlike SES it knows which mails it has sent, so mail is exactly once here.
    async fn send(&self, mail: &Mail) -> Result<(), MailerError> {
        let (order, outcome, now) = (mail.order, mail.notice.outcome, self.clock.now());
        let kept = Kept::Facts { notice: mail.notice.clone(), at: mail.at };
        let sql = "INSERT INTO mailbox (order_id, outcome, sent_at, body) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        let write = move |connection: &Connection| {
            connection
                .change(sql, params![order.as_bytes(), Json(&outcome), now.as_millis(), Json(&kept)])
                .map(drop)
        };
        self.database.write_lightly(write).await.map_err(|error| MailerError::Unavailable(error.to_string()))
    }
}
