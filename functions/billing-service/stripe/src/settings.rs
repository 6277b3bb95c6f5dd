//! What a deployment says about its Stripe account.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use http::Uri;
use protocol::Invalid;

/// A secret key, `sk_…`, or a restricted one, `rk_…`, which needs to write payment intents and
/// refunds.
///
/// `Debug` hides it, and it is never shown: it leaves this program in one header only.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(String);

impl SecretKey {
    /// Takes `sk_` or `rk_` and up to 250 letters, digits or `_`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let rest = text.strip_prefix("sk_").or_else(|| text.strip_prefix("rk_")).unwrap_or_default();
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if (1..=250).contains(&rest.len()) && rest.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid("must be a secret key of Stripe: sk_ or rk_, then letters, digits or '_'"))
        }
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// Where Stripe's API is: `https://` and a host, or, for tests, `http://` and a loopback address,
/// since over plain HTTP the secret key could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiUrl(String);

impl ApiUrl {
    /// Takes a scheme and a host, perhaps with a port; no path.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = Invalid("must be https://HOST, or http:// and a loopback address");
        let uri: Uri = text.parse().map_err(|_| invalid)?;
        let host = uri.host().unwrap_or_default();
        let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let private = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback()),
            _ => false,
        };
        let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let named = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        if private && bare && named && !host.is_empty() {
            Ok(Self(text.trim_end_matches('/').to_owned()))
        } else {
            Err(invalid)
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ApiUrl {
    fn default() -> Self {
        Self("https://api.stripe.com".to_owned())
    }
}

/// How long an answer is waited for. What was asked may be done all the same: an answer that did
/// not come in time leaves the outcome unknown, and it is retrieved later.
///
/// A batch has 25 s, and a command that runs out of them counts as crashed. One answer that does not
/// come ends its command; only many that come at their last moment, one after another, take longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a confirmation, in which Stripe asks the card's bank.
    pub confirm: Duration,
    /// For everything else.
    pub other: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { confirm: Duration::from_secs(8), other: Duration::from_secs(3) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_only_in_stripes_form_and_never_shown() {
        for good in ["sk_test_4eC39HqLyjWDarjtT1zdp7dc", "rk_live_51abc", "sk_x"] {
            let key = SecretKey::parse(good);
            assert!(key.is_ok(), "{good}");
            assert_eq!(format!("{key:?}"), "Ok(SecretKey(…))");
        }
        let long = format!("sk_{}", "a".repeat(251));
        for bad in ["", "sk_", "pk_test_1", "sk_test_1\n", "sk_test 1", "Bearer sk_test_1", "sk_é", &long] {
            let refused = SecretKey::parse(bad);
            assert!(refused.is_err(), "{bad:?}");
            assert!(!format!("{refused:?}").contains("test_1"));
        }
    }

    #[test]
    fn the_key_is_sent_over_tls_or_to_this_machine_only() {
        for good in [
            "https://api.stripe.com",
            "https://proxy.example:8443/",
            "http://127.0.0.1:4242",
            "http://[::1]:1",
            "http://localhost:1",
        ] {
            assert!(ApiUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "api.stripe.com",
            "http://api.stripe.com",
            "http://10.0.0.1",
            "https://",
            "https://h/v1",
            "https://h?x",
            "https://u:p@h",
            "ftp://h",
        ] {
            assert!(ApiUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
