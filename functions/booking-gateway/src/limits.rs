//! Limits at the front door: how many orders a client may place a minute, and how many of them for one e-mail
//! address. Without them one client could hold the seats of a flight, or try stolen cards.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use async_trait::async_trait;
use messaging::store::StoreError;
use protocol::passenger::EmailAddress;

/// How long an order waits for its count. A counter that takes longer, or fails, keeps no customer from booking.
pub const PATIENCE: Duration = Duration::from_millis(100);

/// Where an order comes from: an IPv4 address, or the /64 network of an IPv6 one, since one household or one server
/// has all of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client(IpAddr);

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !0 << 64).into(),
        })
    }
}

impl Client {
    /// The address, or the first one of its network.
    pub fn address(self) -> IpAddr {
        self.0
    }
}

/// How many orders there may be a minute. What is 0 is not limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of one client.
    pub client: u32,
    /// Of one client for one e-mail address.
    pub client_and_email: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { client: 60, client_and_email: 20 }
    }
}

impl Limits {
    /// Whether anything is limited.
    pub fn is_on(self) -> bool {
        self.client > 0 || self.client_and_email > 0
    }
}

/// Whether an order may be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may, and is counted.
    Admitted,
    /// Not before that time has passed.
    Limited(Duration),
}

/// Counts the orders of clients.
///
/// **Crash contract:** an order may be counted and not placed. Counts may be lost; a client then has a minute's orders
/// once more.
#[async_trait]
pub trait Limiter: Send + Sync {
    /// Counts an order that a client places now, if it may be placed.
    async fn admit(&self, client: Client, email: &EmailAddress) -> Result<Admission, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_an_ipv4_address_or_an_ipv6_network() {
        let client =
            |text: &str| Client::from(text.parse::<IpAddr>().unwrap_or(IpAddr::V4([0, 0, 0, 0].into())));
        assert_eq!(client("2001:db8:1:2:3:4:5:6"), client("2001:db8:1:2::1"));
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
    }
}
