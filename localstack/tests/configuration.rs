//! An invalid configuration is named at init, not on the first order.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use aws::setup::{Setup, SetupError};
use aws_sdk_dynamodb::Client;
use billing_service_lambda::billing_consumer;
use booking_gateway_lambda::{bookings_api, reconciler};
use localstack::cloud::{Cloud, lock};
use localstack::stack::{consumer, consumer_name, create_tables, setup};
use messaging::clock::ManualClock;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use testkit::template::Template;
use ticket_service_lambda::flights_api;

/// The error of a function that starts with one variable changed, or, for an empty value, without it.
async fn start(function: &str, name: &str, value: &str) -> Result<(), SetupError> {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
    let mut setup = setup(&Arc::new(Cloud::default()), &clock, function);
    create_tables(&Client::new(&setup.config)).await;
    setup.variables.insert(name.to_owned(), value.to_owned());
    setup.start_logs()?;
    run(function, &setup).await
}

async fn run(function: &str, setup: &Setup) -> Result<(), SetupError> {
    if let Some(topic) = Topic::ALL.into_iter().find(|topic| consumer_name(*topic) == function) {
        return consumer(topic, setup).await.map(drop);
    }
    match function {
        "BookingsApi" => bookings_api(setup).await.map(drop),
        "Reconciler" => reconciler(setup).await.map(drop),
        "FlightsApi" => flights_api(setup).await.map(drop),
        other => panic!("a new function: {other}"),
    }
}

/// The optional variables.
const OPTIONAL: [&str; 3] = ["CONFIGURATION_SET", "PAYMENT_PROVIDER_SECRET_ARN", "LOG_LEVEL"];

#[tokio::test]
async fn every_variable_of_the_template_is_needed_and_named_when_it_is_missing() {
    for function in Template::load().functions() {
        assert!(start(&function.name, "OTHER", "").await.is_ok(), "{} starts", function.name);
        for name in function.environment.keys() {
            if OPTIONAL.contains(&name.as_str()) {
                continue;
            }
            let error = start(&function.name, name, "").await.unwrap_err();
            assert_eq!(error.to_string(), format!("the environment variable {name} is missing"));
            assert_eq!(format!("{error:?}"), error.to_string(), "as `main` prints it");
        }
    }
}

#[test]
fn an_empty_endpoint_is_aws_itself() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
    let mut setup = setup(&Arc::new(Cloud::default()), &clock, "FlightsApi");
    setup.variables.insert("AWS_REGION".to_owned(), "eu-central-1".to_owned());
    for (value, endpoint) in [("", None), ("http://localhost:4566", Some("http://localhost:4566"))] {
        setup.variables.insert("AWS_ENDPOINT_URL".to_owned(), value.to_owned());
        assert_eq!(setup.sdk().unwrap().endpoint_url(), endpoint);
    }
}

#[tokio::test]
async fn a_malformed_variable_is_named_with_what_it_must_be() {
    for (function, name, value, must_be) in [
        ("FlightsApi", "LOG_LEVEL", "loud", "must be error, warn, info, debug or trace"),
        ("FlightsApi", "TABLE", "a table", "must be the name of a table"),
        ("TicketsConsumer", "TICKETS_QUEUE_URL", "tickets", "must be the URL of a queue"),
        ("TicketsConsumer", "TICKETS_DLQ_URL", "tickets", "must be the URL of a queue"),
        ("BookingsApi", "HOLD_DEADLINE_HOURS", "0", "must be from 1 to 8760"),
        ("BookingsApi", "HOLD_DEADLINE_HOURS", "two days", "must be from 1 to 8760"),
        ("BookingsApi", "IDEMPOTENCY_SECRET_ARN", "secret", "must be the ARN of a secret"),
        ("BillingConsumer", "PAYMENT_PROVIDER", "cash", "must be simulated or stripe"),
        ("BookingsApi", "BOOKINGS_PER_CLIENT", "many", "must be a whole number"),
        ("BookingsApi", "BOOKINGS_PER_CLIENT_AND_EMAIL", "-1", "must be a whole number"),
        ("BookingsApi", "MANAGE_SECRET_ARN", "secret", "must be the ARN of a secret"),
        ("EmailConsumer", "EMAIL_SENDER", "no address", "must be an e-mail address"),
        ("EmailConsumer", "MAILS_PER_HOUR", "many", "must be a whole number"),
        ("EmailConsumer", "PUBLIC_URL", "tickets.example.com", "must be a URL such as"),
    ] {
        let error = start(function, name, value).await.unwrap_err().to_string();
        let expected = format!("the environment variable {name} {must_be}");
        assert!(error.starts_with(&expected) && error.contains(value), "{error}");
    }
}

