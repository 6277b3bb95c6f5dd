//! The suite of the operator's view. Tests only.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "a suite fails by panicking, and a promise is its name"
)]

use std::collections::BTreeSet;

use async_trait::async_trait;
use booking_gateway::order::Status;
pub use messaging_contract::contract_tests;
use protocol::ids::OrderId;
use protocol::topic::Topic;
use system::audit::Tally;
use system::view::{Changed, DeadLetter, Filter, LetterId, Page, TopicState, View, Watched};

/// A platform with its view. Its services do nothing until they are told to.
#[async_trait]
pub trait Stage: Send + Sync {
    /// The view.
    fn view(&self) -> &dyn View;

    /// A customer books two seats with a card that pays; answers the accepted order.
    async fn book(&self) -> OrderId;

    /// Sends something that is no event.
    async fn send_unreadable(&self, topic: Topic);

    /// Lets the services work until no message is left in a topic, and then no more.
    async fn work(&self);
}

/// The tests of [`View`] for one platform.
#[macro_export]
macro_rules! view_contract {
    ($make:path) => {
        $crate::contract_tests!($make; $crate {
            what_was_sent_waits_until_it_is_finished,
            orders_are_counted_by_their_status,
            orders_are_listed_newest_first_a_page_at_a_time,
            an_order_is_among_the_unsettled_until_it_is_settled,
            orders_of_a_status_are_listed_alone,
            a_page_after_what_is_no_cursor_is_refused,
            a_case_has_what_every_service_knows,
            an_order_that_does_not_exist_has_an_empty_case,
            a_system_at_rest_has_no_differences,
            an_order_under_way_is_no_difference,
            what_changed_is_told_once_where_it_is_told,
            a_dead_letter_is_a_difference_until_it_is_discarded,
            a_letter_keeps_its_id_its_first_time_and_its_attempts_over_redrives,
            one_letter_is_redriven_alone,
            an_unknown_letter_is_neither_redriven_nor_discarded,
        });
    };
}

async fn topic(stage: &impl Stage, topic: Topic) -> TopicState {
    let states = stage.view().topics().await.unwrap();
    states.into_iter().find(|(one, _)| *one == topic).unwrap().1
}

async fn letters(stage: &impl Stage) -> Vec<DeadLetter> {
    stage.view().dead_letters().await.unwrap()
}

async fn listed(stage: &impl Stage, filter: Filter) -> Vec<OrderId> {
    let page = stage.view().orders(filter, &Page::default()).await.unwrap();
    assert_eq!(page.next, None);
    page.items.into_iter().map(|order| order.id).collect()
}

pub async fn what_was_sent_waits_until_it_is_finished(stage: impl Stage) {
    stage.book().await;
    let tickets = topic(&stage, Topic::Tickets).await;
    assert_eq!((tickets.waiting, tickets.in_flight, tickets.delayed), (1, 0, 0));
    assert_eq!((tickets.sent, tickets.finished), (Some(1), Some(0)));
    stage.work().await;
    for (topic, state) in stage.view().topics().await.unwrap() {
        assert_eq!((state.waiting, state.in_flight, state.delayed), (0, 0, 0), "{topic}");
        assert_eq!(state.sent, state.finished, "{topic}");
        assert_eq!(state.sent, Some(if topic == Topic::OrderUpdates { 2 } else { 1 }), "{topic}");
    }
}

pub async fn orders_are_counted_by_their_status(stage: impl Stage) {
    stage.book().await;
    stage.work().await;
    stage.book().await;
    stage.book().await;
    let counts = stage.view().orders_by_status().await.unwrap();
    let count = |status| counts.iter().find(|(one, _)| *one == status).map_or(0, |(_, count)| *count);
    assert_eq!((count(Status::Confirmed), count(Status::Pending)), (1, 2));
    assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), 3);
}

