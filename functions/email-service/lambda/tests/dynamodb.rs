//! The Email Service's store and counter, kept by the DynamoDB adapters.

use std::sync::Arc;

use testkit::dynamodb;

mod store {
    use email_service::store::MailStore;
    use email_service_lambda::dynamodb::DynamoMails;

    use super::*;

    async fn fresh() -> (Arc<dyn MailStore>, ()) {
        let client = dynamodb::client();
        let table = dynamodb::table(&client, "EmailsTable").await;
        (Arc::new(DynamoMails { client, table }), ())
    }

    email_service_contract::mail_store_contract!(fresh);
}

mod counter {
    use email_service::limit::MailCounter;
    use email_service_lambda::dynamodb::DynamoMailCounter;

    use super::*;

    async fn fresh() -> (Arc<dyn MailCounter>, ()) {
        let client = dynamodb::client();
        let table = dynamodb::table(&client, "EmailsTable").await;
        (Arc::new(DynamoMailCounter { client, table }), ())
    }

    email_service_contract::mail_counter_contract!(fresh);
}
