//! The parameters of template.yaml: what each does, and that a value which cannot work is refused.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use localstack::document::{document, named, of_type};
use protocol::topic::Topic;
use regex_lite::Regex;
use serde_norway::Value;
use testkit::cloudformation::{Deployment, text};
use testkit::template::{Template, deploy};

/// Whether a value of a parameter is taken, by its pattern, list and range.
fn takes(parameter: &str, value: &str) -> bool {
    let document = document();
    let of = &document["Parameters"][parameter];
    assert!(of.is_mapping(), "{parameter}");
    let listed = of["AllowedValues"].as_sequence();
    let listed = listed.is_none_or(|values| values.iter().any(|allowed| text(allowed) == value));
    let number = || value.parse::<u64>().ok();
    let at_least = of["MinValue"].as_u64().is_none_or(|min| number().is_some_and(|number| number >= min));
    let at_most = of["MaxValue"].as_u64().is_none_or(|max| number().is_some_and(|number| number <= max));
    let pattern = of["AllowedPattern"].as_str();
    let matches =
        pattern.is_none_or(|pattern| Regex::new(&format!("^(?:{pattern})$")).unwrap().is_match(value));
    listed && at_least && at_most && matches
}

#[test]
fn a_parameter_that_cannot_work_is_refused_at_deployment() {
    for (parameter, good, bad) in [
        ("Stage", "v1", "v 1"),
        ("EmailSender", "tickets@example.com", "tickets"),
        ("VerifyEmailSender", "no", "maybe"),
        ("MailsPerHour", "0", "-1"),
        ("MailsPerHour", "20", "many"),
        ("SuppressBounces", "no", "maybe"),
        ("PaymentProvider", "stripe", "cash"),
        (
            "PaymentProviderSecretArn",
            "arn:aws:secretsmanager:eu-west-1:1:secret:stripe",
            "arn:aws:s3:::stripe",
        ),
        ("PublicUrl", "https://tickets.example.com/v1/", "tickets.example.com"),
        ("BookingsPerClient", "0", "-1"),
        ("BookingsPerClientAndEmail", "0", "many"),
        ("PublicUrl", "", "https://tickets.example.com/#here"),
        ("ManageSecretRotations", "1", "-1"),
        ("HoldDeadlineHours", "48", "0"),
        ("LogLevel", "warn", "loud"),
        ("LogRetentionDays", "30", "31"),
        ("AlarmEmail", "duty@example.com", "duty"),
        ("AlarmTopicArn", "arn:aws:sns:eu-west-1:1:duty", "arn:aws:sqs:eu-west-1:1:duty"),
        ("AccessLogs", "with-role", "maybe"),
        ("RequestsPerSecond", "1", "0"),
        ("RequestsBurst", "1", "0"),
        ("BookingsPerSecond", "1", "0"),
        ("BookingsBurst", "1", "0"),
        ("TicketsBatchSize", "100", "1000"),
        ("TicketsBatchWindow", "5", "6"),
        ("WafRequests", "10", "9"),
        ("WafRequests", "0", ""),
        ("ApiReservedConcurrency", "0", "some"),
        ("DeletionProtection", "yes", "true"),
        ("KmsKeyArn", "arn:aws:kms:eu-west-1:123456789012:key/1", "alias/orders"),
        ("GradualDeployment", "true", "yes"),
        ("Architecture", "arm64", "arm"),
    ] {
        assert!(takes(parameter, good), "{parameter}={good}");
        assert!(!takes(parameter, bad), "{parameter}={bad}");
    }
    let refuses = |parameter: &str, bad: &[&str]| {
        bad.iter().for_each(|bad| assert!(!takes(parameter, bad), "{parameter}={bad}"));
    };
    for parameter in Topic::ALL.map(|topic| format!("{}Concurrency", topic.logical_id())) {
        assert!(["2", "1000"].iter().all(|good| takes(&parameter, good)), "{parameter}");
        refuses(&parameter, &["0", "1", "1001"]);
    }
    for parameter in Template::load().tables().iter().map(|table| format!("{table}Name")) {
        assert!(["", "abc", "a.b", "orders-2"].iter().all(|good| takes(&parameter, good)), "{parameter}");
        refuses(&parameter, &["o", "a b", "tickets/2", "arn:aws:dynamodb:eu-west-1:1:table/emails"]);
    }
}

#[test]
fn parameters_that_do_not_fit_together_are_refused_with_their_names() {
    let (secret, topic) = ("arn:aws:secretsmanager:eu-west-1:1:secret:s", "arn:aws:sns:eu-west-1:1:duty");
    let (stripe, simulated) = (("PaymentProvider", "stripe"), ("PaymentProvider", "simulated"));
    for (parameters, refused) in [
        (vec![simulated], vec![]),
        (vec![stripe], vec!["PaymentProviderSecretArn", "AlarmEmail"]),
        (vec![stripe, ("PaymentProviderSecretArn", secret)], vec!["AlarmEmail"]),
        (vec![stripe, ("PaymentProviderSecretArn", secret), ("AlarmEmail", "duty@example.com")], vec![]),
        (vec![stripe, ("PaymentProviderSecretArn", secret), ("AlarmTopicArn", topic)], vec![]),
        (vec![simulated, ("TicketsBatchSize", "100")], vec!["TicketsBatchWindow"]),
        (vec![simulated, ("TicketsBatchSize", "100"), ("TicketsBatchWindow", "1")], vec![]),
        (vec![simulated, ("AlarmTopicArn", topic), ("AlarmEmail", "duty@example.com")], vec!["AlarmEmail"]),
    ] {
        let document = document();
        let broken = Deployment::new(&document, &parameters).broken_rules();
        assert_eq!(broken.len(), refused.len(), "{parameters:?}: {broken:?}");
        for (why, name) in broken.iter().zip(refused) {
            assert!(why.starts_with(name), "{why}");
        }
    }
}

