//! The Stripe adapter with injected faults: errors, silence, late requests, forgotten keys.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use billing_service::provider::{Captured, PaymentProvider, PaymentRef, PaymentStatus, ProviderError};
use serde_json::{Value, json};
use stripe_server::{Call, Fault};
use support::{KEY, Stripe, card, error, euros, hours, order, refused, unavailable, unknown};

#[tokio::test]
async fn an_answer_that_says_nothing_of_the_payment_means_the_same_for_every_call() {
    let garbage = Value::Null;
    let unknowns = [
        Fault::ReplyLost,
        Fault::ErrorBefore,
        Fault::Answer(200, garbage.clone()),
        Fault::Answer(500, error("api_error", Value::Null, Value::Null)),
        Fault::Answer(503, garbage.clone()),
        Fault::Answer(409, error("idempotency_error", json!("idempotency_key_in_use"), Value::Null)),
    ];
    let refusals = [
        Fault::Answer(401, error("invalid_request_error", Value::Null, Value::Null)),
        Fault::Answer(403, garbage.clone()),
        Fault::Answer(400, error("idempotency_error", Value::Null, Value::Null)),
        Fault::Answer(404, error("invalid_request_error", json!("resource_missing"), json!("intent"))),
        Fault::Answer(302, garbage.clone()),
    ];
    let busy = [
        Fault::Answer(429, garbage),
        Fault::Answer(429, error("api_error", json!("rate_limit"), Value::Null)),
    ];
    let expected = [
        (unknowns.as_slice(), unknown as fn(&Result<(), ProviderError>) -> bool),
        (refusals.as_slice(), refused),
        (busy.as_slice(), unavailable),
    ];
    for (faults, is_expected) in expected {
        for fault in faults {
            for call in
                [Call::Create, Call::Show, Call::Confirm, Call::Cancel, Call::Refund, Call::ListRefunds]
            {
                let stripe = Stripe::start().await;
                let provider = &stripe.provider;
                let answered = match call {
                    Call::Create => {
                        stripe.server.inject(call, fault.clone());
                        provider.open(order(), &euros(1), &card("pm_card_visa")).await.map(drop)
                    }
                    Call::Confirm => {
                        let reference = stripe.open("pm_card_visa").await;
                        stripe.server.inject(call, fault.clone());
                        provider.capture(order(), &reference).await.map(drop)
                    }
                    Call::Cancel => {
                        let reference = stripe.open("pm_card_visa").await;
                        stripe.server.inject(call, fault.clone());
                        provider.void(&reference).await.map(drop)
                    }
                    Call::Show | Call::ListRefunds => {
                        let reference = stripe.captured("pm_card_visa").await;
                        stripe.server.inject(call, fault.clone());
                        provider.retrieve(&reference).await.map(drop)
                    }
                    Call::Refund => {
                        let reference = stripe.captured("pm_card_visa").await;
                        stripe.server.inject(call, fault.clone());
                        provider.refund(order(), &reference).await.map(drop)
                    }
                };
                assert!(is_expected(&answered), "{call:?}, {fault:?}: {answered:?}");
                let said = answered.unwrap_err().to_string();
                assert!(!said.contains(KEY) && !said.contains("pm_"), "{said}");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_is_waited_for_only_so_long_and_was_given_all_the_same() {
    let stripe = Stripe::patient(Duration::from_millis(150)).await;
    let reference = stripe.open("pm_card_visa").await;
    stripe.server.inject(Call::Confirm, Fault::Silent);
    assert!(unknown(&stripe.provider.capture(order(), &reference).await));
    assert_eq!(stripe.provider.retrieve(&reference).await.unwrap(), PaymentStatus::Captured);
    assert_eq!(stripe.provider.capture(order(), &reference).await.unwrap(), Captured::Captured);
    assert_eq!(stripe.server.entry(order()).charges, 1);
}

#[tokio::test]
async fn a_refused_connection_means_that_nothing_was_done() {
    let Stripe { server, clock, .. } = Stripe::start().await;
    let url = server.url().to_owned();
    drop(server);
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let provider = support::provider(&format!("http://{gone}"), Duration::from_secs(2), clock);
    let error = provider.retrieve(&PaymentRef("pi_1".to_owned())).await;
    assert!(unavailable(&error), "{error:?} {url}");
}

#[tokio::test]
async fn a_stored_500_blocks_no_step() {
    let stripe = Stripe::start().await;
    let provider = &stripe.provider;
    stripe.server.inject(Call::Create, Fault::ErrorBefore);
    let opened = provider.open(order(), &euros(25_900), &card("pm_card_visa")).await;
    assert!(unknown(&opened));
    let reference = stripe.open("pm_card_visa").await;

    stripe.server.inject(Call::Confirm, Fault::ErrorBefore);
    assert!(unknown(&provider.capture(order(), &reference).await));
    assert_eq!(provider.retrieve(&reference).await.unwrap(), PaymentStatus::Open);
    // The key of this quarter of an hour breaks too, and the next quarter has another.
    stripe.server.inject(Call::Confirm, Fault::ErrorBefore);
    stripe.server.inject(Call::Confirm, Fault::ErrorBefore);
    assert!(unknown(&provider.capture(order(), &reference).await));
    assert!(unknown(&provider.capture(order(), &reference).await));
    stripe.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(provider.capture(order(), &reference).await.unwrap(), Captured::Captured);

    stripe.server.inject(Call::Refund, Fault::ErrorBefore);
    assert!(unknown(&provider.refund(order(), &reference).await));
    assert_eq!(provider.refund(order(), &reference).await.unwrap(), euros(25_900));
    let entry = stripe.server.entry(order());
    assert_eq!((entry.charges, entry.captured, entry.refunded), (1, 25_900, 25_900));
}

#[tokio::test]
async fn a_500_after_the_work_is_found_out_and_nothing_is_done_twice() {
    let stripe = Stripe::start().await;
    let reference = stripe.open("pm_card_visa").await;
    stripe.server.inject(Call::Confirm, Fault::ErrorAfter);
    assert!(unknown(&stripe.provider.capture(order(), &reference).await));
    assert_eq!(stripe.provider.retrieve(&reference).await.unwrap(), PaymentStatus::Captured);
    // Even asked without looking: the stored 500 leads to another key, and that to a refusal.
    assert_eq!(stripe.provider.capture(order(), &reference).await.unwrap(), Captured::Captured);
    stripe.server.inject(Call::Refund, Fault::ErrorAfter);
    assert!(unknown(&stripe.provider.refund(order(), &reference).await));
    assert_eq!(stripe.provider.refund(order(), &reference).await.unwrap(), euros(25_900));
    let entry = stripe.server.entry(order());
    assert_eq!((entry.charges, entry.captured, entry.refunded), (1, 25_900, 25_900));
}

#[tokio::test]
async fn what_lands_after_its_caller_gave_up_and_its_key_was_forgotten_moves_nothing_twice() {
    let stripe = Stripe::start().await;
    let reference = stripe.open("pm_card_visa").await;
    stripe.server.inject(Call::Confirm, Fault::LandsLate);
    assert!(unknown(&stripe.provider.capture(order(), &reference).await));
    assert_eq!(stripe.provider.capture(order(), &reference).await.unwrap(), Captured::Captured);
    stripe.clock.advance(hours(25));
    assert_eq!(stripe.land(), 1);
    stripe.server.inject(Call::Refund, Fault::LandsLate);
    assert!(unknown(&stripe.provider.refund(order(), &reference).await));
    assert_eq!(stripe.provider.refund(order(), &reference).await.unwrap(), euros(25_900));
    stripe.clock.advance(hours(25));
    assert_eq!(stripe.land(), 1);
    let entry = stripe.server.entry(order());
    assert_eq!((entry.charges, entry.captured, entry.refunded), (1, 25_900, 25_900));
}

#[tokio::test]
async fn a_refund_whose_key_was_forgotten_is_looked_up_and_not_repeated() {
    let stripe = Stripe::start().await;
    let reference = stripe.captured("pm_card_visa").await;
    stripe.server.inject(Call::Refund, Fault::ReplyLost);
    assert!(unknown(&stripe.provider.refund(order(), &reference).await));
    stripe.clock.advance(hours(25));
    assert_eq!(stripe.provider.refund(order(), &reference).await.unwrap(), euros(25_900));
    let asked = stripe.server.asked();
    assert_eq!(asked.iter().filter(|asked| asked.call == Call::Refund).count(), 1);
    assert_eq!(stripe.server.entry(order()).refunded, 25_900);
}
