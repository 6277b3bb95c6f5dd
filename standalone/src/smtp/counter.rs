//! Counts the mails to each address in memory.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use email_service::limit::{Counted, MailCounter, MailboxHour};
use messaging::store::StoreError;
use protocol::time::Timestamp;

/// The counts of the present hour. A restart forgets them: an address may then get as many once more.
#[derive(Default)]
pub struct MemoryMailCounter(Mutex<HashMap<[u8; 16], Count>>);

struct Count {
    mails: u32,
    ends_at: Timestamp,
}

#[async_trait]
impl MailCounter for MemoryMailCounter {
    async fn count(&self, mailbox: MailboxHour, most: NonZeroU32) -> Result<Counted, StoreError> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let MailboxHour { digest, ends_at } = mailbox;
        if !counts.contains_key(&digest) {
            // The hours before are over.
            counts.retain(|_, count| count.ends_at >= ends_at);
        }
        let count = counts.entry(digest).or_insert(Count { mails: 0, ends_at });
        if count.mails >= most.get() {
            return Ok(Counted::Full);
        }
        count.mails += 1;
        Ok(Counted::Counted)
    }
}
