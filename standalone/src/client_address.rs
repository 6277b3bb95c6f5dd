//! Whose a request is, for the limits at the front door.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use booking_gateway::limits::Client;

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// Which requests are limited, and whose addresses are believed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clients {
    /// A proxy in front writes the last address in `X-Forwarded-For`. Without one every client could write it.
    pub behind_proxy: bool,
    /// Requests from this machine are limited too.
    pub limit_loopback: bool,
}

impl Clients {
    /// Whose request it is; `None` if it is not limited.
    fn of(self, peer: IpAddr, headers: &HeaderMap) -> Option<Client> {
        let forwarded = headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(header::FORWARDED);
        let last = headers.get_all(X_FORWARDED_FOR).iter().next_back().and_then(|value| {
            let (_, last) = value.to_str().ok()?.rsplit_once(',').unwrap_or(("", value.to_str().ok()?));
            last.trim().parse().ok()
        });
        let believed = last.filter(|_| self.behind_proxy);
        let limited = self.limit_loopback || forwarded || !peer.to_canonical().is_loopback();
        limited.then(|| Client::from(believed.unwrap_or(peer)))
    }
}

/// Passes the request on, with its client.
pub async fn with_client(
    State(clients): State<Clients>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(client) = clients.of(peer.ip(), request.headers()) {
        request.extensions_mut().insert(client);
    }
    next.run(request).await
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// The client of a request with those `X-Forwarded-For`.
    fn client(clients: Clients, peer: &str, forwarded: &[&str]) -> Option<IpAddr> {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(X_FORWARDED_FOR, value.parse().unwrap());
        }
        clients.of(address(peer), &headers).map(Client::address)
    }

    #[test]
    fn this_machine_is_not_limited_unless_asked_or_for_another() {
        let (usual, limited) = (Clients::default(), Clients { limit_loopback: true, ..Clients::default() });
        for local in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(client(usual, local, &[]), None);
            assert!(client(limited, local, &[]).is_some());
            assert!(client(usual, local, &["192.0.2.1"]).is_some());
        }
        assert_eq!(client(usual, "192.0.2.1", &[]), Some(address("192.0.2.1")));
    }

    #[test]
    fn a_forwarded_address_is_believed_behind_a_proxy_alone_and_only_the_one_that_it_wrote() {
        let behind = Clients { behind_proxy: true, ..Clients::default() };
        let told = ["203.0.113.9", "203.0.113.8, 192.0.2.7"];
        assert_eq!(client(Clients::default(), "127.0.0.1", &told), Some(address("127.0.0.1")));
        assert_eq!(client(behind, "127.0.0.1", &told), Some(address("192.0.2.7")));
        assert_eq!(client(behind, "127.0.0.1", &["unknown"]), Some(address("127.0.0.1")));
    }
}
