//! The operator's view keeps its contract on this platform.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use booking_gateway::accept::Acceptance;
use messaging::clock::SystemClock;
use messaging::entropy::OsEntropy;
use protocol::ids::OrderId;
use protocol::topic::Topic;
use serde_json::json;
use standalone::platform::{Platform, PlatformOptions};
use standalone::sqlite::{self, SqliteStores};
use system::view::{Poison, View};
use system_contract::{Stage, view_contract};
use tempfile::TempDir;
use ticket_service::catalogue;

/// A platform whose pollers are stopped.
struct Standalone(Platform);

impl Standalone {
    async fn run(&self, running: bool) {
        for topic in Topic::ALL {
            self.0.view.switches().unwrap().switch(topic, running).await.unwrap();
        }
    }
}

#[async_trait]
impl Stage for Standalone {
    fn view(&self) -> &dyn View {
        self.0.view.as_ref()
    }

    async fn book(&self) -> OrderId {
        let request = json!({
            "flight_id": "OS-101", "seats": 2, "payment_method": "pm_card_visa",
            "passenger": {"name": "Ada Byron", "email": "ada@example.com"},
        });
        let request = serde_json::from_value(request).unwrap();
        match self.0.services.acceptor.accept(request, None, None, None).await.unwrap() {
            Acceptance::Accepted(order) => order.id,
            _ => panic!("it is accepted"),
        }
    }

    async fn send_unreadable(&self, topic: Topic) {
        self.view().local().unwrap().poison(topic, Poison::Unreadable).await.unwrap();
    }

    async fn work(&self) {
        self.run(true).await;
        let look = || async {
            let topics = self.view().topics().await.unwrap();
            let left = topics.iter().any(|(_, topic)| topic.sent != topic.finished);
            if left { Err(topics) } else { Ok(()) }
        };
        client::eventually(Duration::from_secs(20), Duration::from_millis(5), look).await.unwrap();
        self.run(false).await;
    }
}

async fn fresh() -> (Standalone, TempDir) {
    let (directory, clock) = (tempfile::tempdir().unwrap(), Arc::new(SystemClock));
    let (database, topics) = sqlite::open(directory.path(), clock.clone()).unwrap();
    let flights = catalogue::seed(messaging::clock::Clock::now(clock.as_ref()));
    catalogue::upsert(&SqliteStores(database.clone()), &flights).await.unwrap();
    let options = PlatformOptions::default();
    let platform = Platform::start((database, topics), clock, Arc::new(OsEntropy), options).await.unwrap();
    let stage = Standalone(platform);
    stage.run(false).await;
    (stage, directory)
}

view_contract!(fresh);
