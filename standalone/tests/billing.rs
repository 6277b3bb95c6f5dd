//! The Billing Service with the real adapters and a provider that injects faults.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use billing_service::payment::{Intent, Payment};
use billing_service::provider::{
    Captured, Opened, PaymentProvider, PaymentRef, PaymentStatus, ProviderError, ProviderName, Providers,
    Voided,
};
use billing_service::service::BillingService;
use billing_service::store::{Begun, PaymentStore};
use messaging::clock::{Clock, ManualClock};
use messaging::consumer::{Outcome, Service};
use protocol::event::Event;
use protocol::ids::OrderId;
use protocol::messages::{BillingCommand, OrderUpdate};
use protocol::money::{Currency, Money};
use protocol::payment::PaymentMethod;
use protocol::reason::Declined;
use protocol::time::Timestamp;
use standalone::sqlite;
use standalone::sqlite::SqliteStores;
use standalone::sqlite::database::{FILE, reader};
use standalone::sqlite::ledger::SqliteProvider;
use system::view::{Page, ProviderMode, SimulatedProvider};
use tempfile::TempDir;

/// The injected fault, once or always.
#[derive(Clone, Copy, Default, PartialEq)]
enum Fault {
    #[default]
    None,
    /// The capture is done, and its reply lost.
    CaptureReplyLost,
    /// The capture is lost on its way, and lands just before the payment is voided.
    CaptureLandsLate,
    /// The order is reversed between the record and the capture.
    ReversedBeforeCapture,
    /// The void is done, and its reply lost.
    VoidReplyLost,
    /// The refund is done, and its reply lost.
    RefundReplyLost,
}

struct Faulty {
    provider: Arc<SqliteProvider>,
    fault: Fault,
    store: Arc<SqliteStores>,
    clock: Arc<ManualClock>,
}

fn lost<T>() -> Result<T, ProviderError> {
    Err(ProviderError::Unknown("the reply was lost".to_owned()))
}

#[async_trait]
impl PaymentProvider for Faulty {
    async fn open(
        &self,
        order: OrderId,
        amount: &Money,
        method: &PaymentMethod,
    ) -> Result<Opened, ProviderError> {
        self.provider.open(order, amount, method).await
    }

    async fn capture(&self, order: OrderId, reference: &PaymentRef) -> Result<Captured, ProviderError> {
        match self.fault {
            Fault::CaptureReplyLost => {
                self.provider.capture(order, reference).await?;
                lost()
            }
            Fault::CaptureLandsLate => lost(),
            Fault::ReversedBeforeCapture => {
                let (store, clock) = (self.store.clone(), self.clock.clone());
                let service = BillingService { store, providers: simulated(self.provider.clone()), clock };
                assert_eq!(answer(&service, BillingCommand::Reverse).await, Some(reversed(None)));
                self.provider.capture(order, reference).await
            }
            _ => self.provider.capture(order, reference).await,
        }
    }

    async fn retrieve(&self, reference: &PaymentRef) -> Result<PaymentStatus, ProviderError> {
        self.provider.retrieve(reference).await
    }

    async fn void(&self, reference: &PaymentRef) -> Result<Voided, ProviderError> {
        if self.fault == Fault::CaptureLandsLate {
            self.provider.capture(order(), reference).await?;
        }
        let voided = self.provider.void(reference).await;
        if self.fault == Fault::VoidReplyLost { lost() } else { voided }
    }

    async fn refund(&self, order: OrderId, reference: &PaymentRef) -> Result<Money, ProviderError> {
        let refunded = self.provider.refund(order, reference).await;
        if self.fault == Fault::RefundReplyLost { lost() } else { refunded }
    }
}

/// Sees, as another process would, what Billing has recorded when it asks for money to be moved.
struct Witness {
    provider: Arc<SqliteProvider>,
    file: PathBuf,
    seen: Mutex<Vec<String>>,
}

impl Witness {
    fn look(&self) {
        let sql = "SELECT json_extract(body, '$.state') FROM payments";
        let state = reader(&self.file).unwrap().query_row(sql, [], |row| row.get(0));
        self.seen.lock().unwrap().push(state.unwrap_or_else(|error| error.to_string()));
    }
}

#[async_trait]
impl PaymentProvider for Witness {
    async fn open(
        &self,
        order: OrderId,
        amount: &Money,
        method: &PaymentMethod,
    ) -> Result<Opened, ProviderError> {
        self.provider.open(order, amount, method).await
    }

    async fn capture(&self, order: OrderId, reference: &PaymentRef) -> Result<Captured, ProviderError> {
        self.look();
        self.provider.capture(order, reference).await
    }

