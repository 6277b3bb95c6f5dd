//! What a function does once, at init: reads its configuration, makes its clients, and opens their
//! connections, so that the first order does not wait for a TLS handshake. A missing or malformed
//! variable stops the function here, not on the first order.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::SharedCredentialsProvider;
use aws_sdk_sqs::types::QueueAttributeName;
use messaging::clock::{Clock, SystemClock};
use messaging::entropy::{Entropy, OsEntropy};
use messaging::error_chain::error_chain;
use messaging::metrics;
use messaging::store::StoreError;
use protocol::topic::Topic;
use thiserror::Error;
use tracing::{Level, Subscriber, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::emf::Emf;
use crate::sqs::{Queues, SqsTopics};

/// A function cannot start. `main` prints its `Debug`, which is therefore the same as `Display`.
#[derive(Error)]
pub enum SetupError {
    /// A variable is missing or empty.
    #[error("the environment variable {0} is missing")]
    Missing(String),
    /// A variable has an invalid value.
    #[error("the environment variable {name} {reason}, and is {value:?}")]
    Malformed {
        /// Its name.
        name: String,
        /// What is wrong with it: `must be …`.
        reason: String,
        /// What it is.
        value: String,
    },
    /// A secret cannot be used. Its value is not shown.
    #[error("the secret that {name} names {reason}")]
    Secret {
        /// The variable that names it.
        name: &'static str,
        /// What is wrong with it: `must be …`.
        reason: String,
    },
}

impl fmt::Debug for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether an event of that target and level is logged. What is not ours never says more than `info`: below that the
/// Lambda runtime logs the raw event, and a client the bodies of its calls, and both have names, addresses and tokens.
fn is_logged(target: &str, of: Level, level: Level) -> bool {
    let krate = target.split("::").next().unwrap_or_default();
    let is_service = |topic: Topic| krate.starts_with(&topic.consumer()[1..].replace('-', "_"));
    let is_ours = ["aws", "messaging", "shared_http", "stripe"].contains(&krate)
        || Topic::ALL.into_iter().any(is_service);
    let most = if is_ours { level } else { level.min(Level::INFO) };
    target != metrics::TARGET && of <= most
}

/// A function's surroundings.
pub struct Setup {
    /// Region, credentials, endpoint and timeouts of every client.
    pub config: SdkConfig,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The environment's variables.
    pub variables: BTreeMap<String, String>,
}

impl Setup {
    /// Reads a function's environment and starts its logs.
    ///
    /// # Errors
    /// Names the first variable that cannot be used.
    pub fn load() -> Result<Self, SetupError> {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let variables = std::env::vars_os().filter_map(text).collect();
        let config = SdkConfig::builder().build();
        let mut setup =
            Self { config, clock: Arc::new(SystemClock), entropy: Arc::new(OsEntropy), variables };
        setup.start_logs()?;
        setup.config = setup.sdk()?;
        Ok(setup)
    }

    /// Region, credentials and endpoint come from the function's environment only: the SDK's other
    /// sources would be a third of the function's code.
    ///
    /// # Errors
    /// Names the variable that cannot be used.
    pub fn sdk(&self) -> Result<SdkConfig, SetupError> {
        let region = Region::new(self.required("AWS_REGION")?.to_owned());
        let credentials = EnvironmentVariableCredentialsProvider::new();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .timeout_config(timeouts());
        let endpoint = self.variable("AWS_ENDPOINT_URL");
        if !endpoint.is_none_or(is_url) {
            return Err(self.malformed("AWS_ENDPOINT_URL", "must be a URL"));
        }
        config.set_endpoint_url(endpoint.map(str::to_owned));
        Ok(config.build())
    }

    /// From now on logs are JSON lines on stdout, metrics among them.
    ///
    /// # Errors
    /// Names the variable that cannot be used.
    pub fn start_logs(&self) -> Result<(), SetupError> {
        // In tests, a second start in one process keeps the first one's logs.
        let _ = self.logs(std::io::stdout)?.try_init();
        Ok(())
    }

    /// A function's logs, as JSON lines: what is of `LOG_LEVEL` and above, and its metrics.
    ///
    /// # Errors
    /// Names the variable that cannot be used.
    pub fn logs<W>(&self, write: W) -> Result<impl Subscriber + Send + Sync + 'static, SetupError>
    where
        W: for<'a> MakeWriter<'a> + Clone + Send + Sync + 'static,
    {
        let level = self.variable("LOG_LEVEL").unwrap_or("info");
        let level: Level = level
            .parse()
            .map_err(|_| self.malformed("LOG_LEVEL", "must be error, warn, info, debug or trace"))?;
        let namespace = self.required("METRICS_NAMESPACE")?;
        let logs = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_target(false)
            // CloudWatch stamps the time itself.
            .without_time()
            .with_writer(write.clone())
            .with_filter(filter_fn(move |event| is_logged(event.target(), *event.level(), level)));
        // A line that cannot be written fails nothing: there is no one to tell.
        let emf = Emf::new(namespace, move |line: &str| drop(writeln!(write.make_writer(), "{line}")));
        Ok(tracing_subscriber::registry().with(logs).with(emf))
    }

    /// A variable, unless it is absent or empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A variable that must be there.
    pub fn required(&self, name: &str) -> Result<&str, SetupError> {
        self.variable(name).ok_or_else(|| SetupError::Missing(name.to_owned()))
    }

    /// The error of a variable with an invalid value; `reason` reads `must be …`.
    pub fn malformed(&self, name: &str, reason: impl fmt::Display) -> SetupError {
        let value = self.variable(name).unwrap_or_default().to_owned();
        SetupError::Malformed { name: name.to_owned(), reason: reason.to_string(), value }
    }

    /// The name of the function's table, `TABLE`, and a client for it.
    pub fn table(&self) -> Result<(aws_sdk_dynamodb::Client, String), SetupError> {
        let name = self.required("TABLE")?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if !(3..=255).contains(&name.len()) || !name.chars().all(allowed) {
            return Err(self.malformed("TABLE", "must be the name of a table"));
        }
        Ok((aws_sdk_dynamodb::Client::new(&self.config), name.to_owned()))
    }

    /// The topics that a function sends to, by `<TOPIC>_QUEUE_URL`. A consumer also dead-letters what it
    /// cannot handle, in the queue of `<TOPIC>_DLQ_URL`.
    pub async fn topics(&self, sends: &[Topic], consumes: Option<Topic>) -> Result<SqsTopics, SetupError> {
        let mut queues = BTreeMap::new();
        for &topic in sends.iter().chain(&consumes) {
            let url = self.url(&topic.queue_variable())?;
            let is_own = consumes == Some(topic);
            let dead_letter_url =
                is_own.then(|| self.url(&topic.dead_letter_queue_variable())).transpose()?;
            queues.insert(topic, Queues { url, dead_letter_url });
        }
        let client = aws_sdk_sqs::Client::new(&self.config);
        // Its own queue: its role may read the attributes, as the event source mapping does.
        let own = consumes.and_then(|topic| queues.get(&topic));
        if let Some(queues) = own.or_else(|| queues.values().next()) {
            let ask = client
                .get_queue_attributes()
                .queue_url(&queues.url)
                .attribute_names(QueueAttributeName::QueueArn);
            if let Err(error) = ask.send().await {
                warn!("the queue {} does not answer yet: {}", queues.url, error_chain(&error));
            }
        }
        Ok(SqsTopics::new(client, queues, self.entropy.clone()))
    }

    /// Logs a table that does not answer at init. The function starts all the same: its messages wait
    /// until the table answers.
    ///
    /// # Errors
    /// There is no such table: waiting does not help.
    pub fn first_answer<T>(&self, answer: Result<T, StoreError>) -> Result<(), SetupError> {
        match answer {
            Err(StoreError::Unavailable(reason)) if reason.contains("ResourceNotFoundException") => {
                return Err(self.malformed("TABLE", "must be the name of a table that exists"));
            }
            Err(error) => {
                let table = self.variable("TABLE").unwrap_or_default();
                warn!("the table {table} does not answer yet: {error}");
            }
            Ok(_) => {}
        }
        Ok(())
    }

    fn url(&self, name: &str) -> Result<String, SetupError> {
        let value = self.required(name)?;
        if is_url(value) {
            return Ok(value.to_owned());
        }
        Err(self.malformed(name, "must be the URL of a queue"))
    }
}

fn is_url(value: &str) -> bool {
    value.starts_with("https://") || value.starts_with("http://")
}

/// A call that hangs fails well before the invocation's time is over: its message then waits as a
/// delayed copy, which does not count towards the dead-letter queue.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(2))
        .operation_timeout(Duration::from_secs(5))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ours_never_says_more_than_info() {
        for (target, most) in [
            ("booking_gateway::gateway", Level::TRACE),
            ("ticket_service_lambda", Level::TRACE),
            ("messaging::consumer", Level::TRACE),
            ("aws::sqs", Level::TRACE),
            ("lambda_runtime::layers", Level::INFO),
            ("aws_smithy_runtime::client", Level::INFO),
            ("aws_sdk_dynamodb::operation", Level::INFO),
            ("hyper_util::client", Level::INFO),
        ] {
            for of in [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE] {
                assert_eq!(is_logged(target, of, Level::TRACE), of <= most, "{target} {of}");
                assert_eq!(is_logged(target, of, Level::WARN), of <= Level::WARN, "{target} {of}");
            }
        }
        assert!(!is_logged(metrics::TARGET, Level::ERROR, Level::TRACE), "they have a layer of their own");
    }
}
