//! Metrics in CloudWatch's embedded metric format: a line of JSON on stdout each, which CloudWatch
//! Logs turns into metrics. No call is made, and nothing waits.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::time::SystemTime;

use messaging::metrics::TARGET;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Writes every metric as a line.
pub struct Emf<W> {
    namespace: String,
    write: W,
}

impl<W: Fn(&str)> Emf<W> {
    /// Writes metrics of that namespace with `write`.
    pub fn new(namespace: impl Into<String>, write: W) -> Self {
        Self { namespace: namespace.into(), write }
    }
}

impl<S: Subscriber, W: Fn(&str) + 'static> Layer<S> for Emf<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        let mut metric = Metric::default();
        event.record(&mut metric);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        (self.write)(&metric.line(&self.namespace, now.as_millis()));
    }
}

#[derive(Default)]
struct Metric {
    name: String,
    value: f64,
    unit: String,
    dimension: Option<String>,
    of: Option<String>,
}

impl Metric {
    fn line(self, namespace: &str, now: u128) -> String {
        let dimensions: Vec<_> = self.dimension.iter().collect();
        let about = json!({
            "Timestamp": u64::try_from(now).unwrap_or_default(),
            "CloudWatchMetrics": [{
                "Namespace": namespace,
                "Dimensions": [dimensions],
                "Metrics": [{"Name": self.name, "Unit": self.unit}],
            }],
        });
        let mut line = Map::from_iter([("_aws".to_owned(), about), (self.name, json!(self.value))]);
        line.extend(self.dimension.zip(self.of).map(|(dimension, of)| (dimension, Value::from(of))));
        Value::Object(line).to_string()
    }
}

impl Visit for Metric {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "value" {
            self.value = value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "metric" => value.clone_into(&mut self.name),
            "unit" => value.clone_into(&mut self.unit),
            "dimension" => self.dimension = Some(value.to_owned()),
            "of" => self.of = Some(value.to_owned()),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use messaging::metrics;

    #[test]
    fn a_metric_is_one_line_that_names_its_namespace_dimension_and_unit() {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let written = lines.clone();
        let write = move |line: &str| {
            written.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
        };
        tracing::subscriber::with_default(
            tracing_subscriber::registry().with(Emf::new("tickets", write)),
            || {
                tracing::info!("not a metric");
                metrics::count(metrics::SETTLED, 1, Some(("Status", "confirmed")));
                metrics::count(metrics::ACCEPTED, 1, None);
            },
        );
        let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines: Vec<Value> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        for line in &mut lines {
            assert!(line["_aws"]["Timestamp"].take().as_u64() > Some(1_700_000_000_000));
        }
        let settled = json!({
            "_aws": {"Timestamp": null, "CloudWatchMetrics": [{
                "Namespace": "tickets",
                "Dimensions": [["Status"]],
                "Metrics": [{"Name": "Settled", "Unit": "Count"}],
            }]},
            "Settled": 1.0,
            "Status": "confirmed",
        });
        let accepted = json!({
            "_aws": {"Timestamp": null, "CloudWatchMetrics": [{
                "Namespace": "tickets",
                "Dimensions": [[]],
                "Metrics": [{"Name": "Accepted", "Unit": "Count"}],
            }]},
            "Accepted": 1.0,
        });
        assert_eq!(lines, [settled, accepted]);
    }
}
