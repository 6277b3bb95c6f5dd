//! The Stripe adapter against a server that answers as Stripe does: the port's contract, and what
//! each answer about a payment means.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use billing_service::provider::{Captured, Opened, PaymentProvider, PaymentRef, PaymentStatus, Voided};
use protocol::money::{Currency, Money};
use serde_json::{Value, json};
use stripe_server::{Call, Fault, Status, StripeServer};
use support::{KEY, Stripe, card, error, euros, hours, order, refused, unknown};

async fn fresh() -> (Arc<dyn PaymentProvider>, StripeServer) {
    let Stripe { server, provider, .. } = Stripe::start().await;
    (provider, server)
}

billing_service_contract::payment_provider_contract!(fresh);

#[tokio::test]
async fn requests_name_the_order_the_version_and_their_keys() {
    let stripe = Stripe::start().await;
    let reference = stripe.captured("pm_card_visa").await;
    stripe.provider.refund(order(), &reference).await.unwrap();
    let asked = stripe.server.asked();
    let keys: Vec<_> = asked.iter().map(|asked| (asked.call, asked.key.clone())).collect();
    let key = |step: &str| Some(format!("{}/{step}", order()));
    assert_eq!(
        keys,
        [
            (Call::Create, key("open")),
            (Call::Confirm, key("capture")),
            (Call::Show, None),
            (Call::ListRefunds, None),
            (Call::Refund, key("refund")),
        ]
    );
    assert!(asked.iter().all(|asked| asked.version == "2026-06-24.dahlia"));
    assert!(asked.iter().all(|asked| asked.authorization == format!("Bearer {KEY}")));
    let form: Vec<_> = asked[0].form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        form,
        [
            ("amount", "25900"),
            ("capture_method", "automatic"),
            ("confirm", "false"),
            ("currency", "eur"),
            ("metadata[order_id]", "07070707-0707-4707-8707-070707070707"),
            ("payment_method", "pm_card_visa"),
            ("payment_method_types[]", "card"),
        ]
    );
}

#[tokio::test]
async fn every_status_of_an_intent_is_mapped() {
    for (status, expected) in [
        (Status::RequiresConfirmation, PaymentStatus::Open),
        (Status::RequiresPaymentMethod, PaymentStatus::Declined),
        (Status::RequiresAction, PaymentStatus::Declined),
        (Status::Succeeded, PaymentStatus::Captured),
        (Status::Canceled, PaymentStatus::Voided),
    ] {
        let stripe = Stripe::start().await;
        let reference = stripe.open("pm_card_visa").await;
        stripe.server.set_status(order(), status);
        assert_eq!(stripe.provider.retrieve(&reference).await.unwrap(), expected, "{status:?}");
    }
    let stripe = Stripe::start().await;
    let reference = stripe.open("pm_card_visa").await;
    stripe.server.set_status(order(), Status::Processing);
    assert!(unknown(&stripe.provider.retrieve(&reference).await));
    for (status, received) in [("requires_a_miracle", 0), ("requires_capture", 0), ("succeeded", 0)] {
        let strange = json!({"id": "pi_1", "status": status, "amount_received": received, "currency": "eur"});
        stripe.server.inject(Call::Show, Fault::Answer(200, strange));
        assert!(refused(&stripe.provider.retrieve(&reference).await), "{status}");
    }
    let unsaid = json!({"id": "pi_1", "status": "succeeded", "currency": "eur"});
    stripe.server.inject(Call::Show, Fault::Answer(200, unsaid));
    assert!(unknown(&stripe.provider.retrieve(&reference).await), "how much was taken?");
}

#[tokio::test]
async fn a_capture_says_what_became_of_the_intent() {
    for (method, expected, closed) in [
        ("pm_card_visa", Captured::Captured, Voided::AlreadyCaptured),
        ("pm_card_chargeDeclined", Captured::Declined, Voided::Voided),
        ("pm_card_authenticationRequired", Captured::Declined, Voided::Voided),
    ] {
        let stripe = Stripe::start().await;
        let reference = stripe.open(method).await;
        assert_eq!(stripe.provider.capture(order(), &reference).await.unwrap(), expected, "{method}");
        assert_eq!(stripe.provider.void(&reference).await.unwrap(), closed, "{method}");
    }
}

