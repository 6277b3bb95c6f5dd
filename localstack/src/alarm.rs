//! The alarms of a deployed template, and whether they go off, by CloudWatch's own arithmetic.
//!
//! - An alarm is evaluated every minute, over the last `EvaluationPeriods` periods; they slide.
//!   <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation-window.html>
//! - It goes off when `DatapointsToAlarm` of them breach the threshold. Where periods have no data it looks
//!   further back for some that have, and fills up with what `TreatMissingData` says. How far back is not
//!   documented; the tests ask for both ends, not at all and twice as far.
//!   <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html>

use std::collections::BTreeMap;

use serde_json::Value as Json;
use serde_norway::Value;

/// What names a metric: its namespace, its name, and its dimensions.
pub type Metric = (String, String, BTreeMap<String, String>);

/// The samples of metrics, each with its second.
#[derive(Clone, Default)]
pub struct Metrics(BTreeMap<Metric, Vec<(u64, f64)>>);

impl Metrics {
    /// A sample that AWS writes.
    pub fn write(&mut self, at: u64, namespace: &str, name: &str, dimensions: &[(&str, &str)], value: f64) {
        let dimensions = dimensions.iter().map(|(name, of)| ((*name).to_owned(), (*of).to_owned())).collect();
        self.0.entry((namespace.to_owned(), name.to_owned(), dimensions)).or_default().push((at, value));
    }

    /// The samples of a line in the embedded metric format.
    pub fn write_emf(&mut self, at: u64, line: &str) {
        let line: Json = serde_json::from_str(line).expect("JSON");
        let text = |value: &Json| value.as_str().expect("text").to_owned();
        for about in line["_aws"]["CloudWatchMetrics"].as_array().expect("metrics") {
            for dimensions in about["Dimensions"].as_array().expect("sets of dimensions") {
                let names = dimensions.as_array().expect("a set").iter().map(text);
                let dimensions: Vec<_> =
                    names.map(|name| (name.clone(), text(&line[name.as_str()]))).collect();
                let dimensions: Vec<_> = dimensions.iter().map(|(name, of)| (&**name, &**of)).collect();
                for metric in about["Metrics"].as_array().expect("a list") {
                    let name = text(&metric["Name"]);
                    let value = line[name.as_str()].as_f64().expect("a number");
                    self.write(at, &text(&about["Namespace"]), &name, &dimensions, value);
                }
            }
        }
    }

    /// The values within a period.
    fn within(&self, metric: &Metric, from: u64, to: u64) -> Vec<f64> {
        let samples = self.0.get(metric).into_iter().flatten();
        samples.filter(|(at, _)| (from..to).contains(at)).map(|(_, value)| *value).collect()
    }

    /// How many samples there are under a name.
    pub fn samples(&self, name: &str) -> usize {
        self.0.iter().filter(|((_, other, _), _)| other == name).map(|(_, samples)| samples.len()).sum()
    }
}

/// An alarm.
pub struct Alarm {
    /// Its logical id.
    pub name: String,
    metric: Metric,
    statistic: String,
    period: u64,
    periods: usize,
    to_alarm: usize,
    threshold: f64,
    comparison: String,
    missing: String,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value:?} is not text")).to_owned()
}

fn metric(value: &Value) -> Metric {
    let dimensions = value["Dimensions"].as_sequence().into_iter().flatten();
    let dimensions = dimensions.map(|dimension| (text(&dimension["Name"]), text(&dimension["Value"])));
    (text(&value["Namespace"]), text(&value["MetricName"]), dimensions.collect())
}

impl Alarm {
    /// The alarms of a template as it is deployed.
    pub fn all(deployed: &Value) -> Vec<Self> {
        let resources = deployed["Resources"].as_mapping().expect("Resources").iter();
        let alarms =
            resources.filter(|(_, resource)| resource["Type"].as_str() == Some("AWS::CloudWatch::Alarm"));
        alarms.map(|(id, alarm)| Self::new(text(id), &alarm["Properties"])).collect()
    }

    fn new(name: String, of: &Value) -> Self {
        let statistic = ["Statistic", "ExtendedStatistic"].into_iter().find_map(|key| of.get(key));
        let number = |of: &Value, key: &str| of[key].as_u64();
        let periods = number(of, "EvaluationPeriods").expect("EvaluationPeriods");
        let to_alarm = number(of, "DatapointsToAlarm").unwrap_or(periods);
        let count = |number: u64| usize::try_from(number).expect("a count");
        Self {
            metric: metric(of),
            statistic: text(statistic.expect("a statistic")),
            period: number(of, "Period").expect("Period"),
            periods: count(periods),
            to_alarm: count(to_alarm),
            threshold: of["Threshold"].as_f64().expect("Threshold"),
            comparison: text(&of["ComparisonOperator"]),
            missing: text(&of["TreatMissingData"]),
            name,
        }
    }

    /// Whether it is on at a second, if it looks `further` periods back for data where some is missing.
    pub fn is_on(&self, metrics: &Metrics, now: u64, further: usize) -> bool {
        let datapoints: Vec<_> = (0..self.periods + further)
            .map_while(|back| {
                let to = now.checked_sub(self.period * u64::try_from(back).expect("a number"))?;
                Some(self.datapoint(metrics, to.saturating_sub(self.period), to))
            })
            .flatten()
            .take(self.periods)
            .collect();
        let filled = match self.missing.as_str() {
            "breaching" => self.periods - datapoints.len(),
            // `ignore` keeps the state that the alarm has, which here is off.
            "notBreaching" | "ignore" => 0,
            other => panic!("{}: {other} is not used here", self.name),
        };
        datapoints.into_iter().filter(|value| self.breaches(*value)).count() + filled >= self.to_alarm
    }

    /// The first minute of a time at which it is on however far it looks back; none if there is none.
    pub fn first_on(&self, metrics: &Metrics, from: u64, until: u64) -> Option<u64> {
        let on = |now: &u64| self.is_on(metrics, *now, 0) && self.is_on(metrics, *now, self.periods);
        minutes(from, until).find(on)
    }

    /// Whether it is off all that time, however far it looks back.
    pub fn stays_off(&self, metrics: &Metrics, from: u64, until: u64) -> bool {
        minutes(from, until)
            .all(|now| !self.is_on(metrics, now, 0) && !self.is_on(metrics, now, self.periods))
    }

    fn datapoint(&self, metrics: &Metrics, from: u64, to: u64) -> Option<f64> {
        let values = metrics.within(&self.metric, from, to);
        (!values.is_empty()).then(|| self.statistic(values))
    }

    fn statistic(&self, mut values: Vec<f64>) -> f64 {
        let sum: f64 = values.iter().sum();
        let count = values.len() as f64;
        values.sort_by(f64::total_cmp);
        match self.statistic.as_str() {
            "Sum" => sum,
            "Average" => sum / count,
            "SampleCount" => count,
            "Maximum" => values[values.len() - 1],
            "p99" => values[(values.len() * 99).div_ceil(100) - 1],
            other => panic!("{}: {other} is not used here", self.name),
        }
    }

    fn breaches(&self, value: f64) -> bool {
        match self.comparison.as_str() {
            "GreaterThanThreshold" => value > self.threshold,
            "GreaterThanOrEqualToThreshold" => value >= self.threshold,
            "LessThanThreshold" => value < self.threshold,
            other => panic!("{}: {other} is not used here", self.name),
        }
    }
}

fn minutes(from: u64, until: u64) -> impl Iterator<Item = u64> {
    (from..=until).filter(|second| second.is_multiple_of(60))
}
