//! The promises of template.yaml beside roles, alarms and parameters: no accepted order is lost, and every topic of
//! the one table (`protocol::topic`) has its resources under its names.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use localstack::document::{document, named, of_type};
use messaging::metrics;
use protocol::topic::Topic;
use serde_norway::Value;
use testkit::template::{Template, deploy};

fn properties<'a>(template: &'a Template, kind: &str, id: &str) -> &'a Value {
    let resource = template.of_type(kind).into_iter().find(|(other, _)| other == id);
    &resource.unwrap_or_else(|| panic!("the template has no {id}")).1["Properties"]
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
    let of_topic = |alarm: &Value, metric| {
        alarm["MetricName"].as_str() == Some(metric)
            && named(&alarm["Dimensions"][0]["Value"]) == topic.name()
    };
    for (name, metric) in [("WaitAlarm", metrics::OLDEST_WAIT), ("RetriesAlarm", metrics::RETRIES)] {
        let name = format!("{id}{name}");
        must(of_topic(alarm(&name), metric), &format!("{name} watches its {metric}"));
    }
    for (name, metric) in [("ThrottlesAlarm", "Throttles"), ("RecursionAlarm", "RecursiveInvocationsDropped")]
    {
        let name = format!("{id}Consumer{name}");
        let watched = alarm(&name);
        must(
            watched["MetricName"].as_str() == Some(metric)
                && watched["Dimensions"][0]["Value"] == consumer["FunctionName"],
            &format!("{name} watches {metric} of {function}"),
        );
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
        assert!(watches(alarm, "Errors", named(&function["FunctionName"])), "{id}");
    }
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
