//! Polling, for promises without an exact time.

use std::time::Duration;

/// Polls until the answer is `Ok`. Panics with the last error once `within` has passed.
pub async fn eventually<T, A: Future<Output = Result<T, String>>>(
    what: &str,
    within: Duration,
    ask: impl FnMut() -> A,
) -> T {
    // A local system can be polled often; a long wait means a remote system.
    let pause = (within / 1_000).clamp(Duration::from_millis(10), Duration::from_millis(250));
    let answer = client::eventually(within, pause, ask).await;
    answer.unwrap_or_else(|complaint| panic!("{what}, not within {within:?}: {complaint}"))
}
