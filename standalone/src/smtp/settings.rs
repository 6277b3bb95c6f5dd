//! The SMTP server, its login, the sender's address, and how many mails an address gets.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

use axum::http::Uri;
use lettre::Address;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::TlsParameters;
use protocol::passenger::EmailAddress;
use thiserror::Error;

/// An SMTP server, and the address that mails are sent from.
#[derive(Clone)]
pub struct Smtp {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) protection: Protection,
    pub(super) tls: TlsParameters,
    pub(super) credentials: Option<Credentials>,
    /// As it stands in the mail.
    pub(super) from: EmailAddress,
    /// The same, as it stands in the exchange.
    pub(super) sender: Address,
    pub(super) mails_per_hour: Option<NonZeroU32>,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    /// TLS from the first byte.
    Tls,
    /// TLS by `STARTTLS`, or no connection.
    StartTls,
    /// TLS by `STARTTLS`, if the server offers it; no password is sent.
    StartTlsIfOffered,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smtp({}:{}, {:?}, from {})", self.host, self.port, self.protection, self.from)
    }
}

/// The settings for mail are invalid. Each message names what to change.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum SmtpError {
    #[error("--smtp must be smtp://HOST or smtps://HOST, perhaps with :PORT")]
    Url,
    #[error("--smtp must not hold credentials, which others could read: set SMTP_USERNAME and SMTP_PASSWORD")]
    CredentialsInUrl,
    #[error("SMTP_USERNAME and SMTP_PASSWORD must both be set, or neither")]
    HalfOfCredentials,
    #[error("--mail-from {0}")]
    From(protocol::Invalid),
    #[error("--smtp: TLS cannot be used here: {0}")]
    Tls(lettre::transport::smtp::Error),
}

impl Smtp {
    /// Parses `smtps://HOST[:465]` (TLS) or `smtp://HOST[:587]` (STARTTLS where the server offers
    /// it, and always before a password is sent, unless the host is this machine).
    pub fn parse(
        url: &str,
        from: &str,
        username: Option<String>,
        password: Option<String>,
    ) -> Result<Self, SmtpError> {
        let uri: Uri = url.parse().map_err(|_| SmtpError::Url)?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(SmtpError::CredentialsInUrl);
        }
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(SmtpError::Url);
        }
        let credentials = match (username, password) {
            (Some(username), Some(password)) => Some(Credentials::new(username, password)),
            (None, None) => None,
            _ => return Err(SmtpError::HalfOfCredentials),
        };
        let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let (protection, port) = match uri.scheme_str() {
            Some("smtps") => (Protection::Tls, 465),
            Some("smtp") if credentials.is_some() && !here => (Protection::StartTls, 587),
            Some("smtp") => (Protection::StartTlsIfOffered, 587),
            _ => return Err(SmtpError::Url),
        };
        let from = EmailAddress::parse(from).map_err(SmtpError::From)?;
        let sender = from.as_str().parse().map_err(|_| {
            SmtpError::From(protocol::Invalid("must be an address that mail can be sent from"))
        })?;
        let tls = TlsParameters::new_rustls(host.clone()).map_err(SmtpError::Tls)?;
        Ok(Self {
            host,
            port: uri.port_u16().unwrap_or(port),
            protection,
            tls,
            credentials,
            from,
            sender,
            mails_per_hour: None,
        })
    }

    /// The same, with a bound on the mails that one address gets in an hour; 0 is none.
    #[must_use]
    pub fn with_mails_per_hour(self, most: u32) -> Self {
        Self { mails_per_hour: NonZeroU32::new(most), ..self }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn parse(url: &str, password: Option<&str>) -> Result<Smtp, SmtpError> {
        let username = password.map(|_| "ada".to_owned());
        Smtp::parse(url, "tickets@example.com", username, password.map(str::to_owned))
    }

    #[test]
    fn a_password_goes_over_tls_or_stays_on_this_machine() {
        for (url, password, protection, port) in [
            ("smtps://mail.example", Some("secret"), Protection::Tls, 465),
            ("smtps://mail.example:4650/", None, Protection::Tls, 4650),
            ("smtp://mail.example", Some("secret"), Protection::StartTls, 587),
            ("smtp://mail.example:25", None, Protection::StartTlsIfOffered, 25),
            ("smtp://127.0.0.1:1025", Some("secret"), Protection::StartTlsIfOffered, 1025),
            ("smtp://[::1]:1025", Some("secret"), Protection::StartTlsIfOffered, 1025),
        ] {
            let smtp = parse(url, password).unwrap();
            assert_eq!((smtp.protection, smtp.port), (protection, port), "{url}");
            assert!(!format!("{smtp:?}").contains("secret"));
        }
    }

    #[test]
    fn what_is_not_an_smtp_server_is_refused_by_name_and_no_password_is_shown() {
        for url in ["", "mail.example", "http://mail.example", "smtp://", "smtp://h/x", "smtp://h?tls=none"] {
            assert!(matches!(parse(url, None), Err(SmtpError::Url)), "{url}");
        }
        let error = parse("smtp://ada:secret@mail.example", None).unwrap_err();
        assert!(matches!(error, SmtpError::CredentialsInUrl) && !error.to_string().contains("secret"));
        let half = Smtp::parse("smtp://h", "a@example.com", None, Some("secret".to_owned())).unwrap_err();
        assert!(matches!(half, SmtpError::HalfOfCredentials) && !half.to_string().contains("secret"));
        let from = Smtp::parse("smtp://h", "a@example.com\r\nBcc: b@example.com", None, None).unwrap_err();
        assert_eq!(from.to_string(), "--mail-from must be an e-mail address such as ada@example.com");
    }
}