    async fn retrieve(&self, reference: &PaymentRef) -> Result<PaymentStatus, ProviderError> {
        self.provider.retrieve(reference).await
    }

    async fn void(&self, reference: &PaymentRef) -> Result<Voided, ProviderError> {
        self.look();
        self.provider.void(reference).await
    }

    async fn refund(&self, order: OrderId, reference: &PaymentRef) -> Result<Money, ProviderError> {
        self.look();
        self.provider.refund(order, reference).await
    }
}

fn simulated(provider: Arc<dyn PaymentProvider>) -> Providers {
    Providers::only(ProviderName::SIMULATED, provider)
}

struct Billing {
    store: Arc<SqliteStores>,
    provider: Arc<SqliteProvider>,
    clock: Arc<ManualClock>,
    kept: TempDir,
}

impl Billing {
    async fn new() -> Self {
        let (kept, clock) = (tempfile::tempdir().unwrap(), Arc::new(ManualClock::at(start())));
        let database = sqlite::open(kept.path(), clock.clone()).unwrap().0;
        let (store, provider) =
            (SqliteStores(database.clone()), SqliteProvider::open(database).await.unwrap());
        Self { store: Arc::new(store), provider: Arc::new(provider), clock, kept }
    }

    fn service(&self, fault: Fault) -> BillingService {
        let (store, clock, provider) = (self.store.clone(), self.clock.clone(), self.provider.clone());
        let provider = Arc::new(Faulty { provider, fault, store: store.clone(), clock: clock.clone() });
        BillingService { store, providers: simulated(provider), clock }
    }

    /// The answer to a command; `None` if it is to wait.
    async fn answer(&self, fault: Fault, command: BillingCommand) -> Option<OrderUpdate> {
        answer(&self.service(fault), command).await
    }

    /// The answer to the delayed copy of a charge that had to wait.
    async fn answer_again(&self) -> Option<OrderUpdate> {
        attempt(&self.service(Fault::None), charge(), 1).await
    }

    /// The provider's ledger: captured, refunded.
    async fn ledger(&self) -> (u64, u64) {
        let entries = self.provider.ledger(&Page::default()).await.unwrap().items;
        assert!(entries.len() <= 1);
        entries.first().map_or((0, 0), |entry| (entry.captured, entry.refunded))
    }
}

async fn answer(service: &BillingService, message: BillingCommand) -> Option<OrderUpdate> {
    attempt(service, message, 0).await
}

async fn attempt(service: &BillingService, message: BillingCommand, attempt: u32) -> Option<OrderUpdate> {
    let event = Event { order: order(), message, time: start(), expires: None, traceparent: None, attempt };
    match service.handle(&event, &()).await.unwrap() {
        Outcome::Done(replies) => Some(Event::<OrderUpdate>::decode(&replies[0].body).unwrap().message),
        Outcome::Wait(_) => None,
        Outcome::TooEarly(reason) => panic!("{reason}"),
    }
}

fn order() -> OrderId {
    OrderId::from_bytes([7; 16])
}

fn start() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

fn deadline() -> Duration {
    Duration::from_secs(3600)
}

fn euros(value: u64) -> Money {
    Money { value, currency: Currency::parse("EUR").unwrap() }
}

fn charge_with(method: &str) -> BillingCommand {
    let payment_method = PaymentMethod::parse(method).unwrap();
    BillingCommand::Charge { amount: euros(25_900), payment_method, not_after: start() + deadline() }
}

fn charge() -> BillingCommand {
    charge_with("pm_card_visa")
}

fn reversed(refunded: Option<u64>) -> OrderUpdate {
    OrderUpdate::PaymentReversed { refunded: refunded.map(euros) }
}

fn declined(reason: Declined) -> OrderUpdate {
    OrderUpdate::PaymentDeclined { reason }
}

#[tokio::test]
async fn a_charge_repeated_is_captured_once_and_answered_each_time() {
    let billing = Billing::new().await;
    for _ in 0..3 {
        assert_eq!(billing.answer(Fault::None, charge()).await, Some(OrderUpdate::PaymentCaptured));
    }
    assert_eq!(billing.ledger().await, (25_900, 0));
}

#[tokio::test]
async fn copies_of_a_charge_at_once_capture_once() {
    let billing = Billing::new().await;
    let service = billing.service(Fault::None);
    let answers =
        tokio::join!(answer(&service, charge()), answer(&service, charge()), answer(&service, charge()));
    assert_eq!(
        answers,
        (
            Some(OrderUpdate::PaymentCaptured),
            Some(OrderUpdate::PaymentCaptured),
            Some(OrderUpdate::PaymentCaptured)
        )
    );
    assert_eq!(billing.ledger().await, (25_900, 0));
}