/// A deployment says whether tickets cost money, and where mail comes from.
#[test]
fn only_the_payment_provider_and_the_sender_must_be_chosen() {
    let document = document();
    let parameters = document["Parameters"].as_mapping().unwrap().iter();
    let without = parameters.filter(|(_, parameter)| parameter.get("Default").is_none());
    assert_eq!(without.map(|(name, _)| named(name)).collect::<Vec<_>>(), ["EmailSender", "PaymentProvider"]);
}

/// SAM makes a new version for what changed in the template. A parameter's value is not in there, so without its
/// name in the version's description the alias would keep the version with the old value.
#[test]
fn a_parameter_with_another_value_makes_a_new_version_of_the_functions_that_have_it() {
    let document = document();
    let parameters = document["Parameters"].as_mapping().unwrap();
    let globals = &document["Globals"]["Function"];
    assert_eq!(globals["AutoPublishAlias"].as_str(), Some("live"));
    for (id, function) in of_type(&document, "AWS::Serverless::Function") {
        let described = named(&function["VersionDescription"]);
        // A function reads its secrets when it starts.
        let manages = function["Environment"]["Variables"].get("MANAGE_SECRET_ARN").is_some();
        assert_eq!(described.contains("${ManageSecretRotations}"), manages, "{id}");
        for of in [globals, function] {
            for (name, value) in of["Environment"]["Variables"].as_mapping().unwrap() {
                let references = match value {
                    Value::Tagged(tagged) if tagged.tag == "!If" => vec![&tagged.value[1], &tagged.value[2]],
                    value => vec![value],
                };
                for parameter in
                    references.into_iter().map(named).filter(|name| parameters.contains_key(*name))
                {
                    let said = described.contains(&format!("${{{parameter}}}"));
                    assert!(said, "{id}: {name:?} has {parameter}, VersionDescription does not");
                }
            }
        }
    }
}

#[test]
fn the_api_functions_reserve_concurrency_only_if_asked() {
    for (parameters, reserved) in [(&[][..], None), (&[("ApiReservedConcurrency", "50")], Some("50"))] {
        let deployed = deploy(&document(), parameters);
        for (id, function) in of_type(&deployed, "AWS::Serverless::Function") {
            let expected = reserved.filter(|_| id.contains("Api"));
            assert_eq!(function["ReservedConcurrentExecutions"].as_str(), expected, "{id}");
        }
    }
}

#[test]
fn batches_of_tickets_are_as_large_as_asked_and_wait_as_long() {
    let larger = [("TicketsBatchSize", "100"), ("TicketsBatchWindow", "1")];
    for (parameters, batch) in [(&[][..], ("10", "0")), (&larger, ("100", "1"))] {
        let deployed = deploy(&document(), parameters);
        let mapping =
            &deployed["Resources"]["TicketsConsumerFunction"]["Properties"]["Events"]["Topic"]["Properties"];
        let is = |name: &str| text(&mapping[name]);
        assert_eq!((is("BatchSize").as_str(), is("MaximumBatchingWindowInSeconds").as_str()), batch);
    }
}

#[test]
fn a_key_of_the_customer_encrypts_what_holds_orders() {
    let key = "arn:aws:kms:eu-central-1:123456789012:key/1";
    for (parameters, key) in [(&[][..], None), (&[("KmsKeyArn", key)], Some(key))] {
        let deployed = deploy(&document(), parameters);
        let of = |kind| of_type(&deployed, kind).into_values().collect::<Vec<_>>();
        for queue in of("AWS::SQS::Queue") {
            assert_eq!(queue["KmsMasterKeyId"].as_str(), key);
            assert_eq!(queue["SqsManagedSseEnabled"].as_bool(), Some(key.is_none()), "one of both");
        }
        for table in of("AWS::DynamoDB::Table") {
            assert_eq!(table["SSESpecification"]["KMSMasterKeyId"].as_str(), key);
        }
        for secret in of("AWS::SecretsManager::Secret") {
            assert_eq!(secret["KmsKeyId"].as_str(), key);
        }
    }
}

#[test]
fn a_gradual_deployment_watches_the_functions_errors_and_is_off_by_default() {
    let document = document();
    let gradual = &document["Globals"]["Function"]["DeploymentPreference"]["Enabled"];
    assert_eq!(named(gradual), "GradualDeployment");
    assert_eq!(document["Parameters"]["GradualDeployment"]["Default"].as_str(), Some("false"));
    for (id, function) in of_type(&document, "AWS::Serverless::Function") {
        let alarms = function["DeploymentPreference"]["Alarms"].as_sequence().unwrap();
        let errors = format!("{}ErrorsAlarm", id.strip_suffix("Function").unwrap());
        assert!(alarms.iter().any(|alarm| named(alarm) == errors), "{id}");
    }
}
