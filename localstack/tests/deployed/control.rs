//! CloudFormation and Lambda, asked over plain HTTP: the stack's outputs, and the event source mappings
//! that hand a topic's messages to its consumer.
//!
//! Their SDKs would take longer to build than all of these tests, for four calls. Lambda's also turns on
//! a feature of the crates under every SDK, so that all of them are built once more.

use std::collections::BTreeMap;

use client::{Client, Request, Response};
use protocol::topic::Topic;
use serde_json::{Value, json};

use crate::stack::{Stack, until};

/// LocalStack reads the service off the credential, and checks no signature.
fn signed(request: Request, service: &str) -> Request {
    let credential = format!("test/20260101/us-east-1/{service}/aws4_request");
    let value = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=none");
    request.header("authorization", value)
}

/// The outputs of a stack.
pub(crate) async fn outputs(http: &Client, endpoint: &str, stack: &str) -> BTreeMap<String, String> {
    let request = signed(http.request("POST", format!("{endpoint}/")), "cloudformation")
        .header("accept", "application/json")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("Action=DescribeStacks&Version=2010-05-15&StackName={stack}"));
    let described = request.send().await.and_then(Response::success);
    let described = described.unwrap_or_else(|error| panic!("the stack {stack} is not there: {error}"));
    let outputs = &described["DescribeStacksResponse"]["DescribeStacksResult"]["Stacks"]["member"]["Outputs"];
    let text = |output: &Value, name: &str| output[name].as_str().unwrap_or_default().to_owned();
    let outputs = outputs["member"].as_array().into_iter().flatten();
    outputs.map(|output| (text(output, "OutputKey"), text(output, "OutputValue"))).collect()
}

impl Stack {
    /// Lets the consumer of a topic receive.
    pub(crate) async fn enable(&self, topic: Topic) {
        self.set_enabled(topic, true).await;
    }

    /// Stops the consumer of a topic. Its messages wait.
    pub(crate) async fn disable(&self, topic: Topic) {
        self.set_enabled(topic, false).await;
    }

    async fn set_enabled(&self, topic: Topic, enabled: bool) {
        let state = json!(if enabled { "Enabled" } else { "Disabled" });
        let mapping = self.mapping(topic).await;
        if mapping["State"] == state {
            return;
        }
        let path = format!("event-source-mappings/{}", mapping["UUID"].as_str().unwrap());
        self.lambda("PUT", &path, Some(&json!({"Enabled": enabled}))).await;
        let what = format!("the mapping of {topic}");
        until(&what, state, async || self.mapping(topic).await["State"].take()).await;
    }

    async fn mapping(&self, topic: Topic) -> Value {
        let queue = self.arn(&self.queue_url(topic)).await;
        let path = format!("event-source-mappings/?EventSourceArn={queue}");
        let mut answer = self.lambda("GET", &path, None).await;
        let mappings = answer["EventSourceMappings"].as_array_mut().unwrap();
        assert_eq!(mappings.len(), 1, "one consumer of {topic}: {mappings:?}");
        mappings.remove(0)
    }

    async fn lambda(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let request = self.http.request(method, format!("{}/2015-03-31/{path}", self.endpoint));
        let request = signed(request, "lambda");
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        request.send().await.unwrap().success().unwrap()
    }
}
