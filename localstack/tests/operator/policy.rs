//! The example policy allows exactly what the operator's commands call.

use std::collections::BTreeSet;

use localstack::cloud::lock;
use operator::commands::{self, Which};
use protocol::topic::Topic;
use serde_json::Value;
use system::view::{LetterId, Page};
use system_contract::Stage;
use testkit::template::{Permission, short};

use crate::stage::AwsStage;

const POLICY: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operator-policy.json"));

/// What the policy allows, by logical ids: CloudFormation names a resource `STACK-LOGICALID-RANDOM`.
fn allowed() -> BTreeSet<Permission> {
    let policy: Value = serde_json::from_str(POLICY).unwrap();
    let mut allowed = BTreeSet::new();
    for statement in policy["Statement"].as_array().unwrap() {
        let list = |key: &str| statement[key].as_array().unwrap().iter().map(|one| one.as_str().unwrap());
        for (action, on) in list("Action").flat_map(|action| list("Resource").map(move |on| (action, on))) {
            let on = short(on).replace("table/", "").replace("bookings-", "").replace("-*", "");
            assert!(allowed.insert((action.to_owned(), on)), "{action} is allowed twice");
        }
    }
    allowed
}

async fn a_letter(stage: &AwsStage) -> LetterId {
    stage.send_unreadable(Topic::Billing).await;
    stage.work().await;
    stage.view.look().await.unwrap().letters.remove(0).id
}

#[tokio::test]
async fn the_example_policy_allows_what_the_commands_do_and_nothing_else() {
    let stage = AwsStage::start().await;
    let id = stage.book().await;
    let (view, page) = (&stage.view, Page::default());
    commands::topics(view).await.unwrap();
    view.sizes().await.unwrap();
    view.size_of_orders().await.unwrap();
    for which in [Which::Unsettled, Which::All] {
        commands::orders(view, which, &page).await.unwrap();
    }
    stage.work().await;
    stage.pause();
    commands::order(view, stage.stack.clock.as_ref(), id).await.unwrap();
    commands::journey(view, id).await.unwrap();
    commands::audit(view).await.unwrap();
    let letter = a_letter(&stage).await;
    commands::letters(view).await.unwrap();
    commands::explain(view, &letter).await.unwrap();
    commands::redrive(view, Some(letter), false).await.unwrap();
    stage.work().await;
    let letter = view.look().await.unwrap().letters.remove(0).id;
    commands::discard(view, &letter, "sent to try it", false).await.unwrap();
    // Every topic has its letter, every service its switch.
    for topic in Topic::ALL {
        stage.send_unreadable(topic).await;
    }
    stage.work().await;
    commands::letters(view).await.unwrap();
    commands::redrive(view, None, false).await.unwrap();
    for topic in Topic::ALL {
        commands::switch(view, topic.switch(), false, false).await.unwrap();
    }
    commands::services(view).await.unwrap();

    let calls = lock(&stage.stack.cloud.calls).clone();
    let calls = calls.iter().filter(|call| call.function == "Operator");
    let used: BTreeSet<_> = calls.flat_map(|call| call.permissions.clone()).collect();
    let allowed = allowed();
    let missing: Vec<_> = used.difference(&allowed).collect();
    let unused: Vec<_> = allowed.difference(&used).collect();
    assert!(missing.is_empty() && unused.is_empty(), "may not {missing:#?}\nneeds no {unused:#?}");
}
