//! How many mails an address gets in an hour, where the counter itself fails.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use email_service::limit::{Counted, MailCounter, MailLimit, MailboxHour};
use email_service::mailer::MailerError;
use messaging::clock::ManualClock;
use messaging::store::StoreError;
use protocol::passenger::EmailAddress;
use protocol::time::Timestamp;

struct Broken;

#[async_trait]
impl MailCounter for Broken {
    async fn count(&self, _: MailboxHour, _: NonZeroU32) -> Result<Counted, StoreError> {
        Err(StoreError::unavailable("away"))
    }
}

struct Full;

#[async_trait]
impl MailCounter for Full {
    async fn count(&self, _: MailboxHour, _: NonZeroU32) -> Result<Counted, StoreError> {
        Ok(Counted::Full)
    }
}

async fn take(counter: impl MailCounter + 'static) -> Result<(), MailerError> {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
    let limit = MailLimit { counter: Arc::new(counter), most: NonZeroU32::new(20).unwrap(), clock };
    limit.take(&EmailAddress::parse("ada@example.com").unwrap()).await
}

#[tokio::test]
async fn a_counter_that_does_not_answer_stops_no_mail() {
    assert_eq!(take(Broken).await, Ok(()));
}

#[tokio::test]
async fn what_is_over_the_limit_says_so_and_shows_no_address() {
    let error = take(Full).await.unwrap_err();
    assert!(matches!(error, MailerError::Limited(_)) && !error.to_string().contains("ada@"), "{error}");
}
