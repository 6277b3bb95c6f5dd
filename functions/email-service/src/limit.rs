//! How many mails one address may get in an hour.
//!
//! A customer chooses the address. Without a bound, an hour of bookings would be an hour of mails to somebody who
//! asked for none, under our name.

use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use messaging::clock::Clock;
use messaging::store::StoreError;
use protocol::passenger::EmailAddress;
use protocol::time::Timestamp;
use sha2::{Digest, Sha256};
use tracing::warn;

use crate::mailer::MailerError;

const HOUR_MILLIS: i64 = 60 * 60 * 1000;

/// One mailbox in one hour: a digest, so that no counter holds an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MailboxHour {
    /// Names the mailbox and the hour.
    pub digest: [u8; 16],
    /// When the hour ends; its count is of no use then.
    pub ends_at: Timestamp,
}

impl MailboxHour {
    /// The hour of `now` of that address's mailbox. Case and what follows a `+` lead to the same mailbox at nearly
    /// every provider, so they are not another one here.
    pub fn of(address: &EmailAddress, now: Timestamp) -> Self {
        let hour = now.as_millis().div_euclid(HOUR_MILLIS);
        let address = address.as_str().to_ascii_lowercase();
        let (local, domain) = address.rsplit_once('@').unwrap_or((&address, ""));
        let local = local.split_once('+').map_or(local, |(before, _)| before);
        let digest = Sha256::new()
            .chain_update(b"mails/1\0")
            .chain_update(hour.to_be_bytes())
            .chain_update(local)
            .chain_update(b"@")
            .chain_update(domain)
            .finalize();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        Self { digest: first, ends_at: Timestamp::from_millis((hour + 1) * HOUR_MILLIS) }
    }
}

/// Whether one more mail was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It was: it may be sent.
    Counted,
    /// It was not: as many as there may be were counted before.
    Full,
}

/// Counts mails, mailbox by mailbox and hour by hour.
///
/// **Crash contract:** a mail is counted before it is sent. A call that was not answered may have counted: a count is
/// never too low while it lasts, and one too high delays a mail until the next hour. An adapter may forget all counts
/// in a restart.
#[async_trait]
pub trait MailCounter: Send + Sync {
    /// Counts one more, unless `most` were counted.
    async fn count(&self, mailbox: MailboxHour, most: NonZeroU32) -> Result<Counted, StoreError>;
}

/// The bound, for mailers that deliver to real mailboxes.
#[derive(Clone)]
pub struct MailLimit {
    /// The counts.
    pub counter: Arc<dyn MailCounter>,
    /// How many mails an hour.
    pub most: NonZeroU32,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl MailLimit {
    /// Takes one of the address's mails of this hour. Each attempt to send takes one: that it failed does not mean that
    /// nothing arrived. A counter that does not answer stops no mail.
    ///
    /// # Errors
    /// [`MailerError::Limited`]: the mail waits, and is tried again.
    pub async fn take(&self, to: &EmailAddress) -> Result<(), MailerError> {
        match self.counter.count(MailboxHour::of(to, self.clock.now()), self.most).await {
            Ok(Counted::Counted) => Ok(()),
            Ok(Counted::Full) => Err(MailerError::Limited(self.most)),
            Err(error) => {
                warn!(%error, "mails to one address are not counted now, and not limited");
                Ok(())
            }
        }
    }
}