/// A parameter such as `OrdersTableName` may name a table that was never restored.
#[tokio::test]
async fn a_table_that_does_not_exist_is_named_by_every_function() {
    for function in Template::load().functions() {
        let error = start(&function.name, "TABLE", "orders-of-before").await.unwrap_err().to_string();
        let expected = "the environment variable TABLE must be the name of a table that exists";
        assert!(error.starts_with(expected) && error.contains("orders-of-before"), "{error}");
    }
}

/// SES sends nothing for it, and an alarm names `EmailSender`.
#[tokio::test]
async fn a_sender_that_is_not_verified_yet_is_no_failed_start() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
    let cloud = Arc::new(Cloud::default());
    lock(&cloud.away).insert("identity/tickets@example.com".to_owned());
    let setup = setup(&cloud, &clock, "EmailConsumer");
    create_tables(&Client::new(&setup.config)).await;
    run("EmailConsumer", &setup).await.unwrap();
    let alarms = Template::load();
    let alarms = alarms.of_type("AWS::CloudWatch::Alarm");
    let (_, alarm) = alarms.iter().find(|(id, _)| id == "MailRefusedAlarm").unwrap();
    assert!(alarm["Properties"]["AlarmDescription"].as_str().unwrap().contains("EmailSender"));
}

#[tokio::test]
async fn an_invalid_secret_is_named_by_its_variable_and_not_shown() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
    for (secret, reason) in [(Some("too short"), "must have 32 bytes or more"), (None, "cannot be read: ")] {
        let cloud = Arc::new(Cloud::default());
        create_tables(&Client::new(&setup(&cloud, &clock, "BookingsApi").config)).await;
        *lock(&cloud.secret) = secret.map(str::to_owned);
        let error =
            bookings_api(&setup(&cloud, &clock, "BookingsApi")).await.map(drop).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("the secret that IDEMPOTENCY_SECRET_ARN names {reason}")),
            "{error}"
        );
        assert!(!error.contains("too short"), "{error}");
    }
}

#[tokio::test]
async fn stripe_needs_a_stripe_key_which_is_not_shown() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
    let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:stripe-AbCdEf";
    for (arn, secret, says) in [
        ("", None, "the environment variable PAYMENT_PROVIDER_SECRET_ARN is missing"),
        (arn, None, "the secret that PAYMENT_PROVIDER_SECRET_ARN names cannot be read: "),
        (
            arn,
            Some("pk_live_thatIsPublic"),
            "the secret that PAYMENT_PROVIDER_SECRET_ARN names must be a secret key of Stripe",
        ),
    ] {
        let cloud = Arc::new(Cloud::default());
        *lock(&cloud.secret) = secret.map(str::to_owned);
        let mut setup = setup(&cloud, &clock, "BillingConsumer");
        create_tables(&Client::new(&setup.config)).await;
        setup.variables.insert("PAYMENT_PROVIDER".to_owned(), "stripe".to_owned());
        setup.variables.insert("PAYMENT_PROVIDER_SECRET_ARN".to_owned(), arn.to_owned());
        let error = billing_consumer(&setup).await.map(drop).unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}");
        assert!(!error.contains("thatIsPublic"), "{error}");
    }
}
