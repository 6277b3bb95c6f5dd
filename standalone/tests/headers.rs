//! What every answer says to a browser, and that a reload of the page fetches nothing that has not changed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::io::Read;

use client::{Client, Response, ServerProcess};
use flate2::read::GzDecoder;
use serde_json::Value;
use support::{Http, booking, serve};

async fn ask(server: &ServerProcess, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let request = Client::default().request(method, format!("{}{path}", server.url()));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    request.send().await.unwrap()
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// One answer of every kind, by what it is.
async fn answers(server: &ServerProcess, extra: &[(&str, &str)]) -> BTreeMap<&'static str, Response> {
    let http = Http::new(server.url());
    let get = async |path: &str, headers: &[(&str, &str)]| {
        ask(server, "GET", path, &[extra, headers].concat()).await
    };
    let post = async |path: &str, body: &str, headers: &[(&str, &str)]| {
        let request = Client::default().request("POST", format!("{}{path}", server.url()));
        let headers = [extra, headers].concat();
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        request.json_text(body.to_owned()).send().await.unwrap()
    };
    let order = booking("OS-101", 1, "pm_card_visa").to_string();
    let mut other: Value = booking("OS-101", 2, "pm_card_visa");
    let key = [("Idempotency-Key", "one-key")];
    let accepted = post("/bookings", &order, &key).await;
    let found: Value = serde_json::from_slice(&accepted.body).unwrap();
    let (id, token) = (found["id"].as_str().unwrap().to_owned(), found["manage_token"].as_str().unwrap());
    let token = format!("Bearer {token}");
    http.settled(&id).await;
    let (path, bearer) = (format!("/bookings/{id}"), [("Authorization", token.as_str())]);
    let shown = get(&path, &bearer).await;
    let tag = header(&shown, "etag").to_owned();
    let page = get("/", &[]).await;
    let page_tag = header(&page, "etag").to_owned();
    other["seats"] = 2.into();
    BTreeMap::from([
        ("the page", page),
        ("the page, as it was", get("/", &[("If-None-Match", &page_tag)]).await),
        ("a script", get("/app.js", &[]).await),
        ("a style", get("/app.css", &[("Accept-Encoding", "gzip")]).await),
        ("an image", get("/favicon.svg", &[]).await),
        ("flights", get("/flights", &[]).await),
        ("health", get("/health", &[]).await),
        ("a booking, accepted", accepted),
        ("a booking, public", get(&path, &[]).await),
        ("a booking, as it was", get(&path, &[bearer[0], ("If-None-Match", &tag)]).await),
        ("a booking", shown),
        ("a booking, with a wrong token", get(&path, &[("Authorization", "Bearer wrong")]).await),
        ("a cancellation without a token", ask(server, "DELETE", &path, extra).await),
        ("a cancellation", ask(server, "DELETE", &path, &[extra, &bearer].concat()).await),
        ("another body", post("/bookings", &other.to_string(), &key).await),
        ("a bad body", post("/bookings", "{}", &[]).await),
        ("a large body", post("/bookings", &" ".repeat(20_000), &[]).await),
        ("no JSON", ask(server, "POST", "/bookings", extra).await),
        ("no such path", get("/nope", &[]).await),
        ("no such booking", get("/bookings/nope", &[]).await),
        ("no such method", ask(server, "PUT", "/flights", extra).await),
        ("the operator's topics", get("/operator/topics", &[]).await),
        (
            "the operator's API, for a stranger",
            get("/operator/topics", &[("Origin", "http://evil.example")]).await,
        ),
        ("the operator's API, without JSON", ask(server, "PUT", "/operator/payment-provider", extra).await),
    ])
}

#[tokio::test]
async fn every_answer_forbids_guessing_and_only_those_by_tls_ask_for_tls() {
    let kept = tempfile::tempdir().unwrap();
    let server = serve(kept.path(), None);
    for (proto, by_tls) in
        [(None, false), (Some("http"), false), (Some("https"), true), (Some("HTTPS, http"), true)]
    {
        let extra: Vec<_> = proto.iter().map(|proto| ("X-Forwarded-Proto", *proto)).collect();
        for (what, answer) in answers(&server, &extra).await {
            assert_eq!(header(&answer, "x-content-type-options"), "nosniff", "{what}: {answer}");
            let hsts = header(&answer, "strict-transport-security");
            assert_eq!(hsts, if by_tls { "max-age=31536000" } else { "" }, "{what}: {answer}");
            assert!(!header(&answer, "cache-control").is_empty(), "{what}: {answer}");
        }
    }
}

