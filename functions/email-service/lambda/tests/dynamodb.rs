//! The Email Service's store, kept by the DynamoDB adapter.

use std::sync::Arc;

use email_service::store::MailStore;
use email_service_lambda::dynamodb::DynamoMails;
use testkit::dynamodb;

async fn fresh() -> (Arc<dyn MailStore>, ()) {
    let client = dynamodb::client();
    let table = dynamodb::table(&client, "EmailsTable").await;
    (Arc::new(DynamoMails { client, table }), ())
}

email_service_contract::mail_store_contract!(fresh);
