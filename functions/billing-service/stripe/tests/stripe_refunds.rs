//! Refunds that fail after they were done come to light where Stripe is asked for them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use billing_service::provider::PaymentProvider;
use billing_service::refunds::Refunds;
use messaging::clock::Clock;
use protocol::ids::OrderId;
use stripe_server::{Call, Fault};
use support::{Stripe, card, error, euros, hours, start, unavailable};

/// Pays and refunds an order of that number.
async fn refunded(stripe: &Stripe, number: u8) -> OrderId {
    let order = OrderId::from_bytes([number; 16]);
    let opened = stripe.provider.open(order, &euros(25_900), &card("pm_card_visa")).await.unwrap();
    let billing_service::provider::Opened::Open(reference) = opened else { panic!("{opened:?}") };
    stripe.provider.capture(order, &reference).await.unwrap();
    stripe.provider.refund(order, &reference).await.unwrap();
    order
}

#[tokio::test]
async fn a_refund_that_failed_later_names_its_order_and_why() {
    let stripe = Stripe::start().await;
    refunded(&stripe, 1).await;
    assert_eq!(stripe.provider.refunds_since(start()).await.unwrap(), Refunds { all: 1, failed: Vec::new() });
    stripe.server.set_refunds("succeeded", "failed");
    let order = OrderId::from_bytes([1; 16]);
    for _ in 0..2 {
        let found = stripe.provider.refunds_since(start()).await.unwrap();
        let failed = &found.failed[0];
        assert_eq!((found.all, found.failed.len()), (1, 1));
        assert_eq!((failed.order, &failed.amount, failed.at), (Some(order), &euros(25_900), start()));
        assert_eq!((&*failed.name, &*failed.reason), ("re_0001", "expired_or_canceled_card"));
        // The second time it names no order itself.
        stripe.server.forget_orders_of_refunds();
    }
}

#[tokio::test]
async fn a_failed_refund_that_another_replaced_is_none() {
    let stripe = Stripe::start().await;
    let order = refunded(&stripe, 1).await;
    stripe.server.set_refunds("succeeded", "failed");
    refunded(&stripe, 1).await;
    let found = stripe.provider.refunds_since(start()).await.unwrap();
    assert_eq!((found.all, found.failed), (2, Vec::new()));
    assert_eq!(stripe.server.entry(order).refunded, 25_900);
}

#[tokio::test]
async fn all_pages_are_read_and_what_is_older_is_not() {
    let stripe = Stripe::start().await;
    stripe.server.set_largest_page(2);
    refunded(&stripe, 1).await;
    stripe.clock.advance(hours(24));
    for number in 2..=6 {
        refunded(&stripe, number).await;
    }
    stripe.server.set_refunds("succeeded", "failed");
    let found = stripe.provider.refunds_since(stripe.clock.now()).await.unwrap();
    let orders: Vec<_> = found.failed.iter().map(|failed| failed.order.unwrap()).collect();
    assert_eq!(orders, [6, 5, 4, 3, 2].map(|number| OrderId::from_bytes([number; 16])));
    assert_eq!((found.all, stripe.provider.refunds_since(start()).await.unwrap().all), (5, 6));
}

#[tokio::test]
async fn no_answer_is_not_taken_for_no_failure() {
    let stripe = Stripe::start().await;
    let busy = Fault::Answer(429, error("invalid_request_error", "lock_timeout".into(), ().into()));
    stripe.server.inject(Call::ListRefunds, busy);
    assert!(unavailable(&stripe.provider.refunds_since(start()).await));
}
