//! Randomness, injected so that a run can be replayed from its seed.

use std::sync::{Mutex, PoisonError};

use protocol::event::TraceParent;
use protocol::ids::OrderId;
use protocol::time::Timestamp;

/// Where random bytes come from.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` with random ones.
    fn fill(&self, bytes: &mut [u8]);

    /// A number drawn evenly from 0 to `below` - 1; 0 if `below` is 0.
    fn below(&self, below: u64) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes).checked_rem(below).unwrap_or(0)
    }

    /// An id without a time.
    fn order_id(&self) -> OrderId {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        OrderId::from_bytes(bytes)
    }

    /// The id of an order that is made at that moment.
    fn order_id_at(&self, now: Timestamp) -> OrderId {
        let mut bytes = [0; 10];
        self.fill(&mut bytes);
        OrderId::at(now, bytes)
    }

    /// The start of a new trace.
    fn traceparent(&self) -> TraceParent {
        let mut bytes = [0; 24];
        self.fill(&mut bytes);
        TraceParent::from_bytes(bytes)
    }
}

/// The operating system's generator: the one that ids of orders come from.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        // No id can be made without it, and a guessable id would expose its order.
        #[expect(clippy::expect_used, reason = "no order can be accepted without randomness")]
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

/// A generator that repeats itself from a seed, for tests and replays; never for real ids.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<fastrand::Rng>);

impl SeededEntropy {
    /// The sequence of that seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
    }
}
