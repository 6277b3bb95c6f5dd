//! A client that is as slow or as silent as a test needs it: bytes on a socket.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a test waits for the server to do something.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection.
pub(crate) struct Socket(TcpStream);

impl Socket {
    /// Connects to `http://ADDRESS`.
    pub(crate) fn to(url: &str) -> Self {
        let stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    pub(crate) fn send(&mut self, bytes: &str) -> io::Result<()> {
        self.0.write_all(bytes.as_bytes())
    }

    /// Asks for a path, and keeps the connection; answers the status.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<u16> {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))?;
        Ok(self.answer()?.0)
    }

    /// The next answer: its status, its header, its body.
    pub(crate) fn answer(&mut self) -> io::Result<(u16, String, String)> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        let length = field("content-length: ").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok((status, head, String::from_utf8(body).unwrap()))
    }

    /// Waits until the server has closed the connection without an answer.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.0.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }

    /// Sends the same bytes again and again, and reads nothing; answers once the server has closed the connection.
    pub(crate) fn sends_until_closed(&mut self, bytes: &str) -> ErrorKind {
        self.0.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
        let start = std::time::Instant::now();
        loop {
            match self.0.write(bytes.as_bytes()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    assert!(start.elapsed() < PATIENCE, "the server still waits");
                }
                Err(error) => return error.kind(),
                Ok(_) => {}
            }
        }
    }
}
