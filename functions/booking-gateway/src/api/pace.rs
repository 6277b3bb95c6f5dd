//! How often a page asks for a booking: as often as the server says.

use std::time::Duration;

use protocol::time::Timestamp;

use crate::order::Order;

/// The longest pause, in seconds.
const LONGEST: u64 = 120;

/// In how many seconds to ask for a booking again; `None` when it is settled. At first every second, then
/// after a fifth of the time that it has waited: it is seen soon, and an hour costs some fifty requests.
pub(super) fn retry_after(order: &Order, now: Timestamp) -> Option<u64> {
    order.waiting_since().map(|since| pause(now.since(since)))
}

fn pause(waited: Duration) -> u64 {
    (waited.as_secs() / 5).clamp(1, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often a page asks while a booking waits that long.
    fn requests(wait: u64) -> usize {
        let next = |asked: &u64| Some(asked + pause(Duration::from_secs(*asked)));
        std::iter::successors(Some(1), next).take_while(|asked| *asked <= wait).count()
    }

    #[test]
    fn an_hour_of_waiting_costs_a_page_sixty_requests_and_a_second_one() {
        assert_eq!(requests(1), 1);
        assert!(requests(60 * 60) <= 60, "{}", requests(60 * 60));
        assert_eq!(
            [0, 4, 60, 599, 600, 86_400].map(|waited| pause(Duration::from_secs(waited))),
            [1, 1, 12, 119, 120, 120]
        );
    }
}