pub async fn orders_are_listed_newest_first_a_page_at_a_time(stage: impl Stage) {
    let mut booked = Vec::new();
    for _ in 0..5 {
        booked.push(stage.book().await);
    }
    booked.reverse();
    let (mut found, mut page) = (Vec::new(), Page { limit: 2, after: None });
    loop {
        let answer = stage.view().orders(Filter::ALL, &page).await.unwrap();
        assert!(answer.items.len() <= 2);
        found.extend(answer.items.into_iter().map(|order| order.id));
        match answer.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    assert_eq!(found, booked);
}

pub async fn an_order_is_among_the_unsettled_until_it_is_settled(stage: impl Stage) {
    let (first, second) = (stage.book().await, stage.book().await);
    assert_eq!(listed(&stage, Filter::UNSETTLED).await, [first, second], "the longest wait first");
    assert_eq!(listed(&stage, Filter { settled: Some(true), ..Filter::ALL }).await, []);
    stage.work().await;
    assert_eq!(listed(&stage, Filter::UNSETTLED).await, []);
    assert_eq!(listed(&stage, Filter { settled: Some(true), ..Filter::ALL }).await, [second, first]);
}

pub async fn orders_of_a_status_are_listed_alone(stage: impl Stage) {
    let of = |status| Filter { status: Some(status), ..Filter::ALL };
    let confirmed = stage.book().await;
    stage.work().await;
    let pending = stage.book().await;
    assert_eq!(listed(&stage, of(Status::Confirmed)).await, [confirmed]);
    assert_eq!(listed(&stage, of(Status::Pending)).await, [pending]);
    assert_eq!(listed(&stage, of(Status::Rejected)).await, []);
    assert_eq!(listed(&stage, Filter { settled: Some(false), ..of(Status::Pending) }).await, [pending]);
    assert_eq!(listed(&stage, Filter { settled: Some(false), ..of(Status::Confirmed) }).await, []);
}

pub async fn a_page_after_what_is_no_cursor_is_refused(stage: impl Stage) {
    let page = Page { after: Some("no cursor".to_owned()), ..Page::default() };
    let refused = stage.view().orders(Filter::ALL, &page).await.unwrap_err();
    assert_eq!(refused.to_string(), "must be the `next` of an earlier page");
}

pub async fn a_case_has_what_every_service_knows(stage: impl Stage) {
    let id = stage.book().await;
    let case = stage.view().case(id).await.unwrap();
    assert_eq!((case.order.unwrap().id, case.messages), (id, 1));
    assert!(case.next_check.is_some() && case.reservation.is_none());
    stage.work().await;
    let case = stage.view().case(id).await.unwrap();
    assert!(case.is_at_rest() && case.next_check.is_none());
    assert!(case.reservation.is_some() && case.payment.is_some() && case.mailed.is_some());
}

pub async fn an_order_that_does_not_exist_has_an_empty_case(stage: impl Stage) {
    let case = stage.view().case(OrderId::from_bytes([7; 16])).await.unwrap();
    assert!(case.order.is_none() && case.reservation.is_none() && case.messages == 0);
}

pub async fn a_system_at_rest_has_no_differences(stage: impl Stage) {
    stage.book().await;
    stage.work().await;
    let audit = stage.view().audit().await.unwrap();
    assert_eq!((audit.orders, audit.at_rest), (1, 1));
    assert_eq!(audit.discrepancies, []);
    assert!(audit.checked.len() > 5 && audit.checked.values().all(|times| *times > 0));
}

pub async fn an_order_under_way_is_no_difference(stage: impl Stage) {
    stage.book().await;
    let audit = stage.view().audit().await.unwrap();
    assert_eq!((audit.orders, audit.at_rest), (1, 0));
    assert_eq!(audit.discrepancies, []);
}

pub async fn what_changed_is_told_once_where_it_is_told(stage: impl Stage) {
    let Some(watched) = stage.view().watched() else {
        return assert!(!stage.view().reads_freely(), "what is read freely is watched");
    };
    let first = stage.book().await;
    let tally = watched.audit_all().await.unwrap();
    assert_eq!((tally.orders(), tally.differences()), (1, 0));
    // What changed before the full audit is told all the same.
    let (tally, told) = changed(watched, tally).await;
    assert_eq!(told, BTreeSet::from([first]));
    let second = stage.book().await;
    let (tally, told) = changed(watched, tally).await;
    assert_eq!((tally.orders(), told), (2, BTreeSet::from([second])));
    stage.work().await;
    let (tally, told) = changed(watched, tally).await;
    assert_eq!((tally.differences(), told), (0, BTreeSet::from([first, second])));
    let (tally, told) = changed(watched, tally).await;
    assert_eq!((tally.orders(), tally.differences(), told), (2, 0, BTreeSet::new()));
    stage.send_unreadable(Topic::Billing).await;
    stage.work().await;
    assert_eq!(changed(watched, tally).await.0.differences(), 1);
}

async fn changed(watched: &dyn Watched, tally: Tally) -> (Tally, BTreeSet<OrderId>) {
    match watched.audit_changed(tally, BTreeSet::new()).await.unwrap() {
        Changed::These(tally, told) => (*tally, told),
        Changed::TooMany => panic!("two orders are not too many"),
    }
}

pub async fn a_dead_letter_is_a_difference_until_it_is_discarded(stage: impl Stage) {
    stage.send_unreadable(Topic::Billing).await;
    stage.work().await;
    assert_eq!(topic(&stage, Topic::Billing).await.dead_lettered, 1);
    assert_eq!(stage.view().audit().await.unwrap().discrepancies.len(), 1);
    let id = letters(&stage).await.remove(0).id;
    assert_eq!(stage.view().discard(id, "sent to try it").await.unwrap(), 1);
    assert_eq!(letters(&stage).await, []);
    assert_eq!(topic(&stage, Topic::Billing).await.dead_lettered, 0);
    assert_eq!(stage.view().audit().await.unwrap().discrepancies, []);
}

pub async fn a_letter_keeps_its_id_its_first_time_and_its_attempts_over_redrives(stage: impl Stage) {
    stage.send_unreadable(Topic::Email).await;
    stage.work().await;
    let before = letters(&stage).await.remove(0);
    assert_eq!((before.attempts, before.redrives, before.topic), (1, 0, Topic::Email));
    for redrives in 1..=2 {
        assert_eq!(stage.view().redrive(Some(before.id.clone())).await.unwrap(), 1);
        assert_eq!(letters(&stage).await, [], "it is in its topic");
        stage.work().await;
        let after = letters(&stage).await.remove(0);
        assert_eq!((&after.id, after.first_at), (&before.id, before.first_at));
        assert_eq!((after.attempts, after.redrives), (1 + redrives, redrives));
        assert!(after.dead_lettered_at >= before.dead_lettered_at);
    }
    assert_eq!(letters(&stage).await.len(), 1);
}

pub async fn one_letter_is_redriven_alone(stage: impl Stage) {
    stage.send_unreadable(Topic::Tickets).await;
    stage.send_unreadable(Topic::Billing).await;
    stage.work().await;
    let all = letters(&stage).await;
    assert_eq!(all.len(), 2);
    assert_eq!(stage.view().redrive(Some(all[0].id.clone())).await.unwrap(), 1);
    assert_eq!(letters(&stage).await, all[1..]);
    stage.work().await;
    assert_eq!(stage.view().redrive(None).await.unwrap(), 2);
    assert_eq!(letters(&stage).await, []);
}

pub async fn an_unknown_letter_is_neither_redriven_nor_discarded(stage: impl Stage) {
    for unknown in [LetterId::Number(77), LetterId::Name("unknown".to_owned())] {
        assert_eq!(stage.view().redrive(Some(unknown.clone())).await.unwrap(), 0);
        assert_eq!(stage.view().discard(unknown, "it does not exist").await.unwrap(), 0);
    }
}
