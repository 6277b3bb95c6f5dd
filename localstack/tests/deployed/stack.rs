//! The stack under test, and a test's exclusive use of it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::Write;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use client::{Bookings, Client, eventually};
use futures_util::FutureExt;
use protocol::topic::Topic;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::control::outputs;

/// How long the stack may take to keep a promise, and the pause between two polls.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);

/// Tests of one binary run beside each other; those that break the stack must not.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A deployed stack.
pub(crate) struct Stack {
    /// Where LocalStack is, without a slash at the end.
    pub(crate) endpoint: String,
    /// The client for plain HTTP to LocalStack.
    pub(crate) http: Client,
    /// The stack's API.
    pub(crate) api: Bookings,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    /// The configuration of every client.
    pub(crate) config: SdkConfig,
    outputs: BTreeMap<String, String>,
}

/// Runs a test that has the stack to itself, and restores the stack, also if the test fails.
/// Without a stack it prints that the test was skipped.
pub(crate) async fn alone(test: impl AsyncFnOnce(&Stack)) {
    let Ok(endpoint) = std::env::var("AWS_ENDPOINT_URL") else {
        skipped("it needs AWS_ENDPOINT_URL, and a stack that localstack/deploy.sh put there");
        return;
    };
    let _alone = ALONE.lock().await;
    let stack = Stack::at(&endpoint).await;
    // An earlier run may have been killed.
    stack.restore().await;
    stack.comes_to_rest().await;
    let outcome = AssertUnwindSafe(test(&stack)).catch_unwind().await;
    stack.restore().await;
    if let Err(panic) = outcome {
        stack.purge_topics().await;
        resume_unwind(panic);
    }
}

/// Prints that a test was skipped. Not by `println!`: the harness hides the output of a test that
/// passes. One write, so that the lines of several tests do not mix.
pub(crate) fn skipped(why: &str) {
    let _ = std::io::stderr().write_all(format!("skipped, {why}\n").as_bytes());
}

/// Polls until it sees what is expected; fails with the last state.
pub(crate) async fn until<T: PartialEq + Debug>(what: &str, expected: T, look: impl AsyncFn() -> T) {
    let ask = || async {
        let seen = look().await;
        if seen == expected { Ok(()) } else { Err(seen) }
    };
    if let Err(last) = eventually(PATIENCE, PAUSE, ask).await {
        panic!("{what}: expected {expected:?}, saw {last:?} for {PATIENCE:?}");
    }
}

impl Stack {
    /// The stack that the environment names.
    async fn at(endpoint: &str) -> Self {
        assert!(!endpoint.contains("amazonaws.com"), "AWS_ENDPOINT_URL must be LocalStack's: {endpoint}");
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let name = std::env::var("STACK").unwrap_or_else(|_| "bookings".to_owned());
        let credentials = Credentials::new("test", "test", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(&endpoint)
            .build();
        let http = Client::default();
        let outputs = outputs(&http, &endpoint, &name).await;
        let api = format!("{endpoint}/_aws/execute-api/{}/{}", outputs["ApiId"], outputs["Stage"]);
        Self {
            http,
            api: Bookings::at(&api).unwrap(),
            sqs: aws_sdk_sqs::Client::new(&config),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            endpoint,
            config,
            outputs,
        }
    }

    /// One of the stack's outputs.
    pub(crate) fn output(&self, name: &str) -> &str {
        self.outputs.get(name).unwrap_or_else(|| panic!("the stack has no output {name}"))
    }

    /// Books a seat; answers the booking's id.
    pub(crate) async fn book(&self, card: &str) -> String {
        let booking = json!({
            "flight_id": "OS-900", "seats": 1, "payment_method": card,
            "passenger": {"name": "Ada Byron", "email": "ada@example.com"},
        });
        let booking = self.api.book(&booking, None).await.unwrap();
        booking["id"].as_str().unwrap().to_owned()
    }

    /// Waits until a booking has that status.
    pub(crate) async fn becomes(&self, what: &str, id: &str, status: &str) {
        until(&format!("{what}, {id}"), json!(status), async || {
            self.api.booking(id).await.unwrap()["status"].take()
        })
        .await;
    }

    /// How many mails about that booking SES was asked to send.
    pub(crate) async fn mails(&self, id: &str) -> usize {
        let asked = self.http.request("GET", format!("{}/_aws/ses", self.endpoint)).send().await;
        let mails = asked.unwrap().success().unwrap();
        // LocalStack keeps the message as it was sent. The message's id names the booking.
        let is_about = |mail: &&Value| mail["RawData"].as_str().is_some_and(|text| text.contains(id));
        mails["messages"].as_array().unwrap().iter().filter(is_about).count()
    }

    /// Restores what a test breaks.
    async fn restore(&self) {
        for topic in Topic::ALL {
            self.enable(topic).await;
            self.set_visibility_timeout(topic, self.deployed_visibility_timeout(topic)).await;
            self.purge(&self.dead_letter_url(topic)).await;
        }
    }
}
