//! Waiting for a system that promises an end, not a moment.

use std::time::{Duration, Instant};

/// Asks until the answer is `Ok`, and fails with the last complaint when `within` has passed.
pub async fn eventually<T>(
    what: &str,
    within: Duration,
    mut ask: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let start = Instant::now();
    // A local answer costs nothing to ask for often; a long wait is a remote one.
    let pause = (within / 1_000).clamp(Duration::from_millis(10), Duration::from_millis(250));
    loop {
        match ask().await {
            Ok(value) => return value,
            Err(complaint) if start.elapsed() > within => {
                panic!("{what}, not within {within:?}: {complaint}")
            }
            Err(_) => tokio::time::sleep(pause).await,
        }
    }
}
