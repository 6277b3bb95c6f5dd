//! The Email Service on AWS: its records on DynamoDB, mail by SES, and the wiring of its function.

pub mod dynamodb;
pub mod ses;

use std::sync::Arc;

use aws::lambda::ConsumerFunction;
use aws::setup::{Setup, SetupError};
use email_service::service::EmailService;
use email_service::store::MailStore;
use protocol::ids::OrderId;
use protocol::passenger::EmailAddress;
use protocol::topic::Topic;

use crate::dynamodb::DynamoMails;
use crate::ses::SesMailer;

/// The consumer of email.
///
/// # Errors
/// Names the part of the configuration that cannot be used.
pub async fn email_consumer(setup: &Setup) -> Result<ConsumerFunction, SetupError> {
    let (client, table) = setup.table()?;
    let store = DynamoMails { client, table };
    let name = "EMAIL_SENDER";
    let sender = EmailAddress::parse(setup.required(name)?).map_err(|error| setup.malformed(name, error))?;
    let mailer = SesMailer::new(&setup.config, sender);
    let (topics, answer, ()) =
        tokio::join!(setup.topics(&[], Some(Topic::Email)), store.last(OrderId::NIL), mailer.connect(),);
    setup.first_answer(answer)?;
    let service = EmailService { store: Arc::new(store), mailer: Arc::new(mailer) };
    Ok(ConsumerFunction::new(service, setup, topics?))
}
