//! A small SMTP server for tests: accepts mail, or gives set answers.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

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
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::<Mutex<State>>::default();
        let shared = state.clone();
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(talk(stream, shared.clone()));
            }
        });
        Self { port, state, serving }
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

async fn talk(stream: TcpStream, state: Arc<Mutex<State>>) -> Option<()> {
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
            say(&mut stream, scripted.unwrap_or("250 2.0.0 taken")).await?;
        }
    }
}

fn take_scripted(state: &Mutex<State>, line: &str) -> Option<&'static str> {
    let scripted = &mut state.lock().unwrap().scripted;
    let place = scripted.iter().position(|(command, _)| line.starts_with(command))?;
    Some(scripted.remove(place).1)
}

async fn say(stream: &mut BufReader<TcpStream>, answer: &str) -> Option<()> {
    if answer.is_empty() {
        return None;
    }
    stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()
}

async fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

async fn text(stream: &mut BufReader<TcpStream>) -> Option<String> {
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