#[tokio::test]
async fn a_capture_that_wants_its_customer_is_declined_and_can_be_closed() {
    let stripe = Stripe::start().await;
    let reference = stripe.open("pm_card_visa").await;
    let acting =
        json!({"id": reference, "status": "requires_action", "amount_received": 0, "currency": "eur"});
    stripe.server.inject(Call::Confirm, Fault::Answer(200, acting));
    stripe.server.set_status(order(), Status::RequiresAction);
    assert_eq!(stripe.provider.capture(order(), &reference).await.unwrap(), Captured::Declined);
    assert_eq!(stripe.provider.void(&reference).await.unwrap(), Voided::Voided);
}

#[tokio::test]
async fn a_capture_in_process_is_unknown_until_stripe_knows() {
    let stripe = Stripe::start().await;
    let reference = stripe.open("pm_card_processing").await;
    assert!(unknown(&stripe.provider.capture(order(), &reference).await));
    assert!(unknown(&stripe.provider.retrieve(&reference).await));
    assert!(unknown(&stripe.provider.void(&reference).await), "it cannot be canceled meanwhile");
    stripe.server.set_status(order(), Status::Succeeded);
    assert_eq!(stripe.provider.retrieve(&reference).await.unwrap(), PaymentStatus::Captured);
    assert_eq!(stripe.server.entry(order()).charges, 1);
}

#[tokio::test]
async fn a_payment_method_that_stripe_does_not_take_is_declined_with_nothing_open() {
    let stripe = Stripe::start().await;
    let (amount, stranger, visa) = (euros(1), card("pm_unknown"), card("pm_card_visa"));
    let open = |method| stripe.provider.open(order(), &amount, method);
    assert_eq!(open(&stranger).await.unwrap(), Opened::Declined);
    for body in [
        error("invalid_request_error", json!("payment_method_unexpected_state"), Value::Null),
        error("invalid_request_error", Value::Null, json!("payment_method")),
    ] {
        stripe.server.inject(Call::Create, Fault::Answer(400, body));
        assert_eq!(open(&visa).await.unwrap(), Opened::Declined);
    }
    stripe
        .server
        .inject(Call::Create, Fault::Answer(402, error("card_error", json!("card_declined"), Value::Null)));
    assert_eq!(open(&visa).await.unwrap(), Opened::Declined);
    assert_eq!(stripe.server.entry(order()).intents, 0);
    let small = error("invalid_request_error", json!("amount_too_small"), json!("amount"));
    stripe.server.inject(Call::Create, Fault::Answer(400, small));
    assert!(refused(&open(&visa).await), "that is not the card's fault");
    for (status, code, param) in [
        // A path that Stripe does not know.
        (404, Value::Null, Value::Null),
        // "Your account cannot currently make live charges."
        (400, Value::Null, Value::Null),
        (400, json!(""), json!("")),
        (400, Value::Null, json!("payment_method_types[]")),
        (400, json!("payment_method_unactivated"), Value::Null),
    ] {
        let body = error("invalid_request_error", code, param);
        stripe.server.inject(Call::Create, Fault::Answer(status, body.clone()));
        assert!(refused(&open(&visa).await), "{status} {body} is not the card's fault");
    }
}

/// Stripe names neither a code nor a parameter where it refuses the whole account: that must not decline every good card.
#[tokio::test]
async fn a_refusal_of_the_account_declines_no_card_and_the_payment_goes_on_when_it_ends() {
    let stripe = Stripe::start().await;
    let refusal = || error("invalid_request_error", Value::Null, Value::Null);
    let open = || async { stripe.provider.open(order(), &euros(25_900), &card("pm_card_visa")).await };
    stripe.server.inject(Call::Create, Fault::Answer(400, refusal()));
    assert!(refused(&open().await));
    let Opened::Open(reference) = open().await.unwrap() else { panic!("it is a good card") };
    stripe.server.inject(Call::Confirm, Fault::Answer(400, refusal()));
    assert!(refused(&stripe.provider.capture(order(), &reference).await));
    assert_eq!(stripe.provider.retrieve(&reference).await.unwrap(), PaymentStatus::Open);
    assert_eq!(stripe.provider.capture(order(), &reference).await.unwrap(), Captured::Captured);
    assert_eq!(stripe.server.entry(order()).charges, 1);
}