#[tokio::test]
async fn a_reverse_before_its_charge_prevents_the_capture() {
    let billing = Billing::new().await;
    assert_eq!(billing.answer(Fault::None, BillingCommand::Reverse).await, Some(reversed(None)));
    assert_eq!(billing.answer(Fault::None, charge()).await, Some(reversed(None)));
    assert_eq!(billing.ledger().await, (0, 0));
}

#[tokio::test]
async fn a_reverse_refunds_everything_once() {
    let billing = Billing::new().await;
    billing.answer(Fault::None, charge()).await;
    for _ in 0..3 {
        assert_eq!(billing.answer(Fault::None, BillingCommand::Reverse).await, Some(reversed(Some(25_900))));
    }
    assert_eq!(
        billing.answer(Fault::None, charge()).await,
        Some(reversed(Some(25_900))),
        "a late charge finds the record"
    );
    assert_eq!(billing.ledger().await, (25_900, 25_900));
}

#[tokio::test]
async fn a_declined_card_is_final_and_closed() {
    let billing = Billing::new().await;
    let refused = Some(declined(Declined::CardDeclined));
    assert_eq!(billing.answer(Fault::None, charge_with("pm_card_chargeDeclined")).await, refused);
    assert_eq!(billing.answer(Fault::None, charge()).await, refused);
    assert_eq!(billing.answer(Fault::None, BillingCommand::Reverse).await, refused);
    let status = billing.provider.retrieve(&PaymentRef("sim_1".to_owned())).await.unwrap();
    assert_eq!(status, PaymentStatus::Voided, "answered only after it was closed");
}

#[tokio::test]
async fn a_capture_whose_reply_was_lost_is_found_and_not_repeated() {
    let billing = Billing::new().await;
    assert_eq!(billing.answer(Fault::CaptureReplyLost, charge()).await, None, "the outcome is unknown: wait");
    assert_eq!(billing.answer(Fault::None, charge()).await, Some(OrderUpdate::PaymentCaptured));
    assert_eq!(billing.ledger().await, (25_900, 0));
}

#[tokio::test]
async fn a_capture_whose_reply_was_lost_is_refunded_by_a_reverse() {
    let billing = Billing::new().await;
    assert_eq!(billing.answer(Fault::CaptureReplyLost, charge()).await, None);
    assert_eq!(billing.answer(Fault::None, BillingCommand::Reverse).await, Some(reversed(Some(25_900))));
    assert_eq!(billing.ledger().await, (25_900, 25_900));
}

#[tokio::test]
async fn a_capture_that_lands_while_its_payment_is_reversed_is_refunded() {
    let billing = Billing::new().await;
    assert_eq!(billing.answer(Fault::CaptureLandsLate, charge()).await, None);
    assert_eq!(
        billing.answer(Fault::CaptureLandsLate, BillingCommand::Reverse).await,
        Some(reversed(Some(25_900)))
    );
    assert_eq!(billing.ledger().await, (25_900, 25_900));
}

#[tokio::test]
async fn a_capture_that_lands_while_its_payment_expires_is_a_capture() {
    let billing = Billing::new().await;
    assert_eq!(billing.answer(Fault::CaptureLandsLate, charge()).await, None);
    billing.clock.advance(deadline() * 2);
    assert_eq!(billing.answer(Fault::CaptureLandsLate, charge()).await, Some(OrderUpdate::PaymentCaptured));
    assert_eq!(billing.ledger().await, (25_900, 0));
}

#[tokio::test]
async fn a_decline_is_not_answered_before_its_payment_is_closed() {
    let billing = Billing::new().await;
    assert_eq!(billing.answer(Fault::CaptureLandsLate, charge()).await, None, "the capture is lost");
    billing.clock.advance(deadline() * 2);
    assert_eq!(billing.answer(Fault::VoidReplyLost, charge()).await, None);
    assert_eq!(billing.answer(Fault::None, charge()).await, Some(declined(Declined::Expired)));
    assert_eq!(billing.ledger().await, (0, 0));
}

#[tokio::test]
async fn a_reverse_between_the_record_and_the_capture_wins() {
    let billing = Billing::new().await;
    assert_eq!(billing.answer(Fault::ReversedBeforeCapture, charge()).await, Some(reversed(None)));
    assert_eq!(billing.ledger().await, (0, 0));
}

#[tokio::test]
async fn a_refund_whose_reply_was_lost_is_found_and_not_repeated() {
    let billing = Billing::new().await;
    billing.answer(Fault::None, charge()).await;
    assert_eq!(billing.answer(Fault::RefundReplyLost, BillingCommand::Reverse).await, None);
    assert_eq!(
        billing.answer(Fault::None, charge()).await,
        Some(reversed(Some(25_900))),
        "the next command ends it"
    );
    assert_eq!(billing.ledger().await, (25_900, 25_900));
}

