//! A call to AWS, read from its HTTP request, and the permissions that it needs.

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde_json::Value;
use testkit::template::{Permission, short};

/// One call of a function.
#[derive(Clone, Debug)]
pub struct Call {
    /// The function that made it, such as `TicketsConsumer`.
    pub function: String,
    /// `dynamodb`, `sqs`, `secretsmanager`, `ses`, `cloudformation` or `lambda`.
    pub service: &'static str,
    /// `PutItem`
    pub operation: String,
    /// The permissions that it needs. A transaction needs those of its items.
    pub permissions: Vec<Permission>,
    /// Whether it is about the simulated provider's ledger.
    pub simulated_provider: bool,
    /// Write units that it used up, indexes included.
    pub write_units: f64,
    /// Read units.
    pub read_units: f64,
}

/// The path of Lambda's event source mappings.
const MAPPINGS: &str = "/event-source-mappings";

/// A request's service and operation, and its body: JSON, or for SES the form's fields.
pub(crate) struct Asked {
    pub(crate) service: &'static str,
    pub(crate) operation: String,
    pub(crate) body: Value,
}

impl Asked {
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let bytes = request.body().bytes().expect("a body in memory");
        match request.headers().get("x-amz-target").and_then(|target| target.split_once('.')) {
            Some((api, operation)) => Self {
                service: match api {
                    "DynamoDB_20120810" => "dynamodb",
                    "AmazonSQS" => "sqs",
                    "secretsmanager" => "secretsmanager",
                    other => panic!("this AWS has no {other}"),
                },
                operation: operation.to_owned(),
                body: serde_json::from_slice(bytes).expect("JSON"),
            },
            None if request.uri().contains(MAPPINGS) => Self::mapping(request),
            // SES and CloudFormation speak the query protocol.
            None => {
                let form: Value = form(bytes);
                Self {
                    service: if form["Action"] == "DescribeStacks" { "cloudformation" } else { "ses" },
                    operation: form["Action"].as_str().unwrap_or("?").to_owned(),
                    body: form,
                }
            }
        }
    }

    /// A call of Lambda's API of event source mappings.
    fn mapping(request: &HttpRequest) -> Self {
        let (path, query) = request.uri().split_once('?').unwrap_or((request.uri(), ""));
        let id = path.split_once(MAPPINGS).map_or("", |(_, id)| id.trim_start_matches('/'));
        let mut body: Value = serde_json::from_slice(request.body().bytes().unwrap_or_default())
            .unwrap_or_else(|_| form(query.as_bytes()));
        let is_update = request.method() == "PUT";
        if is_update {
            body["UUID"] = id.into();
        }
        let operation = if is_update { "UpdateEventSourceMapping" } else { "ListEventSourceMappings" };
        Self { service: "lambda", operation: operation.to_owned(), body }
    }

    /// Whether the call is about the simulated provider's ledger.
    pub(crate) fn is_simulated_provider(&self) -> bool {
        let key = |place: &str| self.body[place]["order_id"]["S"].as_str();
        key("Item").or(key("Key")).is_some_and(|key| key.starts_with("simulated/"))
    }

    /// The permissions that the call needs.
    pub(crate) fn permissions(&self) -> Vec<Permission> {
        let body = &self.body;
        let on = |resource: &str| vec![(format!("{}:{}", self.service, self.operation), short(resource))];
        let string = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        match (self.service, self.operation.as_str()) {
            ("dynamodb", "BatchGetItem") => body["RequestItems"]
                .as_object()
                .into_iter()
                .flat_map(|tables| tables.keys())
                .flat_map(|table| on(table))
                .collect(),
            ("dynamodb", "TransactWriteItems") => body["TransactItems"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|item| item.as_object()?.iter().next())
                .map(|(kind, item)| {
                    let action = match kind.as_str() {
                        "ConditionCheck" => "dynamodb:ConditionCheckItem".to_owned(),
                        kind => format!("dynamodb:{kind}Item"),
                    };
                    (action, string(&item["TableName"]))
                })
                .collect(),
            ("dynamodb", "Query") if body["IndexName"].is_string() => {
                on(&format!("{}/index/{}", string(&body["TableName"]), string(&body["IndexName"])))
            }
            ("dynamodb", _) => on(&string(&body["TableName"])),
            // A batch is authorised as its messages are.
            ("sqs", "SendMessageBatch") => vec![("sqs:SendMessage".to_owned(), queue(body))],
            ("sqs", _) => on(&queue(body)),
            ("cloudformation", _) => on(&format!("stack/{}/*", string(&body["StackName"]))),
            // It lists all of the account.
            ("lambda", "ListEventSourceMappings") => on("*"),
            ("lambda", _) => on("*"),
            ("secretsmanager", _) => on(&string(&body["SecretId"])),
            // The configuration set that a mail names is asked for beside the sender.
            _ => {
                let identity = format!("identity/{}", string(&body["Source"]));
                let set = body["ConfigurationSetName"].as_str().map(|set| format!("configuration-set/{set}"));
                std::iter::once(identity).chain(set).flat_map(|resource| on(&resource)).collect()
            }
        }
    }
}

/// The queue that a request to SQS is about.
pub(crate) fn queue(body: &Value) -> String {
    let url = body["QueueUrl"].as_str().unwrap_or("?");
    url.rsplit('/').next().unwrap_or_default().to_owned()
}

fn form(bytes: &[u8]) -> Value {
    let text = std::str::from_utf8(bytes).expect("a form");
    let fields = text.split('&').filter_map(|field| field.split_once('='));
    fields.map(|(name, value)| (name.to_owned(), Value::from(unescape(value)))).collect()
}

/// Decodes a form's escapes.
fn unescape(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&hex, 16).expect("an escaped byte")
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).expect("UTF-8")
}
