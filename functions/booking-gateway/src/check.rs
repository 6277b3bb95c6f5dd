//! When the reconciler looks at an order, and so when the order's commands expire.
//!
//! A command is sent when its order begins to wait, and again at each check. It expires at the check
//! **after next**: its successor is then under way. So an order has at most two unexpired messages for each
//! command that it owes, and always one.

use std::time::Duration;

use protocol::time::Timestamp;

/// How long after it begins to wait an order is first checked, and how soon it is checked again where the
/// reconciler could not send.
pub const FIRST_CHECK: Duration = Duration::from_secs(60);

/// The longest time between two checks of one order.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 60 * 60);

/// The next check of an order that is not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NextCheck {
    /// When it is due.
    pub at: Timestamp,
    /// How many checks came before.
    pub count: u32,
}

impl NextCheck {
    /// The first check of an order that began to wait at that moment.
    pub fn first(since: Timestamp) -> Self {
        Self { at: since + FIRST_CHECK, count: 0 }
    }

    /// The check that follows this one if it takes place now.
    pub fn following(self, now: Timestamp) -> Self {
        Self { at: now + pause(self.count), count: self.count.saturating_add(1) }
    }

    /// The same check, a little later: what it was for could not be done.
    pub fn again(self, now: Timestamp) -> Self {
        Self { at: now + FIRST_CHECK, count: self.count }
    }

    /// When a command that is sent now expires: at the check after this one, which itself is not in the
    /// past.
    pub fn expiry(self, now: Timestamp) -> Timestamp {
        self.following(self.at.max(now)).at
    }
}

/// The pause after the `count`-th check: 1 min doubling to 6 h.
fn pause(count: u32) -> Duration {
    FIRST_CHECK.saturating_mul(1_u32.checked_shl(count).unwrap_or(u32::MAX)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_a_minute_to_six_hours() {
        let minutes = [(0, 1), (1, 2), (8, 256), (9, 360), (31, 360), (u32::MAX, 360)];
        for (count, expected) in minutes {
            assert_eq!(pause(count), Duration::from_secs(expected * 60), "after check {count}");
        }
    }

    #[test]
    fn a_command_expires_at_the_check_after_next() {
        let start = Timestamp::from_millis(1_800_000_000_000);
        let minutes = |minutes: u64| start + Duration::from_secs(minutes * 60);
        let first = NextCheck::first(start);
        assert_eq!(first.expiry(start), minutes(2), "checks after 1 and 2 minutes");
        let second = first.following(first.at);
        assert_eq!((second.at, second.expiry(first.at)), (minutes(2), minutes(4)));
        assert_eq!(
            first.expiry(minutes(90)),
            minutes(91),
            "not before it is sent, however late the check is"
        );
    }
}
