//! The whole Billing Service, with Stripe as its provider and with injected faults.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use billing_service::provider::{ProviderName, Providers};
use billing_service::service::BillingService;
use billing_service_lambda::dynamodb::DynamoPayments;
use messaging::clock::Clock;
use messaging::consumer::{Outcome, Service};
use messaging::entropy::{Entropy, SeededEntropy};
use protocol::event::Event;
use protocol::ids::OrderId;
use protocol::messages::{BillingCommand, OrderUpdate};
use protocol::reason::Declined;
use protocol::time::Timestamp;
use stripe_server::{Call, Fault, Status};
use support::{Stripe, card, euros, hours, order, start};
use testkit::dynamodb;

struct Billing {
    stripe: Stripe,
    service: BillingService,
}

impl Billing {
    async fn start() -> Self {
        let stripe = Stripe::start().await;
        let client = dynamodb::client();
        let table = dynamodb::table(&client, "PaymentsTable").await;
        let store = Arc::new(DynamoPayments { client, table });
        let service = BillingService {
            store,
            providers: Providers::only(ProviderName::STRIPE, stripe.provider.clone()),
            clock: stripe.clock.clone(),
        };
        Self { stripe, service }
    }

    /// The answer to a command; `None` if it is to wait.
    async fn answer(&self, order: OrderId, message: BillingCommand) -> Option<OrderUpdate> {
        self.answer_to(order, message, 1).await
    }

    async fn answer_to(&self, order: OrderId, message: BillingCommand, attempt: u32) -> Option<OrderUpdate> {
        let event = Event { order, message, time: start(), expires: None, traceparent: None, attempt };
        match self.service.handle(&event, &()).await.unwrap() {
            Outcome::Done(replies) => Some(Event::<OrderUpdate>::decode(&replies[0].body).unwrap().message),
            Outcome::Wait(_) => None,
            Outcome::TooEarly(reason) => panic!("{reason}"),
        }
    }

    fn money(&self, order: OrderId) -> (u64, u64, u64) {
        let entry = self.stripe.server.entry(order);
        (entry.charges, entry.captured, entry.refunded)
    }
}

fn charge(method: &str) -> BillingCommand {
    charge_by(method, start() + hours(48))
}

fn charge_by(method: &str, not_after: Timestamp) -> BillingCommand {
    BillingCommand::Charge { amount: euros(25_900), payment_method: card(method), not_after }
}

fn reversed(refunded: Option<u64>) -> Option<OrderUpdate> {
    Some(OrderUpdate::PaymentReversed { refunded: refunded.map(euros) })
}

fn declined(reason: Declined) -> Option<OrderUpdate> {
    Some(OrderUpdate::PaymentDeclined { reason })
}

const CAPTURED: Option<OrderUpdate> = Some(OrderUpdate::PaymentCaptured);

#[tokio::test]
async fn a_capture_that_was_done_before_its_500_is_found_and_answered() {
    let billing = Billing::start().await;
    billing.stripe.server.inject(Call::Confirm, Fault::ErrorAfter);
    assert_eq!(billing.answer(order(), charge("pm_card_visa")).await, None);
    assert_eq!(billing.answer(order(), charge("pm_card_visa")).await, CAPTURED);
    assert_eq!(billing.money(order()), (1, 25_900, 0));
}

#[tokio::test]
async fn a_capture_that_was_not_done_before_its_500_is_done_without_waiting_a_day() {
    let billing = Billing::start().await;
    billing.stripe.server.inject(Call::Confirm, Fault::ErrorBefore);
    assert_eq!(billing.answer(order(), charge("pm_card_visa")).await, None);
    assert_eq!(billing.answer(order(), charge("pm_card_visa")).await, CAPTURED);
    assert_eq!(billing.money(order()), (1, 25_900, 0));
}

#[tokio::test]
async fn a_decline_is_told_once_the_intent_is_closed_and_a_late_confirmation_finds_it_closed() {
    let billing = Billing::start().await;
    billing.stripe.server.inject(Call::Confirm, Fault::LandsLate);
    assert_eq!(billing.answer(order(), charge("pm_card_visa")).await, None);
    billing.stripe.clock.advance(hours(49));
    assert_eq!(billing.answer(order(), charge("pm_card_visa")).await, declined(Declined::Expired));
    assert_eq!(billing.stripe.land(), 1);
    assert_eq!(billing.money(order()), (0, 0, 0));

    let billing = Billing::start().await;
    let refused = declined(Declined::CardDeclined);
    for method in ["pm_card_chargeDeclined", "pm_card_authenticationRequired", "pm_unknown"] {
        let order = OrderId::from_bytes([method.len() as u8; 16]);
        assert_eq!(billing.answer(order, charge(method)).await, refused, "{method}");
        assert_eq!(billing.answer(order, BillingCommand::Reverse).await, refused, "{method}");
        assert_eq!(billing.money(order), (0, 0, 0));
    }
}

#[tokio::test]
async fn a_capture_that_lands_late_is_refunded_by_a_reverse_that_came_before_it() {
    let billing = Billing::start().await;
    billing.stripe.server.inject(Call::Confirm, Fault::LandsLate);
    assert_eq!(billing.answer(order(), charge("pm_card_visa")).await, None);
    // The reversal cannot cancel just now; before it is redelivered, the confirmation lands.
    billing.stripe.server.inject(Call::Cancel, Fault::ErrorBefore);
    assert_eq!(billing.answer(order(), BillingCommand::Reverse).await, None);
    billing.stripe.land();
    assert_eq!(billing.answer(order(), BillingCommand::Reverse).await, reversed(Some(25_900)));
    assert_eq!(billing.money(order()), (1, 25_900, 25_900));
}

