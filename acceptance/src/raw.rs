//! Bytes on a socket, for requests that no HTTP client would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::TestApp;

/// After this much silence the answer is taken to be over: a server may keep the connection open.
const SILENCE: Duration = Duration::from_millis(400);

impl TestApp {
    /// `host:port` of the server.
    pub fn authority(&self) -> &str {
        let rest = self.base().trim_start_matches("http://");
        rest.split('/').next().unwrap_or(rest)
    }

    /// Opens a connection and sends nothing.
    pub async fn connection(&self) -> TcpStream {
        TcpStream::connect(self.authority()).await.expect("the server accepts connections")
    }

    /// Sends bytes as they are and returns what comes back until the server closes or is silent.
    ///
    /// The server may close before it has read everything: that is an answer too.
    pub async fn send_raw(&self, bytes: &[u8]) -> Vec<u8> {
        let (mut reader, mut writer) = self.connection().await.into_split();
        let sending = async {
            let _ = writer.write_all(bytes).await;
            let _ = writer.flush().await;
        };
        let receiving = async {
            let mut answer = Vec::new();
            let mut piece = [0; 4096];
            while let Ok(Ok(read @ 1..)) = tokio::time::timeout(SILENCE, reader.read(&mut piece)).await {
                answer.extend_from_slice(&piece[..read]);
            }
            answer
        };
        futures_util::future::join(sending, receiving).await.1
    }
}
