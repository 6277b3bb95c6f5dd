//! The Email Service's store, kept by the DynamoDB adapter.

use std::sync::Arc;

use email_service::dynamodb::DynamoMails;
use email_service::store::MailStore;
use shared::aws::in_process;

async fn fresh() -> (Arc<dyn MailStore>, ()) {
    let client = in_process::client();
    let table = in_process::table(&client, "EmailsTable").await;
    (Arc::new(DynamoMails { client, table }), ())
}

email_service::mail_store_contract!(fresh);