#[tokio::test]
async fn what_is_in_process_is_neither_kept_nor_declined_before_stripe_knows() {
    let billing = Billing::start().await;
    assert_eq!(billing.answer(order(), charge("pm_card_processing")).await, None);
    assert_eq!(billing.answer(order(), BillingCommand::Reverse).await, None);
    billing.stripe.server.set_status(order(), Status::Succeeded);
    assert_eq!(billing.answer(order(), charge("pm_card_processing")).await, reversed(Some(25_900)));
    assert_eq!(billing.money(order()), (1, 25_900, 25_900));
}

#[tokio::test]
async fn a_reversal_waits_for_a_pending_refund_and_outlives_one_that_failed() {
    let billing = Billing::start().await;
    assert_eq!(billing.answer(order(), charge("pm_card_pendingRefund")).await, CAPTURED);
    for _ in 0..3 {
        assert_eq!(billing.answer(order(), BillingCommand::Reverse).await, None);
        billing.stripe.clock.advance(hours(25));
        billing.stripe.server.set_refunds("pending", "failed");
    }
    assert_eq!(billing.answer(order(), BillingCommand::Reverse).await, None);
    billing.stripe.server.set_refunds("pending", "succeeded");
    assert_eq!(billing.answer(order(), BillingCommand::Reverse).await, reversed(Some(25_900)));
    assert_eq!(billing.money(order()), (1, 25_900, 25_900));
}

#[tokio::test]
async fn a_wrong_key_waits_until_it_is_corrected() {
    let billing = Billing::start().await;
    assert_eq!(billing.answer(order(), charge("pm_card_visa")).await, CAPTURED);
    for _ in 0..5 {
        billing.stripe.server.inject(Call::Show, Fault::Answer(401, serde_json::Value::Null));
        assert_eq!(billing.answer(order(), BillingCommand::Reverse).await, None);
    }
    assert_eq!(billing.answer(order(), BillingCommand::Reverse).await, reversed(Some(25_900)));
}

/// One order: its commands are repeated while requests are lost, late, refused or answered
/// with errors, and keys are forgotten. Answers how many requests landed late.
async fn storm(billing: &Billing, seed: u64) -> usize {
    let (order, fate) = (SeededEntropy::new(seed).order_id(), SeededEntropy::new(seed ^ 0xfa7e));
    let server = &billing.stripe.server;
    let method = match fate.below(4) {
        0 => "pm_card_chargeDeclined",
        _ => "pm_card_visa",
    };
    let not_after = billing.stripe.clock.now() + hours(48);
    let (mut answers, mut reversing, mut landed) = (Vec::new(), false, 0);
    server.chaos(seed, 40);
    for _ in 0..12 {
        reversing |= fate.below(6) == 0;
        // Now and then it is the first message, once more.
        let attempt = u32::from(fate.below(3) > 0);
        let charge = billing.answer_to(order, charge_by(method, not_after), attempt);
        let reverse = billing.answer(order, BillingCommand::Reverse);
        let (charged, reversed) = match (reversing, fate.below(3)) {
            (false, _) => (charge.await, None),
            (true, 0) => (None, reverse.await),
            (true, 1) => (charge.await, reverse.await),
            (true, _) => tokio::join!(charge, reverse),
        };
        answers.extend(charged.into_iter().chain(reversed));
        let pause = [Duration::ZERO, Duration::from_secs(900), hours(1), hours(25)];
        billing.stripe.clock.advance(pause[usize::try_from(fate.below(4)).unwrap()]);
        if fate.below(3) == 0 {
            landed += billing.stripe.land();
        }
    }
    server.chaos(seed, 0);
    // The worst moment is after everything was answered.
    let command = || if reversing { BillingCommand::Reverse } else { charge_by(method, not_after) };
    let last = billing.answer(order, command()).await;
    billing.stripe.clock.advance(hours(25));
    landed += billing.stripe.land();
    assert_eq!(billing.answer(order, command()).await, last, "seed {seed}: an answer is final");

    let entry = server.entry(order);
    assert!(entry.charges <= 1, "seed {seed}: {entry:?}");
    let kept = entry.captured - entry.refunded;
    let expected = match &last {
        Some(OrderUpdate::PaymentCaptured) => 25_900,
        Some(OrderUpdate::PaymentDeclined { .. }) => 0,
        Some(OrderUpdate::PaymentReversed { refunded }) => {
            assert_eq!(refunded.as_ref().map_or(0, |amount| amount.value), entry.refunded, "seed {seed}");
            0
        }
        other => panic!("seed {seed}: with Stripe healthy again it answers {other:?}"),
    };
    assert_eq!(kept, expected, "seed {seed}: answered {last:?}, {entry:?}");
    // Every earlier answer was true then: a capture may be reversed later, nothing else changes.
    let final_answers = answers.iter().filter(|answer| !matches!(answer, OrderUpdate::PaymentCaptured));
    assert!(
        final_answers.clone().all(|answer| Some(answer) == last.as_ref()),
        "seed {seed}: {answers:?}, {last:?}"
    );
    landed
}

#[tokio::test]
async fn under_all_faults_an_order_is_charged_once_at_most_and_kept_only_if_so_answered() {
    let billing = Billing::start().await;
    let (mut landed, mut captured, mut refunded) = (0, 0, 0);
    for seed in 0..100 {
        landed += storm(&billing, seed).await;
        let (charges, _, back) = billing.money(SeededEntropy::new(seed).order_id());
        captured += charges;
        refunded += back / 25_900;
    }
    assert!(captured > 40 && refunded > 20, "{captured} captured, {refunded} refunded: too few to prove it");
    assert!(landed > 30, "only {landed} requests landed late");
    let asked = billing.stripe.server.asked().len();
    println!("100 orders, {asked} requests, {landed} of them late; {captured} captured, {refunded} refunded");
}
