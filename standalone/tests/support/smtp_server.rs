//! A small SMTP server for tests: accepts mail, or gives set answers.

use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A mail as it was taken.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// Headers and body, lines ended by CRLF, dots unstuffed.
    pub(crate) text: String,
}

#[derive(Default)]
struct State {
    taken: Vec<Taken>,
    /// What is answered to the next command that begins so; nothing at all, if it is empty.
    scripted: Vec<(&'static str, &'static str)>,
    commands: Vec<String>,
}

pub(crate) struct SmtpServer {
    pub(crate) port: u16,
    /// Whether the answers to texts are held back.
    held: watch::Sender<bool>,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl SmtpServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(None).await
    }

    /// One that speaks TLS from the first byte, with a certificate that no authority has issued.
    pub(crate) async fn start_with_tls() -> Self {
        let (certificate, key) = (
            CertificateDer::from_pem_slice(include_bytes!("../fixtures/tls/self-signed.pem")).unwrap(),
            PrivateKeyDer::from_pem_slice(include_bytes!("../fixtures/tls/self-signed.key")).unwrap(),
        );
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        Self::start_with(Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn start_with(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::<Mutex<State>>::default();
        let (held, holds) = watch::channel(false);
        let shared = state.clone();
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (tls, shared, holds) = (tls.clone(), shared.clone(), holds.clone());
                tokio::spawn(async move {
                    match tls {
                        None => talk(stream, shared, holds).await,
                        Some(tls) => talk(tls.accept(stream).await.ok()?, shared, holds).await,
                    }
                });
            }
        });
        Self { port, held, state, serving }
    }

    /// Whether the server takes its time to answer a text that it has got.
    pub(crate) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// The next command that begins so is answered so: `""` closes the connection instead. `.` is
    /// the end of a mail's text.
    pub(crate) fn script(&self, command: &'static str, answer: &'static str) {
        self.state.lock().unwrap().scripted.push((command, answer));
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.state.lock().unwrap().taken.clone()
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        self.state.lock().unwrap().commands.clone()
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    state: Arc<Mutex<State>>,
    mut holds: watch::Receiver<bool>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 test ESMTP\r\n").await.ok()?;
    let (mut from, mut to) = (String::new(), Vec::new());
    loop {
        let line = line(&mut stream).await?;
        state.lock().unwrap().commands.push(line.clone());
        let scripted = take_scripted(&state, &line);
        let answer = match scripted {
            Some(answer) => answer,
            None if line.starts_with("EHLO") => "250-test\r\n250 AUTH PLAIN LOGIN",
            None if line.starts_with("AUTH") => "235 2.7.0 welcome",
            None if line == "DATA" => "354 go on",
            None if line == "QUIT" => "221 bye",
            None => "250 2.0.0 ok",
        };
        if let Some(address) = line.strip_prefix("MAIL FROM:") {
            (from, to) = (address.to_owned(), Vec::new());
        }
        if let Some(address) = line.strip_prefix("RCPT TO:") {
            to.push(address.to_owned());
        }
        say(&mut stream, answer).await?;
        if answer.starts_with("354") {
            let text = text(&mut stream).await?;
            let scripted = take_scripted(&state, ".");
            if scripted.is_none_or(str::is_empty) {
                state.lock().unwrap().taken.push(Taken { from: from.clone(), to: to.clone(), text });
            }
            holds.wait_for(|held| !held).await.ok()?;
            say(&mut stream, scripted.unwrap_or("250 2.0.0 taken")).await?;
        }
    }
}

fn take_scripted(state: &Mutex<State>, line: &str) -> Option<&'static str> {
    let scripted = &mut state.lock().unwrap().scripted;
    let place = scripted.iter().position(|(command, _)| line.starts_with(command))?;
    Some(scripted.remove(place).1)
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>, answer: &str) -> Option<()> {
    if answer.is_empty() {
        return None;
    }
    stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()
}

async fn line<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

async fn text<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut text = String::new();
    loop {
        let line = line(stream).await?;
        if line == "." {
            return Some(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
        text.push_str("\r\n");
    }
}
