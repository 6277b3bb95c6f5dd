//! What the operator's view on AWS shows instead of what SQS and DynamoDB do not have.

use std::collections::BTreeSet;
use std::time::Duration;

use localstack::cloud::lock;
use protocol::ids::OrderId;
use protocol::topic::Topic;
use system::view::{Filter, Page, Switches, View};
use system_contract::Stage;

use crate::stage::AwsStage;

#[tokio::test]
async fn what_was_sent_is_counted_until_it_is_finished_and_no_sum_is_made_up() {
    let stage = AwsStage::start().await;
    stage.book().await;
    let states = stage.view.topics().await.unwrap();
    assert_eq!(states.len(), Topic::COUNT);
    for (topic, state) in &states {
        assert_eq!(state.waiting, u64::from(*topic == Topic::Tickets), "{topic}");
        assert_eq!((state.sent, state.finished, state.oldest_age_seconds), (None, None, None), "{topic}");
    }
    stage.work().await;
    for (topic, state) in stage.view.topics().await.unwrap() {
        assert_eq!((state.waiting, state.in_flight, state.delayed), (0, 0, 0), "{topic}");
    }
}

#[tokio::test]
async fn a_case_has_what_every_service_knows_and_says_that_messages_are_not_seen() {
    let stage = AwsStage::start().await;
    let id = stage.book().await;
    let case = stage.view.case(id).await.unwrap();
    assert!(case.unseen && !case.is_at_rest());
    assert!(case.next_check.is_some() && case.reservation.is_none());
    stage.work().await;
    stage.pause();
    let case = stage.view.case(id).await.unwrap();
    assert!(case.is_at_rest() && case.next_check.is_none());
    assert!(case.reservation.is_some() && case.payment.is_some() && case.mailed.is_some());
    assert!(case.account.is_some_and(|account| account.captured() > 0));
}

async fn pages(stage: &AwsStage, filter: Filter) -> Vec<OrderId> {
    let (mut found, mut page) = (Vec::new(), Page { limit: 2, after: None });
    loop {
        let answer = stage.view.orders(filter, &page).await.unwrap();
        assert!(answer.items.len() <= 2);
        found.extend(answer.items.into_iter().map(|order| order.id));
        match answer.next {
            Some(next) => page.after = Some(next),
            None => return found,
        }
    }
}

#[tokio::test]
async fn every_order_is_on_one_page_the_unsettled_by_their_next_check() {
    let stage = AwsStage::start().await;
    let mut booked = Vec::new();
    for _ in 0..7 {
        booked.push(stage.book().await);
    }
    assert_eq!(pages(&stage, Filter::UNSETTLED).await, booked, "the check that is due first is first");
    let all = pages(&stage, Filter::ALL).await;
    assert_eq!(all.len(), booked.len(), "no order is on two pages");
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), booked.into_iter().collect::<BTreeSet<_>>());
}

#[tokio::test]
async fn a_stopped_service_is_a_disabled_mapping() {
    let stage = AwsStage::start().await;
    stage.view.topics().await.unwrap();
    assert!(stage.view.is_running(Topic::Billing));
    stage.view.switch(Topic::Billing, false).await.unwrap();
    assert_eq!(lock(&stage.stack.cloud.stopped).iter().collect::<Vec<_>>(), ["BillingQueue"]);
    assert!(!stage.view.is_running(Topic::Billing) && stage.view.is_running(Topic::Tickets));
    stage.view.switch(Topic::Billing, true).await.unwrap();
    assert!(lock(&stage.stack.cloud.stopped).is_empty() && stage.view.is_running(Topic::Billing));
    let told = || {
        let calls = lock(&stage.stack.cloud.calls);
        calls.iter().filter(|call| call.operation == "UpdateEventSourceMapping").count()
    };
    assert_eq!(told(), 2);
    stage.view.switch(Topic::Billing, true).await.unwrap();
    assert_eq!(told(), 2, "a mapping that is enabled is not told again");
}

#[tokio::test]
async fn a_look_at_the_dead_letters_leaves_them_where_they_are_and_misses_none() {
    let stage = AwsStage::start().await;
    for _ in 0..25 {
        stage.send_unreadable(Topic::Email).await;
    }
    stage.work().await;
    for _ in 0..2 {
        let looked = stage.view.look().await.unwrap();
        assert_eq!((looked.letters.len(), looked.missed), (25, 0));
    }
    // Another receiver hides one.
    let queue = Topic::Email.dead_letter_queue();
    lock(&stage.stack.cloud.queues).get_mut(&queue).unwrap()[0].hidden = true;
    let looked = stage.view.look().await.unwrap();
    assert_eq!((looked.letters.len(), looked.missed), (24, 1));
}

#[tokio::test]
async fn a_letter_that_waits_after_its_redrive_is_the_same_letter_when_it_is_given_up_and_no_other_message_is()
 {
    let stage = AwsStage::start().await;
    stage.book().await;
    stage.book().await;
    stage.stack.settle_except(&[Topic::Email]).await;
    {
        let mut queues = lock(&stage.stack.cloud.queues);
        let mail = queues.get_mut("EmailQueue").unwrap().remove(0);
        queues.entry("EmailDeadLetterQueue".to_owned()).or_default().push(mail);
    }
    let before = stage.view.look().await.unwrap().letters.remove(0);
    stage.view.redrive(Some(before.id.clone())).await.unwrap();
    lock(&stage.stack.cloud.away).insert("EmailsTable".to_owned());
    for _ in 0..2 {
        assert_eq!(stage.stack.deliver(Topic::Email, 10).await, 2, "both wait, as delayed copies");
    }
    stage.stack.clock.advance(Duration::from_secs(8 * 24 * 3600));
    stage.stack.deliver(Topic::Email, 10).await;

    let letters = stage.view.look().await.unwrap().letters;
    let (same, new): (Vec<_>, Vec<_>) = letters.into_iter().partition(|letter| letter.id == before.id);
    assert_eq!((same.len(), new.len()), (1, 1));
    assert!(same[0].failure.contains("waited in vain"), "{same:?}");
    assert_eq!((same[0].first_at, same[0].redrives), (before.first_at, 1));
    assert_eq!((same[0].attempts, new[0].attempts), (before.attempts + 3, 3));
    assert_eq!(new[0].redrives, 0);
}
