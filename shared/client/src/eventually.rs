//! Polling for a result that takes an unknown time.

use std::time::{Duration, Instant};

/// Asks until the answer is `Ok`, with a `pause` between two polls.
///
/// # Errors
/// The last error, once `within` has passed.
pub async fn eventually<T, E, A: Future<Output = Result<T, E>>>(
    within: Duration,
    pause: Duration,
    mut ask: impl FnMut() -> A,
) -> Result<T, E> {
    let began = Instant::now();
    loop {
        match ask().await {
            Err(_) if began.elapsed() < within => tokio::time::sleep(pause).await,
            answer => return answer,
        }
    }
}
