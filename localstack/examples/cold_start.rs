//! Measures the size of the built functions, and the time of each from its spawn to its first `/next`:
//! the cost of init, without Lambda's own part. AWS and the Runtime API are answered on loopback.
//!
//! ```text
//! sam build && cargo run --release --package localstack --example cold_start
//! ```
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a measurement fails by panicking")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use testkit::template::{Function, Template};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// How often each function is started; the median is printed.
const STARTS: usize = 21;

/// The largest zipped function, in bytes, and the slowest start.
const LARGEST: usize = 5_000_000;
const SLOWEST: Duration = Duration::from_millis(20);

async fn aws(request: Request) -> Response {
    let target = request.headers().get("x-amz-target").map(|target| target.to_str().unwrap().to_owned());
    let body =
        match target.as_deref().and_then(|target| target.split_once('.')).map(|(_, operation)| operation) {
            Some("GetSecretValue") => r#"{"SecretString":"a secret of more than thirty-two bytes"}"#,
            Some("Query") => r#"{"Items":[],"Count":0}"#,
            Some(_) => "{}",
            None => {
                return (
                    StatusCode::BAD_REQUEST,
                    "<ErrorResponse><Error><Code>InvalidParameterValue</Code></Error></ErrorResponse>",
                )
                    .into_response();
            }
        };
    body.into_response()
}

fn zipped(bootstrap: &Path) -> usize {
    // A zip file's one entry is deflated as gzip's is.
    let gzip = Command::new("gzip").args(["-9", "--stdout"]).arg(bootstrap).output().expect("gzip");
    gzip.stdout.len()
}

async fn start(
    function: &Function,
    bootstrap: &Path,
    address: &str,
    asked: &mut mpsc::Receiver<Instant>,
) -> Duration {
    let environment = function
        .environment
        .iter()
        .map(|(name, value)| (name, value.replace("https://sqs/", &format!("http://{address}/queue/"))));
    let began = Instant::now();
    let mut process = Command::new(bootstrap)
        .env_clear()
        .envs(environment)
        .env("AWS_LAMBDA_RUNTIME_API", address)
        .env("AWS_ENDPOINT_URL", format!("http://{address}"))
        .envs([("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
        .envs([("AWS_LAMBDA_FUNCTION_NAME", "f"), ("AWS_LAMBDA_FUNCTION_VERSION", "1")])
        .envs([("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")])
        .stdout(Stdio::null())
        .spawn()
        .expect("the function starts");
    let next = tokio::time::timeout(Duration::from_secs(10), asked.recv()).await;
    process.kill().expect("it is ended");
    process.wait().expect("it has ended");
    next.expect("it asks for an event").expect("a moment").duration_since(began)
}

#[tokio::main]
async fn main() {
    let (tell, mut asked) = mpsc::channel(64);
    let next = get(move || {
        let now = Instant::now();
        async move {
            tell.send(now).await.expect("it is waited for");
            std::future::pending::<()>().await;
        }
    });
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", next)
        .route("/2018-06-01/runtime/init/error", post(async |body: String| eprintln!("{body}")))
        .fallback(aws);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    tokio::spawn(async { axum::serve(listener, router).await });

    let mut too_much = false;
    println!("{:<24}{:>12}{:>12}{:>20}", "function", "bootstrap", "zipped", "spawn to /next");
    for function in Template::load().functions() {
        let directory = format!("{}/../.aws-sam/build/{}Function", env!("CARGO_MANIFEST_DIR"), function.name);
        let bootstrap = Path::new(&directory).join("bootstrap");
        let size = bootstrap.metadata().expect("`sam build` was run before").len();
        let zipped = zipped(&bootstrap);
        let mut times = Vec::with_capacity(STARTS);
        for _ in 0..STARTS {
            times.push(start(&function, &bootstrap, &address, &mut asked).await);
        }
        times.sort_unstable();
        let (median, fastest) = (times[STARTS / 2], times[0]);
        let megabytes = |bytes: f64| format!("{:.2} MB", bytes / 1e6);
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        println!(
            "{:<24}{:>12}{:>12}{:>20}",
            function.binary,
            megabytes(size as f64),
            megabytes(zipped as f64),
            format!("{:.1} ms, best {:.1}", milliseconds(median), milliseconds(fastest)),
        );
        too_much |= zipped > LARGEST || median > SLOWEST;
    }
    if too_much {
        eprintln!("more than {LARGEST} bytes, or than {SLOWEST:?}");
        std::process::exit(1);
    }
}
