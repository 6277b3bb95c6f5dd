//! Answers the functions' calls: DynamoDB in this process, queues, one secret, and a mailer that keeps
//! the mails. Each call is recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use testkit::dynamodb::InProcess;

use crate::call::{Asked, Call, queue};

/// A message in a queue.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Its id, and the handle of its receipt; empty where a test put it there.
    pub id: String,
    /// When it was sent, in milliseconds.
    pub sent: i64,
    /// An operator has received it.
    pub hidden: bool,
    /// Its body.
    pub body: String,
    /// Its delay in seconds.
    pub delay: i64,
    /// Its attributes, where it was dead-lettered.
    pub attributes: Value,
    /// How many times it was delivered.
    pub received: u32,
}

/// The AWS account of a stack.
pub struct Cloud {
    pub(crate) database: InProcess,
    /// The messages of each queue, oldest first.
    pub queues: Mutex<BTreeMap<String, Vec<Message>>>,
    /// The mails, as SES was asked to send them, and their texts.
    pub mails: Mutex<Vec<Value>>,
    /// All calls so far.
    pub calls: Mutex<Vec<Call>>,
    /// The current version of every secret in Secrets Manager.
    pub secret: Mutex<Option<String>>,
    /// The version before, if they were rotated.
    pub previous_secret: Mutex<Option<String>>,
    /// The queues whose mapping is disabled.
    pub stopped: Mutex<BTreeSet<String>>,
    /// The stack's outputs.
    pub outputs: Mutex<BTreeMap<String, String>>,
    /// How many messages were sent.
    pub(crate) sent: AtomicI64,
    /// The tables that do not answer, and the mail identities that are refused: `identity/us@example.com`.
    pub away: Mutex<BTreeSet<String>>,
}

impl Default for Cloud {
    fn default() -> Self {
        Self {
            database: InProcess::default(),
            queues: Mutex::default(),
            mails: Mutex::default(),
            calls: Mutex::default(),
            secret: Mutex::new(Some("a secret of more than thirty-two bytes".to_owned())),
            previous_secret: Mutex::default(),
            stopped: Mutex::default(),
            outputs: Mutex::default(),
            sent: AtomicI64::default(),
            away: Mutex::default(),
        }
    }
}

/// Locks, also after a failed test held the lock.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One function's connection to the account.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) function: String,
    pub(crate) cloud: Arc<Cloud>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Line of {}", self.function)
    }
}

impl HttpConnector for Line {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let asked = Asked::of(&request);
        let permissions = asked.permissions();
        let away = permissions.iter().any(|(_, resource)| lock(&self.cloud.away).contains(resource));
        let (response, units) = if away && asked.service == "ses" {
            // As for a sender that is not verified.
            (ses_error("MessageRejected", "Email address is not verified"), (0.0, 0.0))
        } else if away {
            (
                answer(400, &json!({"__type": "com.amazonaws#AccessDeniedException", "message": "away"})),
                (0.0, 0.0),
            )
        } else {
            self.cloud.answer(&asked)
        };
        let (write_units, read_units) = units;
        let simulated_provider = asked.is_simulated_provider();
        let Asked { service, operation, .. } = asked;
        let function = self.function.clone();
        let call =
            Call { function, service, operation, permissions, simulated_provider, write_units, read_units };
        lock(&self.cloud.calls).push(call);
        HttpConnectorFuture::ready(Ok(response))
    }
}

impl Cloud {
    /// The answer, and the write and read units it took.
    fn answer(&self, asked: &Asked) -> (HttpResponse, (f64, f64)) {
        let Asked { service, operation, body } = asked;
        let nothing = (0.0, 0.0);
        if let Some(answer) = self.operate(asked) {
            return (answer, nothing);
        }
        match (*service, operation.as_str()) {
            ("dynamodb", _) => self.dynamodb(operation, body.clone()),
            ("sqs", "SendMessageBatch") => (self.send(body), nothing),
            ("secretsmanager", "GetSecretValue") => {
                let previous = body["VersionStage"] == "AWSPREVIOUS";
                let secret = if previous { &self.previous_secret } else { &self.secret };
                let answer = match lock(secret).as_deref() {
                    Some(secret) => answer(200, &json!({"ARN": body["SecretId"], "SecretString": secret})),
                    None => {
                        answer(400, &json!({"__type": "ResourceNotFoundException", "message": "no secret"}))
                    }
                };
                (answer, nothing)
            }
            ("ses", "SendRawEmail") => (self.mail(body), nothing),
            (service, operation) => panic!("this AWS has no {operation} of {service}"),
        }
    }

    fn dynamodb(&self, operation: &str, mut body: Value) -> (HttpResponse, (f64, f64)) {
        body["ReturnConsumedCapacity"] = "TOTAL".into();
        let response = self.database.run(operation, body.to_string().as_bytes()).expect("DynamoDB answers");
        let said = response.body().bytes().and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
        let consumed = said.map(|mut said| said["ConsumedCapacity"].take()).unwrap_or_default();
        let total: f64 = match &consumed {
            Value::Array(tables) => tables.iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum(),
            table => table["CapacityUnits"].as_f64().unwrap_or_default(),
        };
        let reads = ["GetItem", "BatchGetItem", "Query", "Scan"].contains(&operation);
        (response, if reads { (0.0, total) } else { (total, 0.0) })
    }

    fn send(&self, body: &Value) -> HttpResponse {
        let entries = body["Entries"].as_array().expect("entries");
        let mut queues = lock(&self.queues);
        let queue = queues.entry(queue(body)).or_default();
        queue.extend(entries.iter().map(|entry| {
            let delay = entry["DelaySeconds"].as_i64().unwrap_or_default();
            self.message(&entry["MessageBody"], delay, &entry["MessageAttributes"])
        }));
        let taken = |entry: &Value| json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "-"});
        answer(200, &json!({"Successful": entries.iter().map(taken).collect::<Vec<_>>(), "Failed": []}))
    }

    fn mail(&self, body: &Value) -> HttpResponse {
        let to = body["Destinations.member.1"].as_str().unwrap_or_default();
        if !to.contains('@') {
            return ses_error("InvalidParameterValue", "Missing final '@domain'");
        }
        lock(&self.mails).push(read(body));
        let sent = "<SendRawEmailResponse><SendRawEmailResult><MessageId>1</MessageId></SendRawEmailResult></SendRawEmailResponse>";
        HttpResponse::new(200.try_into().expect("a status"), SdkBody::from(sent))
    }
}

/// The request, with the texts of its message: under `text/plain`, `text/html`, `text/calendar`.
fn read(body: &Value) -> Value {
    let message =
        BASE64_STANDARD.decode(body["RawMessage.Data"].as_str().expect("a message")).expect("base64");
    let message = mailparse::parse_mail(&message).expect("a message");
    let mut read = body.clone();
    for part in message.parts().filter(|part| part.subparts.is_empty()) {
        read[&part.ctype.mimetype] = part.get_body().expect("a text").into();
    }
    read
}

fn ses_error(code: &str, message: &str) -> HttpResponse {
    let body = format!(
        "<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    );
    HttpResponse::new(400.try_into().expect("a status"), SdkBody::from(body))
}

pub(crate) fn answer(status: u16, body: &Value) -> HttpResponse {
    let mut response =
        HttpResponse::new(status.try_into().expect("a status"), SdkBody::from(body.to_string()));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    response
}
