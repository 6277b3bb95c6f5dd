//! The functions, wired as on Lambda by their crates and by the template's environment, and their
//! triggers: the API's requests, the queues, the schedule.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws::http::beneath_its_stage;
use aws::lambda::ConsumerFunction;
use aws::setup::{Setup, SetupError};
use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use booking_gateway::gateway::Gateway;
use booking_gateway::limits::Client;
use booking_gateway_lambda::{bookings_api, reconciler};
use lambda_http::tower::Service;
use lambda_http::{Adapter, LambdaEvent};
use lambda_runtime::Context;
use messaging::clock::ManualClock;
use messaging::entropy::SeededEntropy;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use serde_json::{Value, json};
use testkit::tables::create_table;
use testkit::template::Template;
use ticket_service::catalogue;
use ticket_service_lambda::dynamodb::DynamoTickets;
use ticket_service_lambda::flights_api;

use crate::cloud::{Cloud, Line, Message, lock};

/// A stack with an account and a clock of its own.
pub struct Stack {
    /// Its account.
    pub cloud: Arc<Cloud>,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    bookings: Router,
    flights: Router,
    customers: AtomicU16,
    /// The token of each booking, by its path.
    keys: Mutex<BTreeMap<String, String>>,
    consumers: BTreeMap<Topic, ConsumerFunction>,
    reconciler: Gateway,
}

/// The environment of a function in a test.
pub fn setup(cloud: &Arc<Cloud>, clock: &Arc<ManualClock>, function: &str) -> Setup {
    setup_of(&Template::load(), cloud, clock, function)
}

/// The configuration of an operator's clients, whose calls are those of `Operator`.
pub fn operator(cloud: &Arc<Cloud>) -> SdkConfig {
    config(cloud, "Operator")
}

fn config(cloud: &Arc<Cloud>, caller: &str) -> SdkConfig {
    let line = Line { function: caller.to_owned(), cloud: cloud.clone() };
    let connector = SharedHttpConnector::new(line);
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "id", "key", None, None, "test",
        )))
        .retry_config(RetryConfig::disabled())
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build()
}

fn setup_of(template: &Template, cloud: &Arc<Cloud>, clock: &Arc<ManualClock>, function: &str) -> Setup {
    let config = config(cloud, function);
    let functions = template.functions();
    let function = functions.into_iter().find(|other| other.name == function).expect("the template has it");
    let entropy = Arc::new(SeededEntropy::new(1));
    Setup { config, clock: clock.clone(), entropy, variables: function.environment }
}

/// Starts the function that consumes a topic.
///
/// # Errors
/// The configuration is invalid; the error names the variable.
pub async fn consumer(topic: Topic, setup: &Setup) -> Result<ConsumerFunction, SetupError> {
    match topic {
        Topic::Tickets => ticket_service_lambda::tickets_consumer(setup).await,
        Topic::OrderUpdates => booking_gateway_lambda::order_updates_consumer(setup).await,
        Topic::Billing => billing_service_lambda::billing_consumer(setup).await,
        Topic::Email => email_service_lambda::email_consumer(setup).await,
    }
}

/// The name of the function that consumes a topic, such as `TicketsConsumer`.
pub fn consumer_name(topic: Topic) -> String {
    format!("{}Consumer", topic.logical_id())
}

/// Makes the tables of the template.
pub async fn create_tables(operator: &DynamoDb) {
    for table in Template::load().tables() {
        let create = create_table(&table, &table).expect("a table of the template");
        create.send_with(operator).await.expect("the table is made");
    }
}

impl Stack {
    /// Makes the tables, starts all functions, and puts the default flights on offer.
    pub async fn start() -> Self {
        Self::with(&[], Cloud::default()).await
    }

    /// The same, deployed with these parameters in that account.
    pub async fn with(parameters: &[(&str, &str)], cloud: Cloud) -> Self {
        let template = Template::with(parameters);
        let cloud = Arc::new(cloud);
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let operator = DynamoDb::new(&setup_of(&template, &cloud, &clock, "TicketsConsumer").config);
        create_tables(&operator).await;
        let flights = DynamoTickets::new(operator, "TicketsTable", Arc::new(SeededEntropy::new(2)));
        let seed = catalogue::seed(Timestamp::from_millis(1_800_000_000_000));
        catalogue::upsert(&flights, &seed).await.expect("the flights are put on offer");
        *lock(&cloud.outputs) = template.outputs();
        lock(&cloud.calls).clear();
        Self::functions(&template, cloud, clock).await
    }

    /// All functions started anew, on the same tables. The customers keep their keys.
    pub async fn restarted(&self) -> Self {
        let fresh = Self::functions(&Template::load(), self.cloud.clone(), self.clock.clone()).await;
        lock(&fresh.keys).clone_from(&lock(&self.keys));
        fresh
    }

    async fn functions(template: &Template, cloud: Arc<Cloud>, clock: Arc<ManualClock>) -> Self {
        let of = |function: &str| setup_of(template, &cloud, &clock, function);
        let mut consumers = BTreeMap::new();
        for topic in Topic::ALL {
            let function = consumer(topic, &of(&consumer_name(topic))).await.expect("it starts");
            consumers.insert(topic, function);
        }
        Self {
            bookings: bookings_api(&of("BookingsApi")).await.expect("it starts"),
            flights: flights_api(&of("FlightsApi")).await.expect("it starts"),
            reconciler: reconciler(&of("Reconciler")).await.expect("it starts"),
            consumers,
            customers: AtomicU16::default(),
            keys: Mutex::default(),
            cloud,
            clock,
        }
    }