/// So it cannot be told from a refused account. It waits, and can be closed.
#[tokio::test]
async fn a_method_that_was_used_up_is_refused_and_can_be_closed() {
    let stripe = Stripe::start().await;
    let reference = stripe.open("pm_card_usedUp").await;
    assert!(refused(&stripe.provider.capture(order(), &reference).await));
    assert_eq!(stripe.provider.void(&reference).await.unwrap(), Voided::Voided);
}

#[tokio::test]
async fn a_currency_that_stripe_counts_otherwise_is_not_charged() {
    let stripe = Stripe::start().await;
    for currency in ["ISK", "MGA", "UGX"] {
        let amount = Money { value: 5_000, currency: Currency::parse(currency).unwrap() };
        assert!(refused(&stripe.provider.open(order(), &amount, &card("pm_card_visa")).await), "{currency}");
    }
    assert!(stripe.server.asked().is_empty());
}

#[tokio::test]
async fn a_charge_that_was_refunded_already_counts_as_refunded() {
    let stripe = Stripe::start().await;
    let reference = stripe.captured("pm_card_visa").await;
    stripe.provider.refund(order(), &reference).await.unwrap();
    stripe.clock.advance(hours(25));
    // The list does not show it yet, and the key is forgotten.
    stripe.server.inject(Call::ListRefunds, Fault::Answer(200, json!({"data": []})));
    assert_eq!(stripe.provider.refund(order(), &reference).await.unwrap(), euros(25_900));
    assert_eq!(stripe.server.entry(order()).refunded, 25_900);
}

#[tokio::test]
async fn a_pending_refund_is_waited_for_and_a_failed_one_asked_again() {
    let stripe = Stripe::start().await;
    let reference = stripe.captured("pm_card_pendingRefund").await;
    for _ in 0..2 {
        assert!(unknown(&stripe.provider.refund(order(), &reference).await));
        assert!(unknown(&stripe.provider.retrieve(&reference).await));
    }
    stripe.server.set_refunds("pending", "failed");
    assert_eq!(stripe.provider.retrieve(&reference).await.unwrap(), PaymentStatus::Captured);
    assert!(unknown(&stripe.provider.refund(order(), &reference).await), "another is pending");
    stripe.server.set_refunds("pending", "succeeded");
    assert_eq!(stripe.provider.refund(order(), &reference).await.unwrap(), euros(25_900));
    assert_eq!(stripe.provider.retrieve(&reference).await.unwrap(), PaymentStatus::Refunded(euros(25_900)));
    let asked = stripe.server.asked();
    let keys: Vec<_> = asked
        .iter()
        .filter(|asked| asked.call == Call::Refund)
        .filter_map(|asked| asked.key.clone())
        .collect();
    assert_eq!(keys, [format!("{}/refund", order()), format!("{}/refund/2", order())]);
}

#[tokio::test]
async fn a_refund_that_fails_at_once_or_requires_action_is_refused() {
    let stripe = Stripe::start().await;
    let reference = stripe.captured("pm_card_visa").await;
    for status in ["failed", "canceled", "requires_action", "strange"] {
        let refund = json!({"id": "re_1", "status": status, "amount": 25_900});
        stripe.server.inject(Call::Refund, Fault::Answer(200, refund));
        assert!(refused(&stripe.provider.refund(order(), &reference).await), "{status}");
    }
    assert_eq!(stripe.provider.refund(order(), &reference).await.unwrap(), euros(25_900));
}

#[tokio::test]
async fn another_providers_payment_is_refused_before_anything_is_asked() {
    let stripe = Stripe::start().await;
    for name in ["sim_1", "pi_", "pi_1/../../refunds", "pi_1?x", ""] {
        let reference = PaymentRef(name.to_owned());
        assert!(refused(&stripe.provider.retrieve(&reference).await), "{name}");
        assert!(refused(&stripe.provider.capture(order(), &reference).await), "{name}");
        assert!(refused(&stripe.provider.void(&reference).await), "{name}");
        assert!(refused(&stripe.provider.refund(order(), &reference).await), "{name}");
    }
    assert!(stripe.server.asked().is_empty());
}
