//! The promises of template.yaml beside the roles and the alarms: no accepted order is lost, nothing is called
//! too often at once, and every topic of the one table (`protocol::topic`) has its resources under its names.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use messaging::metrics;
use protocol::topic::Topic;
use regex_lite::Regex;
use serde_norway::Value;
use testkit::cloudformation::Deployment;
use testkit::template::{TEMPLATE, Template, deploy};

/// A text, or what a `!Ref`, `!GetAtt` or `!Sub` names; empty where there is nothing.
fn named(value: &Value) -> &str {
    match value {
        Value::Tagged(tagged) => tagged.value.as_str(),
        value => value.as_str(),
    }
    .unwrap_or_default()
}

fn properties<'a>(template: &'a Template, kind: &str, id: &str) -> &'a Value {
    let resource = template.of_type(kind).into_iter().find(|(other, _)| other == id);
    &resource.unwrap_or_else(|| panic!("the template has no {id}")).1["Properties"]
}

fn document() -> Value {
    serde_norway::from_str(TEMPLATE).unwrap()
}

/// The resources of that type: their logical ids and properties.
fn of_type<'a>(document: &'a Value, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let resources = document["Resources"].as_mapping().unwrap().iter();
    let wanted = resources.filter(|(_, resource)| resource["Type"].as_str() == Some(kind));
    wanted.map(|(id, resource)| (named(id), &resource["Properties"])).collect()
}

/// The environment variables of a function.
fn variables(function: &Value) -> BTreeMap<&str, &str> {
    let variables = function["Environment"]["Variables"].as_mapping().into_iter().flatten();
    variables.map(|(name, value)| (named(name), named(value))).collect()
}

/// Each variable with a queue's URL, with the logical id of that queue.
fn queue_variables() -> BTreeMap<String, String> {
    let of = |topic: Topic| {
        [
            (topic.queue_variable(), topic.queue()),
            (topic.dead_letter_queue_variable(), topic.dead_letter_queue()),
        ]
    };
    Topic::ALL.into_iter().flat_map(of).collect()
}

fn queues() -> BTreeSet<String> {
    queue_variables().into_values().collect()
}

