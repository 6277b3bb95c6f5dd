//! Compares each function's role with the calls of the function: it allows exactly these.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::time::Duration;

use localstack::cloud::{Message, lock};
use localstack::stack::{Stack, consumer_name};
use protocol::topic::Topic;
use testkit::template::{Function, Permission, Template};

/// The actions of the Lambda runtime with a function's role: reading its queue, and writing its log.
fn used_by_the_runtime(function: &Function) -> BTreeSet<Permission> {
    let mapping = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
    let mapping = function.consumes.iter().flat_map(|queue| mapping.map(|action| (action, queue.clone())));
    let logs = ["logs:CreateLogStream", "logs:PutLogEvents"];
    let logs = logs.map(|action| (action, format!("{}Logs", function.name)));
    mapping.chain(logs).map(|(action, on)| (action.to_owned(), on)).collect()
}

/// Everything that can happen to bookings: each end, each detour, and unreadable messages.
async fn everything() -> Stack {
    let stack = Stack::start().await;
    let show = |id: String| {
        let stack = &stack;
        async move { stack.request("GET", &format!("/bookings/{id}"), None).await }
    };

    // One at a time: booked, sold out, declined.
    for (seats, card) in [(2, "pm_card_visa"), (9, "pm_card_visa"), (1, "pm_card_chargeDeclined")] {
        let flight = if seats == 9 { "OS-512" } else { "OS-101" };
        let id = stack.book(flight, seats, card).await;
        stack.settle().await;
        assert_eq!(show(id).await["settled"], true);
    }
    // Many at a time.
    for _ in 0..10 {
        stack.book("OS-118", 1, "pm_card_visa").await;
    }
    stack.settle().await;
    // Cancelled while it waits for its payment, then cancelled again; cancelled when it was confirmed.
    let early = stack.book("OS-101", 1, "pm_card_visa").await;
    stack.deliver(Topic::Tickets, 10).await;
    stack.deliver(Topic::OrderUpdates, 10).await;
    stack.request("DELETE", &format!("/bookings/{early}"), None).await;
    stack.settle().await;
    stack.request("DELETE", &format!("/bookings/{early}"), None).await;
    let late = stack.book("OS-101", 1, "pm_card_visa").await;
    stack.settle().await;
    stack.request("DELETE", &format!("/bookings/{late}"), None).await;
    stack.settle().await;
    assert_eq!(show(early).await["status"], "cancelled");
    assert_eq!(show(late).await["status"], "cancelled");
    stack.api(&serde_json::from_str(include_str!("../events/flights-api.json")).unwrap()).await;
    // Lost on the way, and sent again; then past its deadline.
    let lost = stack.book("OS-101", 1, "pm_card_visa").await;
    lock(&stack.cloud.queues).clear();
    stack.clock.advance(Duration::from_secs(120));
    stack.reconcile().await;
    stack.deliver(Topic::Tickets, 10).await;
    stack.deliver(Topic::OrderUpdates, 10).await;
    lock(&stack.cloud.queues).clear();
    stack.clock.advance(Duration::from_secs(240));
    stack.reconcile().await;
    lock(&stack.cloud.queues).clear();
    stack.clock.advance(Duration::from_secs(50 * 60 * 60));
    stack.reconcile().await;
    stack.settle().await;
    assert_eq!(show(lost).await["reason"], "expired");
    // The table of each consumer is unavailable once, when a message needs it.
    let functions = Template::load().functions();
    for topic in Topic::ALL {
        let consumer = functions.iter().find(|function| function.name == consumer_name(topic)).unwrap();
        stack.book("OS-101", 1, "pm_card_visa").await;
        stack.settle_except(&[topic]).await;
        lock(&stack.cloud.away).insert(consumer.environment["TABLE"].clone());
        assert_eq!(stack.deliver(topic, 10).await, 1, "{topic}");
        let waits = lock(&stack.cloud.queues)[&topic.queue()].clone();
        assert!(matches!(&waits[..], [copy] if copy.delay >= 1 && copy.received == 0), "{topic}: {waits:?}");
        lock(&stack.cloud.away).clear();
        stack.settle().await;
    }
    // Unreadable messages are dead-lettered.
    for topic in Topic::ALL {
        let odd = Message { body: "odd".to_owned(), ..Message::default() };
        lock(&stack.cloud.queues).entry(topic.queue()).or_default().push(odd);
        stack.deliver(topic, 10).await;
    }
    stack
}

