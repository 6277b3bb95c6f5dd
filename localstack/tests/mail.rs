//! Mail on AWS: how many an address gets in an hour, and that SES suppresses what bounces.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use localstack::cloud::{Cloud, lock};
use localstack::stack::Stack;
use protocol::topic::Topic;

/// Mails that were sent.
fn sent(stack: &Stack) -> usize {
    lock(&stack.cloud.mails).len()
}

/// The attack: bookings in a row, all with the address of somebody else.
#[tokio::test]
async fn an_address_gets_twenty_mails_in_an_hour_and_the_others_later() {
    let stack = Stack::start().await;
    for _ in 0..23 {
        stack.book_for("ada@example.com", "OS-900", 1, "pm_card_visa").await;
    }
    stack.settle_except(&[Topic::Email]).await;
    let deliver_all = async || {
        let waiting = lock(&stack.cloud.queues)[&Topic::Email.queue()].len();
        for _ in 0..waiting.div_ceil(10) {
            stack.deliver(Topic::Email, 10).await;
        }
    };
    deliver_all().await;
    assert_eq!(sent(&stack), 20);
    let waiting = lock(&stack.cloud.queues)[&Topic::Email.queue()].clone();
    assert!(waiting.len() == 3 && waiting.iter().all(|copy| copy.delay >= 1), "they wait: {waiting:?}");
    deliver_all().await;
    assert_eq!(sent(&stack), 20, "in the same hour");

    stack.clock.advance(Duration::from_secs(60 * 60));
    stack.settle().await;
    assert_eq!(sent(&stack), 23, "none is lost");
}

#[tokio::test]
async fn with_0_an_address_gets_any_number_of_mails() {
    let stack = Stack::with(&[("MailsPerHour", "0")], Cloud::default()).await;
    for _ in 0..23 {
        stack.book_for("ada@example.com", "OS-900", 1, "pm_card_visa").await;
    }
    stack.settle().await;
    assert_eq!(sent(&stack), 23);
}

#[tokio::test]
async fn mail_names_the_configuration_set_that_suppresses_bounces_and_complaints() {
    for (parameters, expected) in [(&[][..], Some("MailConfiguration")), (&[("SuppressBounces", "no")], None)]
    {
        let stack = Stack::with(parameters, Cloud::default()).await;
        stack.book("OS-101", 1, "pm_card_visa").await;
        stack.settle().await;
        let mail = lock(&stack.cloud.mails)[0].clone();
        assert_eq!(mail["ConfigurationSetName"].as_str(), expected, "{mail}");
    }
    let template = testkit::template::Template::load();
    let sets = template.of_type("AWS::SES::ConfigurationSet");
    let reasons = &sets[0].1["Properties"]["SuppressionOptions"]["SuppressedReasons"];
    let reasons: Vec<_> =
        reasons.as_sequence().unwrap().iter().filter_map(|reason| reason.as_str()).collect();
    assert_eq!(reasons, ["BOUNCE", "COMPLAINT"]);
}