#[tokio::test]
async fn bookings_are_kept_by_no_cache_and_compressed_by_nobody() {
    let kept = tempfile::tempdir().unwrap();
    let server = serve(kept.path(), None);
    for (what, answer) in answers(&server, &[("Accept-Encoding", "gzip")]).await {
        // There is a token beside what a stranger may have written: its length must not tell it.
        let packed = header(&answer, "content-encoding");
        if what.contains("page") && answer.status == 200
            || ["a script", "a style", "an image"].contains(&what)
        {
            assert_eq!(packed, "gzip", "{what}: {answer}");
        } else {
            assert_eq!(packed, "", "{what}: {answer}");
        }
        if what.starts_with("a booking") && answer.status < 400 || what == "a cancellation" {
            assert_eq!(header(&answer, "cache-control"), "no-store", "{what}: {answer}");
            assert_eq!(header(&answer, "vary"), "Authorization", "{what}: {answer}");
        }
    }
}

#[tokio::test]
async fn on_the_page_only_its_own_files_may_run() {
    let kept = tempfile::tempdir().unwrap();
    let server = serve(kept.path(), None);
    let page = ask(&server, "GET", "/", &[]).await;
    let policy = header(&page, "content-security-policy");
    for part in ["default-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part) && !policy.contains("unsafe"), "{policy}");
    }
    assert_eq!(header(&page, "referrer-policy"), "no-referrer");
}

/// The page and every file that it loads, by following what stands in quotes.
async fn files(server: &ServerProcess, encoding: &str) -> BTreeMap<String, Response> {
    let mut files = BTreeMap::new();
    let mut ahead = vec!["/".to_owned()];
    while let Some(path) = ahead.pop() {
        if files.contains_key(&path) {
            continue;
        }
        let plain = ask(server, "GET", &path, &[]).await;
        let text = String::from_utf8(plain.body.to_vec()).unwrap();
        let quoted = text.split(['"', '\'']);
        let loaded = quoted.filter(|name| [".js", ".css", ".svg"].iter().any(|end| name.ends_with(end)));
        ahead.extend(loaded.map(|name| format!("/{}", name.trim_start_matches("./"))));
        files.insert(path.clone(), ask(server, "GET", &path, &[("Accept-Encoding", encoding)]).await);
    }
    assert!(files.len() > 5, "{:?}", files.keys());
    files
}

#[tokio::test]
async fn a_reload_of_the_page_fetches_nothing_that_has_not_changed() {
    let kept = tempfile::tempdir().unwrap();
    let server = serve(kept.path(), None);
    for encoding in ["gzip, deflate, br", "identity"] {
        for (path, first) in files(&server, encoding).await {
            assert_eq!(first.status, 200, "{first}");
            let tag = header(&first, "etag");
            assert!(tag.starts_with('"') && tag.len() > 10, "a strong one: {first}");
            let again = [("Accept-Encoding", encoding), ("If-None-Match", tag)];
            let again = ask(&server, "GET", &path, &again).await;
            assert_eq!((again.status, again.body.len()), (304, 0), "{again}");
            for name in ["etag", "vary", "cache-control"] {
                assert_eq!(header(&again, name), header(&first, name), "{again}");
            }
            let changed = [("Accept-Encoding", encoding), ("If-None-Match", "\"another\"")];
            assert_eq!(ask(&server, "GET", &path, &changed).await.body, first.body);
        }
    }
}

#[tokio::test]
async fn text_is_compressed_for_those_who_take_it() {
    let kept = tempfile::tempdir().unwrap();
    let server = serve(kept.path(), None);
    let plain = files(&server, "identity").await;
    for (path, packed) in files(&server, "br;q=1.0, gzip;q=0.8, *;q=0.1").await {
        let plain = &plain[&path];
        for answer in [plain, &packed] {
            assert_eq!(header(answer, "vary"), "Accept-Encoding", "{answer}");
            assert_eq!(header(answer, "content-type"), header(plain, "content-type"));
        }
        assert_eq!((header(&packed, "content-encoding"), header(plain, "content-encoding")), ("gzip", ""));
        assert_ne!(header(&packed, "etag"), header(plain, "etag"), "other bytes, another tag");
        assert!(packed.body.len() < plain.body.len(), "{path}");
        let mut unpacked = Vec::new();
        GzDecoder::new(&packed.body[..]).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain.body, "{path}");
    }
    for refusal in ["gzip;q=0", "br", "", "gzip;q=none"] {
        let answer = ask(&server, "GET", "/app.js", &[("Accept-Encoding", refusal)]).await;
        assert_eq!(header(&answer, "content-encoding"), "", "{refusal}");
    }
}
