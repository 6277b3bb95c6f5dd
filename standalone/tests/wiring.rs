//! The services, as the platform runs them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use protocol::topic::Topic;
use standalone::{Options, Server};

#[tokio::test(flavor = "multi_thread")]
async fn every_topic_is_consumed_by_its_own_service() {
    let kept = tempfile::tempdir().unwrap();
    let server = Server::start(Options::new(kept.path().join("data"))).await.unwrap();
    for topic in Topic::ALL {
        assert_eq!(server.platform().services.consumer(topic).topic(), topic);
    }
    server.stop().await;
}
