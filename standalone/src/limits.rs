//! The orders of each client, counted in memory: a restart forgets them.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::ops::Add;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use booking_gateway::limits::{Admission, Client, Limiter, Limits};
use governor::clock::Reference;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use messaging::clock::Clock;
use messaging::store::StoreError;
use protocol::passenger::EmailAddress;
use protocol::time::Timestamp;

/// After how many counts those that are over are forgotten.
const SWEEP: usize = 10_000;

/// Counts by a token bucket for each client, and for each client and address: a minute's orders at once, then one by
/// one as they are filled up.
pub struct MemoryLimiter {
    clients: Option<Buckets<Client>>,
    emails: Option<Buckets<(Client, String)>>,
    clock: Time,
}

type Buckets<K> = RateLimiter<K, HashMapStateStore<K>, Time, NoOpMiddleware<Moment>>;

impl MemoryLimiter {
    /// Nothing is counted yet.
    pub fn new(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        let clock = Time(clock);
        Self {
            clients: buckets(limits.client, &clock),
            emails: buckets(limits.client_and_email, &clock),
            clock,
        }
    }
}

fn buckets<K: Hash + Eq + Clone>(limit: u32, clock: &Time) -> Option<Buckets<K>> {
    let quota = Quota::per_minute(NonZeroU32::new(limit)?);
    Some(RateLimiter::new(quota, HashMapStateStore::default(), clock.clone()))
}

/// How long that bucket must be filled, if it is empty.
fn wait<K: Hash + Eq + Clone>(buckets: Option<&Buckets<K>>, key: &K, clock: &Time) -> Option<Duration> {
    let buckets = buckets?;
    if buckets.len() >= SWEEP {
        buckets.retain_recent();
    }
    let until = buckets.check_key(key).err()?;
    Some(until.wait_time_from(governor::clock::Clock::now(clock)))
}

#[async_trait]
impl Limiter for MemoryLimiter {
    async fn admit(&self, client: Client, email: &EmailAddress) -> Result<Admission, StoreError> {
        let of_email = (client, email.as_str().to_lowercase());
        // The address first: what it refuses is not counted for the client.
        let wait = wait(self.emails.as_ref(), &of_email, &self.clock)
            .or_else(|| wait(self.clients.as_ref(), &client, &self.clock));
        Ok(wait.map_or(Admission::Admitted, Admission::Limited))
    }
}

/// The injected clock, as governor reads it.
#[derive(Clone)]
struct Time(Arc<dyn Clock>);

impl governor::clock::Clock for Time {
    type Instant = Moment;

    fn now(&self) -> Moment {
        Moment(self.0.now())
    }
}

/// A moment of that clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(Timestamp);

impl Add<Nanos> for Moment {
    type Output = Self;

    fn add(self, more: Nanos) -> Self {
        Self(self.0 + Duration::from_nanos(more.as_u64()))
    }
}

impl Reference for Moment {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        let millis = Duration::from_nanos(duration.as_u64()).as_millis();
        Self(Timestamp::from_millis(
            self.0.as_millis().saturating_sub_unsigned(u64::try_from(millis).unwrap_or(u64::MAX)),
        ))
    }
}
