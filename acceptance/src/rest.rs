//! Waiting for a system that promises an end, not a moment.

use std::time::Duration;

/// Asks until the answer is `Ok`. Panics with the last complaint once `within` has passed.
pub async fn eventually<T, A: Future<Output = Result<T, String>>>(
    what: &str,
    within: Duration,
    ask: impl FnMut() -> A,
) -> T {
    // A local answer costs nothing to ask for often; a long wait is a remote one.
    let pause = (within / 1_000).clamp(Duration::from_millis(10), Duration::from_millis(250));
    let answer = client::eventually(within, pause, ask).await;
    answer.unwrap_or_else(|complaint| panic!("{what}, not within {within:?}: {complaint}"))
}
