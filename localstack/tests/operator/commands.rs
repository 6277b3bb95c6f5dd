//! The commands: what they say, and their exit status.

use localstack::cloud::lock;
use operator::commands::{self, CommandError, Verdict, Which};
use operator::stack::{Stack, StackError};
use protocol::ids::OrderId;
use protocol::topic::Topic;
use system::view::{LetterId, Page};
use system_contract::Stage;

use crate::stage::AwsStage;

#[tokio::test]
async fn dead_letters_are_status_1_and_a_redrive_of_a_mended_cause_settles_its_order() {
    let stage = AwsStage::start().await;
    let view = &stage.view;
    assert_eq!(commands::letters(view).await.unwrap().verdict, Verdict::Fine);
    // A consumer of before could not read the charge: it is among the dead letters.
    let id = stage.book().await;
    stage.stack.settle_except(&[Topic::Billing]).await;
    {
        let mut queues = lock(&stage.stack.cloud.queues);
        let charge = queues.get_mut("BillingQueue").unwrap().remove(0);
        queues.entry("BillingDeadLetterQueue".to_owned()).or_default().push(charge);
    }

    let listed = commands::letters(view).await.unwrap();
    assert_eq!(listed.verdict, Verdict::Differs);
    assert!(
        listed.text.contains("booking.charge.v1") && listed.text.contains("1 dead letters"),
        "{listed:?}"
    );
    assert!(!listed.json.to_string().contains("pm_card"), "no payment token is shown");
    assert_eq!(commands::topics(view).await.unwrap().verdict, Verdict::Differs);
    assert_eq!(commands::audit(view).await.unwrap().verdict, Verdict::Differs);
    let letter: LetterId = listed.json[0]["id"].as_str().unwrap().parse().unwrap();
    let explained = commands::explain(view, &letter).await.unwrap().text;
    for part in ["received 20 times in vain", &id.to_string(), "waits for payment", "advice"] {
        assert!(explained.contains(part), "{part}: {explained}");
    }

    let dry = commands::redrive(view, Some(letter.clone()), true).await.unwrap();
    assert!(dry.text.starts_with("would redrive"), "{dry:?}");
    assert_eq!(commands::letters(view).await.unwrap().verdict, Verdict::Differs, "it is still there");
    let redriven = commands::redrive(view, Some(letter), false).await.unwrap();
    assert_eq!(redriven.json["redriven"], 1);
    stage.work().await;
    stage.pause();
    let order = commands::order(view, stage.stack.clock.as_ref(), id).await.unwrap();
    assert_eq!(order.verdict, Verdict::Fine, "{order:?}");
    let audit = commands::audit(view).await.unwrap();
    assert_eq!(audit.verdict, Verdict::Fine, "{audit:?}");
    assert!(audit.text.ends_with("everything is as it should be"), "{audit:?}");
}

#[tokio::test]
async fn a_discard_says_what_was_discarded_and_only_then_deletes_it() {
    let stage = AwsStage::start().await;
    stage.send_unreadable(Topic::Email).await;
    stage.work().await;
    let letter = stage.view.look().await.unwrap().letters.remove(0).id;
    let dry = commands::discard(&stage.view, &letter, "sent to try it", true).await.unwrap();
    assert!(dry.text.starts_with("would discard"));
    let done = commands::discard(&stage.view, &letter, "sent to try it", false).await.unwrap();
    assert_eq!(
        (&done.json["reason"], &done.json["letter"]["topic"]),
        (&"sent to try it".into(), &"email".into())
    );
    let again = commands::discard(&stage.view, &letter, "sent to try it", false).await.unwrap_err();
    assert!(matches!(again, CommandError::NoLetter(_)), "{again}");
}

#[tokio::test]
async fn an_order_that_waits_is_listed_and_its_journey_names_what_it_waits_for() {
    let stage = AwsStage::start().await;
    let id = stage.book().await;
    let listed = commands::orders(&stage.view, Which::Unsettled, &Page::default()).await.unwrap();
    assert!(listed.text.contains(&id.to_string()) && listed.text.contains("pending"), "{listed:?}");
    let journey = commands::journey(&stage.view, id).await.unwrap();
    assert!(journey.text.contains("seats held") && journey.text.contains("sam logs"), "{journey:?}");
    for shown in [listed, journey] {
        assert!(!shown.json.to_string().contains("ada-"), "no address is shown");
        assert!(!shown.json.to_string().contains("Byron"), "no name is shown");
    }
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let stage = AwsStage::start().await;
    let unknown = OrderId::from_bytes([7; 16]);
    let order = commands::order(&stage.view, stage.stack.clock.as_ref(), unknown).await.unwrap_err();
    assert_eq!(order.to_string(), format!("there is no order {unknown}"));
    let service = commands::switch(&stage.view, "mail", false, false).await.unwrap_err();
    assert!(service.to_string().contains("ticket-service, order-updates, billing-service, email-service"));
    let lacks = Stack::of("other", &Default::default()).unwrap_err();
    assert!(matches!(&lacks, StackError::Lacks { .. }) && lacks.to_string().contains("other"), "{lacks}");
}

#[tokio::test]
async fn a_dry_run_stops_no_service() {
    let stage = AwsStage::start().await;
    let dry = commands::switch(&stage.view, "billing-service", false, true).await.unwrap();
    assert_eq!(dry.text, "billing-service would be stopped");
    assert!(lock(&stage.stack.cloud.stopped).is_empty());
}
