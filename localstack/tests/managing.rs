//! The customers' keys to their bookings on AWS: in links, and over a rotation of their secret.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use localstack::cloud::{Cloud, lock};
use localstack::stack::Stack;

const BEFORE: &str = "the secret of before, with more than thirty-two bytes";

#[tokio::test]
async fn a_token_of_before_the_secret_was_rotated_still_counts_and_an_older_one_does_not() {
    let cloud = Cloud::default();
    *lock(&cloud.secret) = Some(BEFORE.to_owned());
    let stack = Stack::with(&[], cloud).await;
    let id = stack.book("OS-101", 1, "pm_card_visa").await;
    let path = format!("/bookings/{id}");
    assert_eq!(stack.request("GET", &path, None).await["passenger"]["name"], "Ada Byron");

    // Other functions start on the same tables, after one rotation and after two.
    *lock(&stack.cloud.secret) = Some(format!("{BEFORE}, rotated"));
    *lock(&stack.cloud.previous_secret) = Some(BEFORE.to_owned());
    let rotated = stack.restarted().await;
    assert_eq!(rotated.request("GET", &path, None).await["passenger"]["name"], "Ada Byron");
    *lock(&stack.cloud.previous_secret) = Some(format!("{BEFORE}, rotated"));
    let rotated_again = stack.restarted().await;
    assert_eq!(rotated_again.request("GET", &path, None).await["status"], 403);
}

#[tokio::test]
async fn a_mail_has_a_link_that_opens_its_booking_where_there_is_a_page_to_lead_to() {
    for (parameters, url) in [
        (&[][..], None),
        (&[("PublicUrl", "https://tickets.example.com/v1")], Some("https://tickets.example.com/v1/#")),
    ] {
        let stack = Stack::with(parameters, Cloud::default()).await;
        let id = stack.book("OS-101", 1, "pm_card_visa").await;
        stack.settle().await;
        let mail = lock(&stack.cloud.mails)[0].clone();
        let text = mail["text/plain"].as_str().unwrap();
        let link = text.split_once("://").map(|(_, rest)| rest.split_whitespace().next().unwrap());
        let token = stack.token(&id);
        let expected = url.map(|url| format!("{url}{id}/{token}"));
        assert_eq!(link.map(|link| format!("https://{link}")), expected, "{mail}");
        for kind in ["text/plain", "text/html"] {
            assert_eq!(mail[kind].as_str().unwrap().contains(&token), expected.is_some(), "{kind}");
        }
        assert!(!mail["text/calendar"].as_str().unwrap().contains(&token), "calendars are shared");
    }
}