/// What is missing or wrong in the template for a topic. Each message begins with the topic's name.
fn complaints(document: &Value, topic: Topic) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            complaints.push(format!("{topic}: {what}"));
        }
    };
    let (queue, letters) = (topic.queue(), topic.dead_letter_queue());

    let queues = of_type(document, "AWS::SQS::Queue");
    let days = |id: &str| queues.get(id)?["MessageRetentionPeriod"].as_u64().map(|seconds| seconds / 86_400);
    must(days(&queue) >= Some(7), &format!("{queue} keeps messages for seven days and more"));
    must(days(&letters) == Some(14), &format!("{letters} keeps messages for fourteen days"));
    let of_queue = |name: &str| queues.get(queue.as_str()).map_or(&Value::Null, |queue| &queue[name]);
    must(of_queue("VisibilityTimeout").as_u64() == Some(180), "six times the functions' 30 s");
    let redrive = of_queue("RedrivePolicy");
    must(
        named(&redrive["deadLetterTargetArn"]) == format!("{letters}.Arn"),
        &format!("{queue} redrives to {letters}"),
    );
    must(
        redrive["maxReceiveCount"].as_u64() == Some(20),
        &format!("{queue} survives an hour of throttled invocations"),
    );

    let function = format!("{}ConsumerFunction", topic.logical_id());
    let functions = of_type(document, "AWS::Serverless::Function");
    let consumer = functions.get(function.as_str()).copied().unwrap_or(&Value::Null);
    let mapping = &consumer["Events"]["Topic"]["Properties"];
    must(named(&mapping["Queue"]) == format!("{queue}.Arn"), &format!("{function} consumes {queue}"));
    must(
        mapping["FunctionResponseTypes"][0].as_str() == Some("ReportBatchItemFailures"),
        &format!("{function} names the records that failed"),
    );
    let most = format!("{}Concurrency", topic.logical_id());
    must(
        named(&mapping["ScalingConfig"]["MaximumConcurrency"]) == most,
        &format!("{function} runs {most} times at once, at most"),
    );
    let variables = variables(consumer);
    let is = |variable: &str, id: &str| variables.get(variable) == Some(&id);
    for (variable, id) in [(topic.queue_variable(), &queue), (topic.dead_letter_queue_variable(), &letters)] {
        must(is(&variable, id), &format!("{function} has {variable}, a !Ref to {id}"));
        let output = format!("{id}Url");
        must(
            named(&document["Outputs"][&output]["Value"]) == *id,
            &format!("the output {output} is a !Ref to {id}"),
        );
    }

    let alarms = of_type(document, "AWS::CloudWatch::Alarm");
    for (alarm, metric, id) in [
        ("DeadLettersAlarm", "ApproximateNumberOfMessagesVisible", &letters),
        ("AgeAlarm", "ApproximateAgeOfOldestMessage", &queue),
    ] {
        let name = format!("{}{alarm}", topic.logical_id());
        let alarm = alarms.get(name.as_str()).copied().unwrap_or(&Value::Null);
        must(watches(alarm, metric, &format!("{id}.QueueName")), &format!("{name} watches {metric} of {id}"));
        must(named(&alarm["AlarmDescription"]).contains(topic.name()), &format!("{name} names the topic"));
    }

    let id = topic.logical_id();
    let alarm = |name: &str| alarms.get(name).copied().unwrap_or(&Value::Null);
    let waits = format!("{id}WaitAlarm");
    let of_topic = |metric: &Value, name| {
        metric["MetricName"].as_str() == Some(name)
            && named(&metric["Dimensions"][0]["Value"]) == topic.name()
    };
    must(of_topic(alarm(&waits), metrics::OLDEST_WAIT), &format!("{waits} watches its oldest wait"));
    let summed = |name: &str, of: &dyn Fn(&Value) -> bool| {
        alarm(name)["Metrics"]
            .as_sequence()
            .into_iter()
            .flatten()
            .any(|metric| of(&metric["MetricStat"]["Metric"]))
    };
    must(
        summed("RetriesAlarm", &|metric| of_topic(metric, metrics::RETRIES)),
        "RetriesAlarm counts its retries",
    );
    for (alarm, metric) in
        [("ThrottlesAlarm", "Throttles"), ("RecursionAlarm", "RecursiveInvocationsDropped")]
    {
        let of_consumer = |other: &Value| {
            other["MetricName"].as_str() == Some(metric)
                && named(&other["Dimensions"][0]["Value"]) == function
        };
        must(summed(alarm, &of_consumer), &format!("{alarm} watches {function}"));
    }
    complaints
}

/// Whether an alarm goes off as soon as that metric of that resource is above its threshold.
fn watches(alarm: &Value, metric: &str, of: &str) -> bool {
    alarm["MetricName"].as_str() == Some(metric)
        && named(&alarm["Dimensions"][0]["Value"]) == of
        && alarm["EvaluationPeriods"].as_u64() == Some(1)
}

