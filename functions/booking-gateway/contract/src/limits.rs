//! The contract of [`Limiter`]. Its adapters are made with the limits [`LIMITS`] and a clock that the suite moves.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use booking_gateway::limits::{Admission, Client, Limiter, Limits};
use messaging::clock::ManualClock;
use protocol::passenger::EmailAddress;
use protocol::time::Timestamp;

/// The limits of the adapters under test.
pub const LIMITS: Limits = Limits { client: 5, client_and_email: 3 };

/// The tests of [`Limiter`] for one adapter: `$make` takes limits and a clock, and answers it.
#[macro_export]
macro_rules! limiter_contract {
    ($make:path) => {
        $crate::limiter_contract!($make;
            a_client_is_limited_until_a_minute_has_passed,
            one_address_is_limited_before_its_client_is,
            another_client_is_not_limited,
            what_is_refused_is_not_counted,
            a_limit_of_nothing_is_none,
        );
    };
    ($make:path; $($promise:ident,)+) => {
        $(#[tokio::test]
        async fn $promise() {
            $crate::limits::$promise($make).await;
        })+
    };
}

/// The start of a minute.
fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)))
}

fn client(last: u8) -> Client {
    IpAddr::from([192, 0, 2, last]).into()
}

fn email(number: usize) -> EmailAddress {
    EmailAddress::parse(&format!("ada{number}@example.com")).unwrap()
}

async fn admitted(limiter: &dyn Limiter, of: Client, number: usize) -> bool {
    limiter.admit(of, &email(number)).await.unwrap() == Admission::Admitted
}

pub async fn a_client_is_limited_until_a_minute_has_passed<L: Limiter>(
    make: impl AsyncFn(Limits, Arc<ManualClock>) -> L,
) {
    let clock = clock();
    let limiter = make(LIMITS, clock.clone()).await;
    for number in 0..5 {
        assert!(admitted(&limiter, client(1), number).await, "{number}");
    }
    let Admission::Limited(wait) = limiter.admit(client(1), &email(5)).await.unwrap() else {
        panic!("the sixth")
    };
    assert!(wait > Duration::ZERO && wait <= Duration::from_secs(60), "{wait:?}");
    clock.advance(wait);
    assert!(admitted(&limiter, client(1), 6).await, "once its wait is over");
    clock.advance(Duration::from_secs(60));
    for number in 7..12 {
        assert!(admitted(&limiter, client(1), number).await, "{number}");
    }
}

pub async fn one_address_is_limited_before_its_client_is<L: Limiter>(
    make: impl AsyncFn(Limits, Arc<ManualClock>) -> L,
) {
    let limiter = make(LIMITS, clock()).await;
    for _ in 0..3 {
        assert!(admitted(&limiter, client(1), 1).await);
    }
    assert!(!admitted(&limiter, client(1), 1).await, "three for one address");
    let other_spelling = EmailAddress::parse("ADA1@Example.com").unwrap();
    assert_ne!(limiter.admit(client(1), &other_spelling).await.unwrap(), Admission::Admitted);
    assert!(admitted(&limiter, client(1), 2).await);
}

pub async fn another_client_is_not_limited<L: Limiter>(make: impl AsyncFn(Limits, Arc<ManualClock>) -> L) {
    let limiter = make(LIMITS, clock()).await;
    while admitted(&limiter, client(1), 1).await {}
    assert!(admitted(&limiter, client(2), 1).await);
}

pub async fn what_is_refused_is_not_counted<L: Limiter>(make: impl AsyncFn(Limits, Arc<ManualClock>) -> L) {
    let clock = clock();
    let limiter = make(LIMITS, clock.clone()).await;
    for number in 0..50 {
        admitted(&limiter, client(1), number).await;
    }
    clock.advance(Duration::from_secs(60));
    for number in 100..105 {
        assert!(admitted(&limiter, client(1), number).await, "{number}");
    }
}

pub async fn a_limit_of_nothing_is_none<L: Limiter>(make: impl AsyncFn(Limits, Arc<ManualClock>) -> L) {
    let by_email = make(Limits { client: 0, client_and_email: 1 }, clock()).await;
    let by_client = make(Limits { client: 1_000, client_and_email: 0 }, clock()).await;
    for number in 0..50 {
        assert!(admitted(&by_email, client(1), number).await, "{number}");
        assert!(admitted(&by_client, client(1), 1).await, "{number}");
    }
    assert!(!admitted(&by_email, client(1), 1).await);
}