#[tokio::test]
async fn a_role_allows_what_its_function_does_and_nothing_else() {
    let stack = everything().await;
    let calls = lock(&stack.cloud.calls).clone();
    let mut wrong = Vec::new();
    for function in Template::load().functions() {
        let mine = calls.iter().filter(|call| call.function == function.name);
        let mut used: BTreeSet<_> = mine.flat_map(|call| call.permissions.clone()).collect();
        assert!(used.len() > 1, "{} does something", function.name);
        used.extend(used_by_the_runtime(&function));
        let say =
            |what: &str, (action, on): &Permission| format!("{}: {what} {action} on {on}", function.name);
        wrong.extend(used.difference(&function.allowed).map(|missing| say("may not", missing)));
        wrong.extend(function.allowed.difference(&used).map(|unused| say("needs no", unused)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_role_has_a_wildcard_but_that_of_mail_from_one_sender() {
    for (id, role) in Template::load().of_type("AWS::IAM::Role") {
        let policies = serde_norway::to_string(&role["Properties"]["Policies"]).unwrap();
        // Which identity SES asks for depends on what is verified. Without its condition a statement
        // about all of them would not be the permission that `email-consumer` uses.
        let policies = policies.replacen("identity/*", "", usize::from(id == "EmailConsumerRole"));
        assert!(!policies.contains('*'), "{id} allows more than it says");
    }
}

const KEY: &str = "arn:aws:kms:eu-central-1:123456789012:key/1";

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html>: senders
/// need both, receivers `kms:Decrypt`, as does a function that uses a table or reads a secret.
#[test]
fn a_key_of_the_customer_may_be_used_by_every_function_for_what_it_does() {
    let without = Template::load().functions();
    for (function, before) in Template::with(&[("KmsKeyArn", KEY)]).functions().into_iter().zip(without) {
        let added: BTreeSet<_> = function.allowed.difference(&before.allowed).cloned().collect();
        let sends = before.allowed.iter().any(|(action, _)| action == "sqs:SendMessage");
        let needed = ["kms:Decrypt", "kms:GenerateDataKey"].into_iter().take(if sends { 2 } else { 1 });
        let needed = needed.map(|action| (action.to_owned(), "key/1".to_owned())).collect();
        assert_eq!(added, needed, "{}", function.name);
    }
}

#[test]
fn a_restored_table_takes_the_place_of_the_stacks_own_in_variables_and_roles() {
    let own = Template::load();
    for table in own.tables() {
        let restored = format!("{table}-of-before");
        let template = Template::with(&[(&format!("{table}Name"), &restored)]);
        for (function, before) in template.functions().into_iter().zip(own.functions()) {
            let follows = |text: &str| match text.split_once(&table) {
                Some(("", index)) => format!("table/{restored}{index}"),
                _ => text.to_owned(),
            };
            let before_table = &before.environment["TABLE"];
            let expected = if *before_table == table { &restored } else { before_table };
            assert_eq!(function.environment["TABLE"], *expected, "{}", function.name);
            let allowed = before.allowed.iter().map(|(action, on)| (action.clone(), follows(on))).collect();
            assert_eq!(function.allowed, allowed, "{}", function.name);
        }
    }
}

#[test]
fn stripes_key_is_read_by_the_billing_service_alone_and_only_with_stripe() {
    let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:stripe";
    let stripe = Template::with(&[("PaymentProvider", "stripe"), ("PaymentProviderSecretArn", arn)]);
    for (function, before) in stripe.functions().into_iter().zip(Template::load().functions()) {
        let added: Vec<_> =
            function.allowed.difference(&before.allowed).map(|(action, on)| (&**action, &**on)).collect();
        let wanted: &[_] = if function.name == "BillingConsumer" {
            &[("secretsmanager:GetSecretValue", "stripe")]
        } else {
            &[]
        };
        assert_eq!(added, wanted, "{}", function.name);
    }
}

#[test]
fn the_email_service_may_count_and_suppress_only_where_it_does() {
    let email = |parameters: &[(&str, &str)]| {
        let functions = Template::with(parameters).functions().into_iter();
        functions
            .filter(|function| function.name == "EmailConsumer")
            .map(|function| function.allowed)
            .next()
            .unwrap()
    };
    let both = email(&[]);
    for (parameter, off, action, on) in [
        ("MailsPerHour", "0", "dynamodb:UpdateItem", "EmailsTable"),
        ("SuppressBounces", "no", "ses:SendRawEmail", "configuration-set/MailConfiguration"),
    ] {
        let without = email(&[(parameter, off)]);
        let only: Vec<_> = both.difference(&without).map(|(action, on)| (&**action, &**on)).collect();
        assert_eq!(only, [(action, on)], "{parameter}");
        assert!(without.is_subset(&both), "{parameter}");
    }
}

/// The Email Service reads the secret of the links where its mail has them, and no function reads that of the ids but
/// the one that makes them.
#[test]
fn a_secret_is_read_by_those_who_use_it_alone() {
    let readers = |template: &Template, secret: &str| -> Vec<String> {
        let permission = ("secretsmanager:GetSecretValue".to_owned(), secret.to_owned());
        let functions = template.functions().into_iter();
        functions.filter(|f| f.allowed.contains(&permission)).map(|f| f.name).collect()
    };
    let (without, with) =
        (Template::load(), Template::with(&[("PublicUrl", "https://tickets.example.com/")]));
    assert_eq!(readers(&without, "ManageSecret"), ["BookingsApi"]);
    assert_eq!(readers(&with, "ManageSecret"), ["BookingsApi", "EmailConsumer"]);
    for template in [without, with] {
        assert_eq!(readers(&template, "IdempotencySecret"), ["BookingsApi"]);
        for function in template.functions() {
            let variable = |name: &str| function.environment.get(name);
            let (ids, manage) = (variable("IDEMPOTENCY_SECRET_ARN"), variable("MANAGE_SECRET_ARN"));
            assert!(
                ids.is_none() || ids != manage,
                "{}: one secret for both would give tokens away",
                function.name
            );
        }
    }
}
