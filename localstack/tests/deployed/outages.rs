//! A consumer is disabled: bookings are accepted, wait, and go on where they stopped.

use protocol::topic::Topic;

use crate::stack::alone;

/// How far a booking comes while the consumer of a topic is disabled: one whose card pays, and one whose
/// card is declined.
fn stops_at(topic: Topic) -> [&'static str; 2] {
    match topic {
        // Only what no order waits for waits, such as the mails.
        _ if !topic.is_awaited() => ["confirmed", "payment_declined"],
        Topic::Billing => ["tickets_reserved", "tickets_reserved"],
        _ => ["pending", "pending"],
    }
}

#[tokio::test]
async fn bookings_wait_for_a_disabled_consumer_and_go_on_where_they_stopped() {
    alone(async |stack| {
        for topic in Topic::ALL {
            stack.disable(topic).await;
            let [paid, declined] =
                [stack.book("pm_card_visa").await, stack.book("pm_card_chargeDeclined").await];
            stack.holds(&format!("what waits for {topic}"), &stack.queue_url(topic), 2).await;
            for (id, status) in [&paid, &declined].into_iter().zip(stops_at(topic)) {
                stack.becomes(&format!("a booking without a consumer of {topic}"), id, status).await;
            }
            assert_eq!(stack.mails(&paid).await, 0, "no mail goes out before {topic} is consumed");
            stack.enable(topic).await;
            for (id, status) in [(&paid, "confirmed"), (&declined, "payment_declined")] {
                stack.becomes(&format!("a booking that waited for {topic}"), id, status).await;
            }
            stack.comes_to_rest().await;
            assert_eq!(stack.mails(&paid).await, 1, "mails about a booking that waited for {topic}");
        }
    })
    .await;
}
