//! The Email Service on AWS: its records on DynamoDB, mail by SES, and the wiring of its function.

pub mod dynamodb;
pub mod ses;

use std::num::NonZeroU32;
use std::sync::Arc;

use aws::lambda::ConsumerFunction;
use aws::setup::{Setup, SetupError};
use email_service::limit::MailLimit;
use email_service::service::EmailService;
use email_service::store::MailStore;
use protocol::ids::OrderId;
use protocol::manage::{ManageLinks, PublicUrl};
use protocol::passenger::EmailAddress;
use protocol::topic::Topic;

use crate::dynamodb::{DynamoMailCounter, DynamoMails};
use crate::ses::{Options, SesMailer};

/// The consumer of email.
///
/// # Errors
/// Names the part of the configuration that cannot be used.
pub async fn email_consumer(setup: &Setup) -> Result<ConsumerFunction, SetupError> {
    let (client, table) = setup.table()?;
    let name = "EMAIL_SENDER";
    let sender = EmailAddress::parse(setup.required(name)?).map_err(|error| setup.malformed(name, error))?;
    let counter = DynamoMailCounter { client: client.clone(), table: table.clone() };
    let options = Options {
        sender,
        configuration_set: setup.variable("CONFIGURATION_SET").map(str::to_owned),
        limit: limit(setup, counter)?,
        clock: setup.clock.clone(),
    };
    let store = DynamoMails { client, table };
    let mailer = SesMailer::new(&setup.config, options);
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

/// With 0 an address gets any number of mails.
fn limit(setup: &Setup, counter: DynamoMailCounter) -> Result<Option<MailLimit>, SetupError> {
    let name = "MAILS_PER_HOUR";
    let mails: u32 =
        setup.required(name)?.parse().map_err(|_| setup.malformed(name, "must be a whole number"))?;
    let counter = Arc::new(counter);
    Ok(NonZeroU32::new(mails).map(|most| MailLimit { counter, most, clock: setup.clock.clone() }))
}

/// Without a public URL mail has no link, and the function no secret.
async fn links(setup: &Setup) -> Result<Option<ManageLinks>, SetupError> {
    let name = "PUBLIC_URL";
    let Some(url) = setup.variable(name) else { return Ok(None) };
    let url = PublicUrl::parse(url).map_err(|error| setup.malformed(name, error))?;
    Ok(Some(ManageLinks { url, secrets: setup.manage_secrets().await? }))
}
