//! The system at a glance: `GET /operator/system`, and the gauges of the events.

use std::collections::BTreeMap;

use booking_gateway::order::Status;
use messaging::store::StoreError;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use serde::{Serialize, Serializer};

use super::Operator;
use super::switches::ServiceState;
use crate::verdict::Verdict;
use crate::view::{Capability, Provider, ProviderMode, TopicState};

/// The system at one moment.
#[derive(Debug, Serialize)]
pub(super) struct Overview {
    version: &'static str,
    platform: &'static str,
    capabilities: Vec<Capability>,
    process: Process,
    services: BTreeMap<&'static str, ServiceState>,
    payment_provider: ProviderName,
    topics: Topics,
    /// `None` where counting them is paid for.
    #[serde(serialize_with = "by_status")]
    orders: Option<Vec<(Status, u64)>>,
    audit: Verdict,
    rest_chain: bool,
}

#[derive(Debug, Serialize)]
struct Process {
    id: u32,
    started_at: Option<Timestamp>,
}

/// The payment provider; only the simulated one has a mode.
#[derive(Debug, Serialize)]
pub(super) struct ProviderName {
    pub(super) name: &'static str,
    pub(super) mode: Option<ProviderMode>,
}

impl ProviderName {
    pub(super) fn of(provider: Provider<'_>) -> Self {
        match provider {
            Provider::Simulated(simulated) => Self { name: "simulated", mode: Some(simulated.mode()) },
            Provider::Unbreakable => Self { name: "simulated", mode: None },
            Provider::Stripe => Self { name: "stripe", mode: None },
        }
    }
}

/// The state of every topic, by its name.
#[derive(Debug, Serialize)]
pub(super) struct Topics(BTreeMap<&'static str, TopicState>);

impl Topics {
    pub(super) fn of(states: Vec<(Topic, TopicState)>) -> Self {
        Self(states.into_iter().map(|(topic, state)| (topic.name(), state)).collect())
    }
}

impl Overview {
    pub(super) async fn of(operator: &Operator) -> Result<Self, StoreError> {
        let view = operator.view.as_ref();
        let services = view.switches().map(|switches| {
            Topic::ALL.map(|topic| (topic.switch(), ServiceState { running: switches.is_running(topic) }))
        });
        Ok(Self {
            version: env!("CARGO_PKG_VERSION"),
            platform: view.platform(),
            capabilities: operator.capabilities(),
            process: Process {
                id: std::process::id(),
                started_at: view.journal().map(|journal| journal.started_at()),
            },
            services: services.into_iter().flatten().collect(),
            payment_provider: ProviderName::of(view.provider()),
            topics: Topics::of(view.topics().await?),
            orders: if view.reads_freely() { Some(view.orders_by_status().await?) } else { None },
            audit: operator.verdicts.verdict().await?,
            rest_chain: operator.beside.rest_chain,
        })
    }
}

/// Only the statuses that occur.
fn by_status<S: Serializer>(orders: &Option<Vec<(Status, u64)>>, serializer: S) -> Result<S::Ok, S::Error> {
    let Some(orders) = orders else { return serializer.serialize_none() };
    serializer.collect_map(orders.iter().filter(|(_, count)| *count > 0).copied())
}
