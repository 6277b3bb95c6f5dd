//! DynamoDB for tests: in this process, unless `AWS_ENDPOINT_URL` names a live one.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig};
use aws_smithy_runtime_api::client::auth::AuthSchemeId;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use dynoxide::{Database, DynoxideError};
use messaging::entropy::{Entropy, OsEntropy};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::tables::create_table;

/// The SDK's name for calls without a signature.
const UNSIGNED: AuthSchemeId = AuthSchemeId::new("noAuth");

/// A client of a DynamoDB without any tables.
pub fn client() -> Client {
    match std::env::var("AWS_ENDPOINT_URL") {
        Ok(url) => Client::from_conf(config().endpoint_url(url).build()),
        Err(_) => InProcess::default().client(),
    }
}

fn config() -> aws_sdk_dynamodb::config::Builder {
    aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::for_tests())
}

/// Makes the table that template.yaml describes under this name; answers its name, which is new each
/// time. Boxed: so the SDK's call is compiled here, and not again in every test that makes a table.
pub fn table<'a>(client: &'a Client, resource: &'a str) -> Pin<Box<dyn Future<Output = String> + Send + 'a>> {
    Box::pin(async move {
        let name = format!("test-{}", OsEntropy.order_id());
        let create = create_table(resource, &name).expect("a table of the template");
        create.send_with(client).await.expect("the table is made");
        name
    })
}

/// Answers the SDK's HTTP requests from a database.
#[derive(Clone)]
pub struct InProcess {
    database: Arc<Mutex<Database>>,
    calls: Arc<AtomicU64>,
    refusals: Arc<Mutex<Vec<(&'static str, String)>>>,
}

impl std::fmt::Debug for InProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InProcess")
    }
}

impl HttpConnector for InProcess {
    /// Yields to other tasks up to three times, as a network would: tests of concurrency see calls
    /// interleave, in the same way each time.
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let database = self.clone();
        let number = self.calls.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        HttpConnectorFuture::new(async move {
            for _ in 0..number >> 62 {
                let mut waited = false;
                poll_fn(|context| {
                    if std::mem::replace(&mut waited, true) {
                        return Poll::Ready(());
                    }
                    context.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
            }
            database.answer(&request)
        })
    }
}

impl Default for InProcess {
    fn default() -> Self {
        let database = Database::memory().expect("an in-memory database");
        Self { database: Arc::new(Mutex::new(database)), calls: Arc::default(), refusals: Arc::default() }
    }
}

impl InProcess {
    /// A client of this one.
    pub fn client(&self) -> Client {
        let connector = SharedHttpConnector::new(self.clone());
        // Signatures and guards against slow uploads are for a network, and cost most of a call.
        let config = config()
            .allow_no_auth()
            .auth_scheme_preference([UNSIGNED])
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .http_client(http_client_fn(move |_, _| connector.clone()));
        Client::from_conf(config.build())
    }

    /// Refuses the next call of that operation with this error. DynamoDB does so on conflicts and when
    /// it throttles; an emulator never does by itself.
    pub fn refuse(&self, operation: &'static str, error: &serde_json::Value) {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).push((operation, error.to_string()));
    }

    fn answer(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let operation = request.headers().get("x-amz-target").and_then(|target| target.rsplit('.').next());
        let operation = operation.unwrap_or_default();
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = refusals.iter().position(|(refused, _)| *refused == operation) {
            return respond(400, refusals.remove(next).1);
        }
        drop(refusals);
        self.run(operation, request.body().bytes().unwrap_or_default())
    }

    /// Runs one operation of DynamoDB's JSON protocol.
    pub fn run(&self, operation: &str, body: &[u8]) -> Result<HttpResponse, ConnectorError> {
        let database =
            self.database.lock().map_err(|_| ConnectorError::other("a test panicked here".into(), None))?;
        let answer = run(&database, operation, body);
        match answer {
            Ok(body) => respond(200, body),
            Err(error) => respond(400, error.to_json()),
        }
    }
}

fn respond(status: u16, body: String) -> Result<HttpResponse, ConnectorError> {
    let status = status.try_into().map_err(|_| ConnectorError::other("not a status".into(), None))?;
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    Ok(response)
}

fn run(database: &Database, operation: &str, body: &[u8]) -> dynoxide::Result<String> {
    fn call<Q: DeserializeOwned, A: Serialize>(
        body: &[u8],
        run: impl FnOnce(Q) -> dynoxide::Result<A>,
    ) -> dynoxide::Result<String> {
        let unreadable = |error: serde_json::Error| DynoxideError::ValidationException(error.to_string());
        let answer = run(serde_json::from_slice(body).map_err(unreadable)?)?;
        serde_json::to_string(&answer).map_err(unreadable)
    }
    match operation {
        "CreateTable" => call(body, |request| database.create_table(request)),
        "DescribeTable" => call(body, |request| database.describe_table(request)),
        "PutItem" => call(body, |request| database.put_item(request)),
        "GetItem" => call(body, |request| database.get_item(request)),
        "DeleteItem" => call(body, |request| database.delete_item(request)),
        "UpdateItem" => call(body, |request| database.update_item(request)),
        "Scan" => call(body, |request| database.scan(request)),
        "Query" => call(body, |request| database.query(request)),
        "BatchGetItem" => call(body, |request| database.batch_get_item(request)),
        "TransactWriteItems" => call(body, |request| database.transact_write_items(request)),
        other => Err(DynoxideError::ValidationException(format!("the tests do not use {other}"))),
    }
}
