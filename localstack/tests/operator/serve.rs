//! The page and the operator's API on loopback.

use std::sync::Arc;

use client::Client;
use operator::serve::Server;
use serde_json::{Value, json};
use system_contract::Stage;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::stage::AwsStage;

struct Served {
    url: String,
    end: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

async fn serve(stage: AwsStage) -> Served {
    let clock = stage.stack.clock.clone();
    let server = Server::listen(Arc::new(stage.view), clock, 0).await.unwrap();
    let url = server.url().unwrap().trim_end_matches("/system").to_owned();
    let (end, ended) = oneshot::channel::<()>();
    let server = tokio::spawn(server.run(async move { drop(ended.await) }));
    Served { url, end, server }
}

async fn get(served: &Served, path: &str) -> Value {
    let request = Client::default().request("GET", format!("{}{path}", served.url));
    request.send().await.unwrap().success().unwrap()
}

#[tokio::test]
async fn the_overview_audits_only_once_it_is_asked() {
    let stage = AwsStage::start().await;
    stage.book().await;
    stage.work().await;
    stage.pause();
    let served = serve(stage).await;
    let system = get(&served, "/operator/system").await;
    assert_eq!((&system["platform"], &system["rest_chain"]), (&json!("aws"), &json!(false)));
    assert_eq!(system["payment_provider"], json!({"name": "simulated", "mode": null}));
    assert_eq!(system["audit"], json!({"differences": 0, "checked": 0, "at": null}));
    assert_eq!(system["services"]["billing-service"], json!({"running": true}));
    assert_eq!(system["topics"]["email"]["sent"], Value::Null);
    assert_eq!(get(&served, "/operator/audit").await["orders"], 1);
    let audit = get(&served, "/operator/system").await["audit"].take();
    assert_eq!((&audit["checked"], audit["at"].is_string()), (&json!(1), true));
}

/// Reads a stream of events until it has so many gauges.
async fn gauges(url: &str, wanted: usize) -> String {
    let host = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!("GET /operator/events HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let (mut text, mut bytes) = (String::new(), [0; 4096]);
    while text.matches("event: gauges").count() < wanted {
        let read = stream.read(&mut bytes).await.unwrap();
        assert!(read > 0, "the stream ended: {text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    text
}

#[tokio::test]
async fn gauges_come_without_a_journal_and_the_stream_ends_with_the_server() {
    let stage = AwsStage::start().await;
    stage.book().await;
    let served = serve(stage).await;
    let events = gauges(&served.url, 2).await;
    assert!(events.starts_with("HTTP/1.1 200"), "{events}");
    assert!(!events.contains("event: reset"), "nothing has changed: {events}");
    served.end.send(()).unwrap();
    served.server.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_page_has_all_its_files_and_a_stranger_has_none() {
    let served = serve(AwsStage::start().await).await;
    for path in ["/system", "/system.css", "/system/main.js", "/base.css", "/formats.js", "/favicon.svg"] {
        let answer = Client::default().request("GET", format!("{}{path}", served.url)).send().await.unwrap();
        assert_eq!(answer.status, 200, "{path}");
    }
    let foreign = Client::default().request("GET", format!("{}/operator/system", served.url));
    let foreign = foreign.header("host", "evil.example").send().await.unwrap();
    assert_eq!(foreign.status, 403);
}
