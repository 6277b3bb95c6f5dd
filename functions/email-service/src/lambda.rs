//! The Email Service's function on Lambda: what it is wired of.

use std::sync::Arc;

use shared::aws::lambda::ConsumerFunction;
use shared::aws::setup::{Setup, SetupError};
use shared::consumer::Consumer;
use shared::ids::OrderId;
use shared::passenger::EmailAddress;
use shared::topic::Topic;

use crate::dynamodb::DynamoMails;
use crate::service::EmailService;
use crate::ses::SesMailer;
use crate::store::MailStore;

/// The consumer of email.
///
/// # Errors
/// Names what of the configuration cannot be used.
pub async fn email_consumer(setup: &Setup) -> Result<ConsumerFunction<EmailService>, SetupError> {
    let (client, table) = setup.table()?;
    let store = DynamoMails { client, table };
    let name = "EMAIL_SENDER";
    let sender = EmailAddress::parse(setup.required(name)?).map_err(|error| setup.malformed(name, error))?;
    let mailer = SesMailer::new(&setup.config, sender);
    let (topics, answer, ()) = tokio::join!(
        setup.topics(&[], Some(Topic::Email)),
        // An order that nobody has.
        store.last(OrderId::from_bytes([0; 16])),
        mailer.connect(),
    );
    setup.first_answer(answer);
    let service = EmailService { store: Arc::new(store), mailer: Arc::new(mailer) };
    Ok(ConsumerFunction { consumer: Consumer::new(service, setup.entropy.clone()), topics: topics? })
}
