//! How long a message waits before it is retried.

use std::time::Duration;

use crate::entropy::Entropy;

/// The longest wait, which is also the longest `DelaySeconds` of SQS.
pub const LONGEST: Duration = Duration::from_secs(900);

/// The wait before attempt `attempt` + 1: 1 s doubling to 900 s, minus a random part of up to half, so
/// that messages that failed together are not retried together.
pub fn delay(attempt: u32, entropy: &dyn Entropy) -> Duration {
    let ceiling = 1_u64.checked_shl(attempt).unwrap_or(u64::MAX).min(LONGEST.as_secs()) * 1000;
    Duration::from_millis(ceiling / 2 + entropy.below(ceiling / 2 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    #[test]
    fn waits_double_from_one_second_to_fifteen_minutes_and_are_spread() {
        let entropy = SeededEntropy::new(7);
        for (attempt, ceiling) in [(0, 1), (1, 2), (5, 32), (9, 512), (10, 900), (63, 900), (u32::MAX, 900)] {
            let waits: Vec<_> = (0..200).map(|_| delay(attempt, &entropy).as_millis()).collect();
            assert!(
                waits.iter().all(|ms| (ceiling * 500..=ceiling * 1000).contains(ms)),
                "attempt {attempt}"
            );
            assert!(waits.iter().max() > waits.iter().min(), "attempt {attempt} is not spread");
        }
    }
}