#[tokio::test]
async fn past_its_deadline_nothing_new_is_captured_and_an_earlier_capture_is_answered() {
    let billing = Billing::new().await;
    billing.clock.advance(deadline() + Duration::from_millis(1));
    assert!(billing.clock.now() > start() + deadline());
    assert_eq!(billing.answer(Fault::None, charge()).await, Some(declined(Declined::Expired)));
    assert_eq!(billing.ledger().await, (0, 0));

    let billing = Billing::new().await;
    billing.answer(Fault::None, charge()).await;
    billing.clock.advance(deadline() * 2);
    assert_eq!(billing.answer(Fault::None, charge()).await, Some(OrderUpdate::PaymentCaptured));
}

#[tokio::test]
async fn a_recorded_outcome_is_answered_while_the_provider_is_unavailable_or_loses_replies() {
    let billing = Billing::new().await;
    assert_eq!(billing.answer(Fault::CaptureReplyLost, charge()).await, None);
    // From here on only `retrieve` answers.
    billing.provider.set_mode(ProviderMode::Timeout).await.unwrap();
    assert_eq!(billing.answer_again().await, Some(OrderUpdate::PaymentCaptured));
    billing.provider.set_mode(ProviderMode::Unavailable).await.unwrap();
    assert_eq!(billing.answer_again().await, Some(OrderUpdate::PaymentCaptured));
    assert_eq!(billing.ledger().await, (25_900, 0));
}

#[tokio::test]
async fn a_payment_is_finished_by_the_provider_it_was_opened_with() {
    let (before, after) = (Billing::new().await, Billing::new().await);
    assert_eq!(before.answer(Fault::None, charge()).await, Some(OrderUpdate::PaymentCaptured));
    let (store, clock) = (before.store.clone(), before.clock.clone());
    let stripe = Providers::only(ProviderName::STRIPE, after.provider.clone());

    let alone = BillingService { store: store.clone(), providers: stripe.clone(), clock: clock.clone() };
    assert_eq!(answer(&alone, BillingCommand::Reverse).await, None, "it waits until its provider is back");
    let both = stripe.beside(ProviderName::SIMULATED, before.provider.clone());
    let both = BillingService { store, providers: both, clock };
    assert_eq!(answer(&both, BillingCommand::Reverse).await, Some(reversed(Some(25_900))));
    assert_eq!(before.ledger().await, (25_900, 25_900));
    assert_eq!(after.ledger().await, (0, 0));
}

#[tokio::test]
async fn what_is_intended_is_on_disk_before_money_is_moved_also_within_a_group() {
    let billing = Billing::new().await;
    let file = billing.kept.path().join(FILE);
    let witness = Witness { provider: billing.provider.clone(), file, seen: Mutex::default() };
    let witness = Arc::new(witness);
    let (store, clock) = (billing.store.clone(), billing.clock.clone());
    let service = BillingService { store, providers: simulated(witness.clone()), clock };
    let work = async move {
        let charged = answer(&service, charge()).await;
        (charged, answer(&service, BillingCommand::Reverse).await)
    };
    let answers = billing.store.0.within(work).await.unwrap();
    assert_eq!(answers, (Some(OrderUpdate::PaymentCaptured), Some(reversed(Some(25_900)))));
    assert_eq!(*witness.seen.lock().unwrap(), ["charging", "reversing"]);
    assert_eq!(billing.ledger().await, (25_900, 25_900));
}

#[tokio::test]
async fn an_intent_that_stands_is_on_disk_before_it_is_answered_also_within_a_group() {
    let billing = Billing::new().await;
    let (order, amount) = (order(), Money { value: 25_900, currency: Currency::parse("EUR").unwrap() });
    let (provider, reference) = (ProviderName::SIMULATED, PaymentRef("sim_1".to_owned()));
    let intent = Payment::Charging(Intent { provider, reference, amount });
    let (store, on_disk) = (billing.store.clone(), billing.store.clone());
    let recorded = {
        let (store, intent) = (store.clone(), intent.clone());
        async move { store.begin(order, &intent).await }
    };
    let tombstone = async move {
        let found = store.begin(order, &Payment::Reversed { refunded: None }).await.unwrap();
        // What is found here is what is committed.
        (found, on_disk.find(order).await.unwrap())
    };
    let both = async move { tokio::join!(recorded, tombstone) };
    let (_, (found, committed)) = billing.store.0.within(both).await.unwrap();
    assert!(matches!(&found, Begun::Exists(payment) if *payment == intent), "{found:?}");
    assert_eq!(committed, Some(intent));
}