    /// An event of the API, as its function's Lambda entry point takes it.
    pub async fn api(&self, event: &Value) -> Value {
        let path = event["path"].as_str().unwrap_or_default();
        let router = if path == "/flights" { &self.flights } else { &self.bookings };
        let mut function = Adapter::from(beneath_its_stage(router.clone()));
        let event = serde_json::from_value(event.clone()).expect("an event of a REST API");
        let answer = function.call(LambdaEvent::new(event, Context::default())).await.expect("an answer");
        serde_json::to_value(answer).expect("JSON")
    }

    /// A request to the API, without the detour through Lambda's events; with the token of what was booked here.
    pub async fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = match lock(&self.keys).get(path) {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        // Each customer has an address, and few have the same.
        let [high, low] = self.customers.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let request = request.extension(Client::from(IpAddr::from([10, 0, high, low])));
        let request = request.body(body).expect("a request");
        let answer = self.bookings.clone().call(request).await.expect("an answer");
        let bytes = to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    /// Books seats for a customer of their own; answers the booking's id.
    pub async fn book(&self, flight: &str, seats: u32, card: &str) -> String {
        let customers = lock(&self.keys).len();
        self.book_for(&format!("ada-{customers}@example.com"), flight, seats, card).await
    }

    /// Books seats; the mails go to that address.
    pub async fn book_for(&self, email: &str, flight: &str, seats: u32, card: &str) -> String {
        let body = json!({
            "flight_id": flight, "seats": seats, "payment_method": card,
            "passenger": {"name": "Ada Byron", "email": email},
        });
        let booking = self.request("POST", "/bookings", Some(&body)).await;
        let text = |field: &str| booking[field].as_str().expect("it is text").to_owned();
        lock(&self.keys).insert(format!("/bookings/{}", text("id")), text("manage_token"));
        text("id")
    }

    /// The token of a booking made here.
    pub fn token(&self, id: &str) -> String {
        lock(&self.keys)[&format!("/bookings/{id}")].clone()
    }

    /// A batch, as the function's Lambda entry point takes it; answers the records to be redelivered.
    pub async fn batch(&self, topic: Topic, event: SqsEvent) -> SqsBatchResponse {
        let mut context = Context::default();
        let deadline = SystemTime::now() + Duration::from_secs(30);
        let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_millis();
        context.deadline = u64::try_from(deadline).expect("milliseconds");
        let answer = self.consumers[&topic].invoke(LambdaEvent::new(event, context)).await;
        answer.expect("a consumer answers always")
    }

    /// Delivers up to `most` messages of a topic to its consumer, in one batch, as the event source
    /// mapping does; answers how many.
    pub async fn deliver(&self, topic: Topic, most: usize) -> usize {
        let mut batch = {
            let mut queues = lock(&self.cloud.queues);
            let queue = queues.entry(topic.queue()).or_default();
            let most = most.min(queue.len());
            queue.drain(..most).collect::<Vec<_>>()
        };
        if batch.is_empty() {
            return 0;
        }
        let records: Vec<_> = batch.iter_mut().enumerate().map(|(id, message)| record(id, message)).collect();
        let event = serde_json::from_value(json!({"Records": records})).expect("an event of SQS");
        let again = self.batch(topic, event).await.batch_item_failures;
        let again =
            again.iter().map(|failure| &batch[failure.item_identifier.parse::<usize>().expect("an id")]);
        lock(&self.cloud.queues).entry(topic.queue()).or_default().extend(again.cloned());
        batch.len()
    }

    /// Delivers all messages until the queues are empty. Delays are skipped.
    pub async fn settle(&self) {
        self.settle_except(&[]).await;
    }

    /// As [`Stack::settle`], while the consumers of some topics are stopped.
    pub async fn settle_except(&self, stopped: &[Topic]) {
        for _ in 0..100 {
            let mut delivered = 0;
            for topic in Topic::ALL.into_iter().filter(|topic| !stopped.contains(topic)) {
                delivered += self.deliver(topic, 10).await;
            }
            if delivered == 0 {
                return;
            }
        }
        panic!("the queues never become empty");
    }

    /// One run of the reconciler.
    pub async fn reconcile(&self) {
        self.reconciler.reconcile(Duration::from_secs(20)).await.expect("a run");
    }
}

fn record(id: usize, message: &mut Message) -> Value {
    message.received += 1;
    // Lambda names them as SQS does, in lower case.
    let attributes = message.attributes.as_object().into_iter().flatten();
    let attributes = attributes.map(|(name, value)| {
        (name.clone(), json!({"stringValue": value["StringValue"], "dataType": value["DataType"]}))
    });
    let attributes: Value = attributes.collect::<serde_json::Map<_, _>>().into();
    json!({
        "messageId": id.to_string(),
        "body": message.body,
        "attributes": {"ApproximateReceiveCount": message.received.to_string()},
        "messageAttributes": attributes,
    })
}