#[test]
fn every_topic_has_its_queues_consumer_outputs_and_alarms_under_the_names_of_the_table() {
    let document = document();
    let wrong: Vec<_> = Topic::ALL.into_iter().flat_map(|topic| complaints(&document, topic)).collect();
    assert!(
        wrong.is_empty(),
        "template.yaml does not have what protocol::topic names:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_topic_that_is_missing_in_the_template_is_named() {
    for topic in Topic::ALL {
        let (queue, letters, id) = (topic.queue(), topic.dead_letter_queue(), topic.logical_id());
        let function = format!("{id}ConsumerFunction");
        let forgotten = [
            vec!["Resources", &queue],
            vec!["Resources", &letters],
            vec!["Resources", &function],
            vec!["Resources", &function, "Properties", "Environment", "Variables", &topic.queue_variable()],
            vec!["Outputs", &format!("{queue}Url")],
            vec!["Outputs", &format!("{letters}Url")],
            vec!["Resources", &format!("{id}DeadLettersAlarm")],
            vec!["Resources", &format!("{id}AgeAlarm")],
            vec!["Resources", &format!("{id}WaitAlarm")],
            vec!["Resources", &function, "Properties", "Events", "Topic", "Properties", "ScalingConfig"],
        ]
        .map(|path| path.into_iter().map(str::to_owned).collect::<Vec<_>>());
        for path in forgotten {
            let mut document = document();
            let (last, parents) = path.split_last().unwrap();
            let parent = parents.iter().fold(&mut document, |value, key| &mut value[key.as_str()]);
            assert!(parent.as_mapping_mut().unwrap().remove(last.as_str()).is_some(), "{path:?}");
            let wrong = complaints(&document, topic);
            assert!(!wrong.is_empty(), "{path:?} is not missed");
            assert!(wrong.iter().all(|wrong| wrong.starts_with(topic.name())), "{wrong:?}");
        }
    }
}

#[test]
fn the_template_has_no_queue_that_belongs_to_no_topic() {
    let document = document();
    let owned =
        |ids: Vec<&str>, of: &str| ids.into_iter().map(|id| id.replace(of, "")).collect::<BTreeSet<_>>();
    let in_template = of_type(&document, "AWS::SQS::Queue").into_keys().collect();
    assert_eq!(owned(in_template, ""), queues());
    let outputs = document["Outputs"].as_mapping().unwrap().keys().map(named);
    assert_eq!(owned(outputs.filter(|output| output.ends_with("QueueUrl")).collect(), "Url"), queues());
    let alarms = of_type(&document, "AWS::CloudWatch::Alarm").into_values();
    let of_sqs = alarms.filter(|alarm| named(&alarm["Namespace"]) == "AWS/SQS");
    let watched = of_sqs.map(|alarm| named(&alarm["Dimensions"][0]["Value"])).collect();
    assert_eq!(owned(watched, ".QueueName"), queues());
    let functions = Template::load().functions();
    let consumed: BTreeSet<_> = functions.into_iter().filter_map(|function| function.consumes).collect();
    assert_eq!(consumed, Topic::ALL.map(Topic::queue).into());
}

#[test]
fn every_queue_variable_of_a_function_is_one_of_the_table_and_refers_to_its_queue() {
    let document = document();
    let table = queue_variables();
    for (id, function) in of_type(&document, "AWS::Serverless::Function") {
        for (variable, queue) in variables(function) {
            if variable.ends_with("_QUEUE_URL") || variable.ends_with("_DLQ_URL") {
                let expected =
                    table.get(variable).unwrap_or_else(|| panic!("{id}: {variable} is of no topic"));
                assert_eq!(queue, expected, "{id}: {variable}");
            }
        }
        for topic in Topic::ALL {
            let is_consumer = id == format!("{}ConsumerFunction", topic.logical_id());
            let dead_letters = variables(function).contains_key(topic.dead_letter_queue_variable().as_str());
            assert_eq!(dead_letters, is_consumer, "{id}: only its consumer dead-letters messages of {topic}");
        }
    }
}

#[test]
fn every_table_is_encrypted_can_be_restored_and_outlives_its_stack() {
    let tables = Template::load();
    let tables = tables.of_type("AWS::DynamoDB::Table");
    assert!(!tables.is_empty());
    for (id, table) in tables {
        assert!(table["DeletionPolicy"].as_str().unwrap().starts_with("Retain"), "{id}");
        assert_eq!(table["UpdateReplacePolicy"].as_str(), Some("Retain"), "{id}");
        let table = &table["Properties"];
        assert_eq!(table["BillingMode"].as_str(), Some("PAY_PER_REQUEST"), "{id}");
        let recovery = &table["PointInTimeRecoverySpecification"];
        assert_eq!(recovery["PointInTimeRecoveryEnabled"].as_bool(), Some(true), "{id}");
        assert_eq!(table["SSESpecification"]["SSEEnabled"].as_bool(), Some(true), "{id}");
        for (parameters, protected) in [(&[][..], true), (&[("DeletionProtection", "no")], false)] {
            let deployed = deploy(&document(), parameters);
            let protection = &deployed["Resources"][&id]["Properties"]["DeletionProtectionEnabled"];
            assert_eq!(protection.as_bool(), Some(protected), "{id}");
        }
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
fn every_function_has_a_role_and_a_log_of_its_own_and_an_alarm() {
    let template = Template::load();
    let functions = template.of_type("AWS::Serverless::Function");
    assert!(functions.len() > Topic::COUNT, "a consumer of each topic, and the APIs");
    for (id, function) in functions {
        let (name, function) = (id.strip_suffix("Function").unwrap(), &function["Properties"]);
        assert_eq!(named(&function["Role"]), format!("{name}Role.Arn"));
        assert_eq!(named(&function["LoggingConfig"]["LogGroup"]), format!("{name}Logs"));
        let logs = properties(&template, "AWS::Logs::LogGroup", &format!("{name}Logs"));
        assert_eq!(named(&logs["RetentionInDays"]), "LogRetentionDays");
        let alarm = properties(&template, "AWS::CloudWatch::Alarm", &format!("{name}ErrorsAlarm"));
        assert!(watches(alarm, "Errors", &id), "{id}");
    }
}

/// The stages of an API: the one that it names, and the one called `Stage` that SAM adds unless the API has an
/// OpenAPI version. `localstack/transform.py` holds this to SAM itself.
fn stages(document: &Value) -> Vec<String> {
    let versioned = |of: &Value| of["OpenApiVersion"].is_string();
    let globally = versioned(&document["Globals"]["Api"]);
    let apis = of_type(document, "AWS::Serverless::Api").into_values();
    let of_api = |api: &Value| {
        let added = (!globally && !versioned(api)).then(|| "Stage".to_owned());
        added.into_iter().chain([named(&api["StageName"]).to_owned()]).collect::<Vec<_>>()
    };
    apis.flat_map(of_api).collect()
}

#[test]
fn the_api_has_one_stage_and_all_of_it_is_throttled_and_new_bookings_apart() {
    let mut document = document();
    assert_eq!(stages(&document), ["Stage"], "the parameter of that name");
    let api = of_type(&document, "AWS::Serverless::Api")["Api"];
    let limits = api["MethodSettings"].as_sequence().unwrap().iter().map(|setting| {
        ["HttpMethod", "ResourcePath", "ThrottlingRateLimit", "ThrottlingBurstLimit"]
            .map(|property| named(&setting[property]))
    });
    let limits: Vec<_> = limits.collect();
    assert_eq!(
        limits,
        [
            ["*", "/*", "RequestsPerSecond", "RequestsBurst"],
            ["POST", "/~1bookings", "BookingsPerSecond", "BookingsBurst"],
        ]
    );

    // A limit of its own needs a route of its own, and a route hides others of the same path.
    let functions = of_type(&document, "AWS::Serverless::Function");
    let events = functions.iter().flat_map(|(id, function)| {
        let events = function["Events"].as_mapping().unwrap().values();
        let api = events.filter(|event| event["Type"].as_str() == Some("Api"));
        api.map(|event| (named(&event["Properties"]["Path"]), named(&event["Properties"]["Method"]), *id))
    });
    let routes: BTreeSet<_> = events.collect();
    let to_bookings = ["/", "/bookings", "/bookings/{proxy+}", "/{proxy+}"];
    let mut expected: BTreeSet<_> = to_bookings.map(|path| (path, "ANY", "BookingsApiFunction")).into();
    expected.insert(("/bookings", "POST", "BookingsApiFunction"));
    expected.insert(("/flights", "ANY", "FlightsApiFunction"));
    assert_eq!(routes, expected);

    let api = &mut document["Resources"]["Api"]["Properties"];
    api.as_mapping_mut().unwrap().remove("OpenApiVersion").unwrap();
    assert_eq!(stages(&document), ["Stage", "Stage"], "a second one, which nothing throttles");
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

/// Whether a value of a parameter is taken, by its pattern, list and range.
fn takes(parameter: &str, value: &str) -> bool {
    let document = document();
    let of = &document["Parameters"][parameter];
    assert!(of.is_mapping(), "{parameter}");
    let listed = of["AllowedValues"].as_sequence();
    let listed = listed
        .is_none_or(|values| values.iter().any(|allowed| testkit::cloudformation::text(allowed) == value));
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
        ("PaymentProvider", "stripe", "cash"),
        (
            "PaymentProviderSecretArn",
            "arn:aws:secretsmanager:eu-west-1:1:secret:stripe",
            "arn:aws:s3:::stripe",
        ),
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
        ("WafRequests", "10", "9"),
        ("WafRequests", "0", ""),
        ("TicketsConcurrency", "2", "1"),
        ("OrderUpdatesConcurrency", "1000", "1001"),
        ("BillingConcurrency", "10", "0"),
        ("EmailConcurrency", "2", "1"),
        ("ApiReservedConcurrency", "0", "some"),
        ("DeletionProtection", "yes", "true"),
        ("KmsKeyArn", "arn:aws:kms:eu-west-1:123456789012:key/1", "alias/orders"),
        ("OrdersTableName", "orders-2", "o"),
        ("TicketsTableName", "", "tickets/2"),
        ("PaymentsTableName", "a.b", "a b"),
        ("EmailsTableName", "abc", "arn:aws:dynamodb:eu-west-1:1:table/emails"),
        ("GradualDeployment", "true", "yes"),
        ("Architecture", "arm64", "arm"),
    ] {
        assert!(takes(parameter, good), "{parameter}={good}");
        assert!(!takes(parameter, bad), "{parameter}={bad}");
    }
}

#[test]
fn parameters_that_do_not_fit_together_are_refused_with_their_names() {
    let (secret, topic) = ("arn:aws:secretsmanager:eu-west-1:1:secret:s", "arn:aws:sns:eu-west-1:1:duty");
    let stripe = ("PaymentProvider", "stripe");
    for (parameters, refused) in [
        (vec![("PaymentProvider", "simulated")], vec![]),
        (vec![stripe], vec!["PaymentProviderSecretArn", "AlarmEmail"]),
        (vec![stripe, ("PaymentProviderSecretArn", secret)], vec!["AlarmEmail"]),
        (vec![stripe, ("PaymentProviderSecretArn", secret), ("AlarmEmail", "duty@example.com")], vec![]),
        (vec![stripe, ("PaymentProviderSecretArn", secret), ("AlarmTopicArn", topic)], vec![]),
        (
            vec![
                ("PaymentProvider", "simulated"),
                ("AlarmTopicArn", topic),
                ("AlarmEmail", "duty@example.com"),
            ],
            vec!["AlarmEmail"],
        ),
    ] {
        let document = document();
        let broken = Deployment::new(&document, &parameters).broken_rules();
        assert_eq!(broken.len(), refused.len(), "{parameters:?}: {broken:?}");
        for (why, name) in broken.iter().zip(refused) {
            assert!(why.starts_with(name), "{why}");
        }
    }
}

/// Whoever deploys says whether tickets cost money, and where mail comes from.
#[test]
fn only_the_payment_provider_and_the_sender_must_be_chosen() {
    let document = document();
    let parameters = document["Parameters"].as_mapping().unwrap().iter();
    let without = parameters.filter(|(_, parameter)| parameter.get("Default").is_none());
    assert_eq!(without.map(|(name, _)| named(name)).collect::<Vec<_>>(), ["EmailSender", "PaymentProvider"]);
}

#[test]
fn the_dashboard_finds_topics_by_itself_and_shows_every_metric_under_its_name() {
    let document = document();
    let dashboard = of_type(&document, "AWS::CloudWatch::Dashboard")["Dashboard"];
    let body = named(&dashboard["DashboardBody"]);
    for topic in Topic::ALL {
        let names = [format!("${{{}", topic.logical_id()), format!("\"{}\"", topic.name())];
        assert!(!names.iter().any(|name| body.contains(name)), "{topic} is named");
    }
    for metric in [
        metrics::ACCEPTED,
        metrics::SETTLED,
        metrics::TIME_TO_SETTLE,
        metrics::RETRIES,
        metrics::DEAD_LETTERED,
        metrics::OVERDUE,
        metrics::OLDEST_WAIT,
        metrics::EXPIRED,
        metrics::RECONCILER_LATENESS,
        metrics::MAIL_REFUSED,
    ] {
        let plain = format!(r#"["${{AWS::StackName}}", "{metric}""#);
        let searched = format!(r#"MetricName=\"{metric}\""#);
        assert!(body.contains(&plain) || body.contains(&searched), "the dashboard does not show {metric}");
    }
    // It is JSON once its names are filled in.
    let deployed = deploy(&document, &[]);
    let body = deployed["Resources"]["Dashboard"]["Properties"]["DashboardBody"].as_str().unwrap();
    serde_json::from_str::<serde_json::Value>(body).unwrap();
}
