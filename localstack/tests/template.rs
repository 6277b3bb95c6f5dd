//! What template.yaml promises beside the roles: nothing is lost that was taken, and nothing goes
//! wrong unseen.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use localstack::template::Template;
use serde_norway::Value;
use shared::metrics;

const TOPICS: [&str; 4] = ["Tickets", "OrderUpdates", "Billing", "Email"];

/// A text, or what a `!Ref` or `!GetAtt` names.
fn named(value: &Value) -> &str {
    match value {
        Value::Tagged(tagged) => tagged.value.as_str().unwrap(),
        value => value.as_str().unwrap(),
    }
}

fn properties<'a>(template: &'a Template, kind: &str, id: &str) -> &'a Value {
    let resource = template.of_type(kind).into_iter().find(|(other, _)| other == id);
    &resource.unwrap_or_else(|| panic!("the template has no {id}")).1["Properties"]
}

/// Whether an alarm goes off as soon as that metric of that resource is above its threshold.
fn is_watched(template: &Template, metric: &str, of: &str) -> bool {
    template.of_type("AWS::CloudWatch::Alarm").iter().any(|(_, alarm)| {
        let alarm = &alarm["Properties"];
        alarm["MetricName"].as_str() == Some(metric)
            && alarm["Dimensions"][0]["Value"] != Value::Null
            && named(&alarm["Dimensions"][0]["Value"]) == of
            && alarm["EvaluationPeriods"].as_u64() == Some(1)
    })
}

#[test]
fn every_topic_has_a_dead_letter_queue_that_outlives_it_and_both_are_watched() {
    let template = Template::load();
    let queue = |id: &str| properties(&template, "AWS::SQS::Queue", id);
    for topic in TOPICS {
        let (waiting, dead) = (queue(&format!("{topic}Queue")), queue(&format!("{topic}DeadLetterQueue")));
        let redrive = &waiting["RedrivePolicy"];
        assert_eq!(named(&redrive["deadLetterTargetArn"]), format!("{topic}DeadLetterQueue.Arn"));
        assert_eq!(redrive["maxReceiveCount"].as_u64(), Some(5));
        assert_eq!(waiting["VisibilityTimeout"].as_u64(), Some(180), "six times the functions' 30 s");
        let days = |queue: &Value| queue["MessageRetentionPeriod"].as_u64().unwrap() / 86_400;
        assert!(days(waiting) >= 7 && days(dead) == 14, "{topic}");
        let given_up = format!("{topic}DeadLetterQueue.QueueName");
        assert!(is_watched(&template, "ApproximateNumberOfMessagesVisible", &given_up), "{topic}");
        let waits = format!("{topic}Queue.QueueName");
        assert!(is_watched(&template, "ApproximateAgeOfOldestMessage", &waits), "{topic}");
    }
    assert_eq!(template.of_type("AWS::SQS::Queue").len(), 8);
}

#[test]
fn every_table_is_encrypted_can_be_restored_and_outlives_its_stack() {
    let tables = Template::load();
    let tables = tables.of_type("AWS::DynamoDB::Table");
    assert_eq!(tables.len(), 4);
    for (id, table) in tables {
        assert!(table["DeletionPolicy"].as_str().unwrap().starts_with("Retain"), "{id}");
        assert_eq!(table["UpdateReplacePolicy"].as_str(), Some("Retain"), "{id}");
        let table = &table["Properties"];
        assert_eq!(table["BillingMode"].as_str(), Some("PAY_PER_REQUEST"), "{id}");
        let recovery = &table["PointInTimeRecoverySpecification"];
        assert_eq!(recovery["PointInTimeRecoveryEnabled"].as_bool(), Some(true), "{id}");
        assert_eq!(table["SSESpecification"]["SSEEnabled"].as_bool(), Some(true), "{id}");
    }
}

#[test]
fn every_function_has_a_role_and_a_log_of_its_own_and_an_alarm() {
    let template = Template::load();
    let functions = template.of_type("AWS::Serverless::Function");
    assert_eq!(functions.len(), 7);
    for (id, function) in functions {
        let (name, function) = (id.strip_suffix("Function").unwrap(), &function["Properties"]);
        assert_eq!(named(&function["Role"]), format!("{name}Role.Arn"));
        assert_eq!(named(&function["LoggingConfig"]["LogGroup"]), format!("{name}Logs"));
        let logs = properties(&template, "AWS::Logs::LogGroup", &format!("{name}Logs"));
        assert_eq!(named(&logs["RetentionInDays"]), "LogRetentionDays");
        assert!(is_watched(&template, "Errors", &id), "{id}");
    }
}

#[test]
fn every_consumer_names_its_failed_records_and_billing_is_called_by_few_at_once() {
    let template = Template::load();
    for topic in TOPICS {
        let function =
            properties(&template, "AWS::Serverless::Function", &format!("{topic}ConsumerFunction"));
        let mapping = &function["Events"]["Topic"]["Properties"];
        assert_eq!(named(&mapping["Queue"]), format!("{topic}Queue.Arn"));
        assert_eq!(mapping["FunctionResponseTypes"][0].as_str(), Some("ReportBatchItemFailures"));
        if topic == "Billing" {
            assert_eq!(mapping["ScalingConfig"]["MaximumConcurrency"].as_u64(), Some(10));
        }
    }
    let api = &properties(&template, "AWS::Serverless::Api", "Api")["MethodSettings"][0];
    assert_eq!(named(&api["ThrottlingRateLimit"]), "RequestsPerSecond");
    assert_eq!(named(&api["ThrottlingBurstLimit"]), "RequestsBurst");
}

#[test]
fn what_alarms_and_the_dashboard_show_of_the_orders_is_counted_under_that_name() {
    let template = Template::load();
    let alarm = properties(&template, "AWS::CloudWatch::Alarm", "OverdueAlarm");
    assert_eq!(
        (named(&alarm["Namespace"]), named(&alarm["MetricName"])),
        ("AWS::StackName", metrics::OVERDUE)
    );
    let dashboard = properties(&template, "AWS::CloudWatch::Dashboard", "Dashboard");
    let shown: Vec<_> = named(&dashboard["DashboardBody"])
        .split(r#"["${AWS::StackName}", ""#)
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    let counted =
        [metrics::ACCEPTED, metrics::SETTLED, metrics::TIME_TO_SETTLE, metrics::RETRIES, metrics::OVERDUE];
    assert!(shown.iter().all(|metric| counted.contains(metric)), "{shown:?}");
    assert!(counted.iter().all(|metric| shown.contains(metric)), "{shown:?}");
}
