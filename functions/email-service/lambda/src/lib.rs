//! The Email Service on AWS: its records on DynamoDB, mail by SES, and the wiring of its function.

pub mod dynamodb;
pub mod ses;

use std::sync::Arc;

use aws::lambda::ConsumerFunction;
use aws::setup::{Setup, SetupError};
use email_service::service::EmailService;
use email_service::store::MailStore;
use protocol::ids::OrderId;
use protocol::manage::{ManageLinks, PublicUrl};
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
    let (topics, links, answer, ()) = tokio::join!(
        setup.topics(&[], Some(Topic::Email)),
        links(setup),
        store.last(OrderId::NIL),
        mailer.connect(),
    );
    setup.first_answer(answer)?;
    let service = EmailService { store: Arc::new(store), mailer: Arc::new(mailer), links: links? };
    Ok(ConsumerFunction::new(service, setup, topics?))
}

/// Without a public URL mail has no link, and the function no secret.
async fn links(setup: &Setup) -> Result<Option<ManageLinks>, SetupError> {
    let name = "PUBLIC_URL";
    let Some(url) = setup.variable(name) else { return Ok(None) };
    let url = PublicUrl::parse(url).map_err(|error| setup.malformed(name, error))?;
    Ok(Some(ManageLinks { url, secrets: setup.manage_secrets().await? }))
}
