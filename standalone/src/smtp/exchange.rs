//! One exchange with the mail server, step by step, and what its answers mean for the mail.

use std::error::Error;
use std::io;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use rustls::CertificateError as Certificate;
use tracing::error;

use super::Patience;
use super::settings::{Protection, Smtp};

/// How long a TCP connection may take to be made.
const CONNECT: Duration = Duration::from_secs(15);

/// Why the server has not taken a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It may take it later, or may have taken it.
    ForNow(String),
    /// It will never take this mail for this recipient.
    ThisMail(String),
    /// It will never take any mail for this recipient: its address does not exist.
    NoSuchAddress(String),
}

/// The step that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Connect,
    Login,
    Sender,
    Recipient,
    Text,
}

/// A message, and the address it goes to.
pub(super) struct Parcel {
    pub(super) to: Address,
    pub(super) message: Vec<u8>,
}

/// Hands a mail to the server.
pub(super) async fn hand_over(smtp: &Smtp, parcel: &Parcel, patience: &Patience) -> Result<(), Refused> {
    let Smtp { host, port, protection, tls, credentials, sender, .. } = smtp;
    let hello = ClientId::default();
    let wrapper = (*protection == Protection::Tls).then(|| tls.clone());
    let within = Within { smtp, patience: patience.step };
    let connect =
        AsyncSmtpConnection::connect_tokio1((host.as_str(), *port), Some(CONNECT), &hello, wrapper, None);
    let mut server = within.ask(Step::Connect, connect).await?;
    let secure = match protection {
        Protection::Tls => false,
        Protection::StartTls => true,
        Protection::StartTlsIfOffered => server.can_starttls(),
    };
    if secure {
        within.ask(Step::Connect, server.starttls(tls.clone(), &hello)).await?;
    }
    if let Some(credentials) = credentials {
        within.ask(Step::Login, server.auth(DEFAULT_MECHANISMS, credentials)).await?;
    }
    // Step by step, since the meaning of a refusal depends on the step.
    within.ask(Step::Sender, server.command(MailFrom::new(Some(sender.clone()), Vec::new()))).await?;
    within.ask(Step::Recipient, server.command(Rcpt::new(parcel.to.clone(), Vec::new()))).await?;
    within.ask(Step::Text, server.command(Data)).await?;
    let accepted = Within { patience: patience.acceptance, ..within };
    accepted.ask(Step::Text, server.message(&parcel.message)).await?;
    // The mail is accepted: a slow QUIT must not cause a second send.
    tokio::spawn(async move { server.abort().await });
    Ok(())
}

/// A server, and how long an answer of it is waited for.
#[derive(Clone, Copy)]
struct Within<'a> {
    smtp: &'a Smtp,
    patience: Duration,
}

impl Within<'_> {
    async fn ask<T>(
        self,
        step: Step,
        asked: impl Future<Output = Result<T, SmtpError>>,
    ) -> Result<T, Refused> {
        match tokio::time::timeout(self.patience, asked).await {
            Ok(answer) => answer.map_err(|error| self.meaning(step, &error)),
            Err(_) => Err(Refused::ForNow(format!("{step:?}: no answer within {:?}", self.patience))),
        }
    }

    /// What an error means for the mail. The server's text is left out: it may quote the address.
    fn meaning(self, step: Step, error: &SmtpError) -> Refused {
        let Some(code) = error.status() else {
            let reason = if error.is_response() { "an invalid answer".to_owned() } else { error.to_string() };
            let reason = format!("{step:?}: {reason}");
            if let Some(fix) = fix(error) {
                self.ask_operator(&format!("{reason}: {fix}"));
            }
            return Refused::ForNow(reason);
        };
        let reason = format!("{step:?}: {code}");
        if !error.is_permanent() {
            return Refused::ForNow(reason);
        }
        let text = error.source().map(ToString::to_string).unwrap_or_default();
        let enhanced = text.split_ascii_whitespace().next().unwrap_or_default();
        if matches!(step, Step::Recipient | Step::Text) {
            let reason = format!("{reason} {}", shown(enhanced));
            if NO_SUCH_ADDRESS.contains(&enhanced) {
                return Refused::NoSuchAddress(reason);
            }
            if enhanced.starts_with(MAILBOX) {
                return Refused::ThisMail(reason);
            }
        }
        // A bare 550 may also mean that a relay refuses this server.
        self.ask_operator(&format!("{reason} {}", shown(enhanced)));
        Refused::ForNow(reason)
    }

    fn ask_operator(self, why: &str) {
        let Smtp { host, port, .. } = self.smtp;
        error!(
            "mail cannot be sent until an operator fixes this, it waits: {host}:{port}: {}",
            why.trim_end()
        );
    }
}

/// The RFC 3463 codes of a recipient that can never get mail: no such mailbox, no such system, bad syntax,
/// moved, accepts no mail, disabled.
const NO_SUCH_ADDRESS: [&str; 6] = ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"];

/// RFC 3463: the recipient's mailbox takes no such mail; it is full, say. No operator here can change that.
const MAILBOX: &str = "5.2.";

/// An enhanced code, if it is one: other text of the answer may quote the address.
fn shown(enhanced: &str) -> &str {
    if enhanced.bytes().all(|b| b.is_ascii_digit() || b == b'.') { enhanced } else { "" }
}

/// What an operator can do about an error that no retry mends.
fn fix(error: &SmtpError) -> Option<&'static str> {
    if error.is_client() {
        return Some(
            "the server does not offer what this needs; has it another port, or another way to log in?",
        );
    }
    match tls_error(error)? {
        rustls::Error::InvalidCertificate(Certificate::NotValidForName)
        | rustls::Error::InvalidCertificate(Certificate::NotValidForNameContext { .. }) => {
            Some("the certificate is for another name: give --smtp the name that is in it")
        }
        rustls::Error::InvalidCertificate(Certificate::Expired)
        | rustls::Error::InvalidCertificate(Certificate::ExpiredContext { .. }) => {
            Some("the certificate has expired: renew it, unless this machine's clock is wrong")
        }
        rustls::Error::InvalidCertificate(Certificate::UnknownIssuer) => Some(
            "this machine does not know who issued the certificate: add the issuer to the system's certificates, or \
             to the file that SSL_CERT_FILE names, and start again",
        ),
        rustls::Error::InvalidCertificate(_) => Some("that is for good: have another certificate issued"),
        rustls::Error::InvalidMessage(_) => {
            Some("the server speaks no TLS at this port: give --smtp smtp://, or another port")
        }
        rustls::Error::PeerIncompatible(_) | rustls::Error::AlertReceived(_) => {
            Some("the server refuses TLS 1.2 and 1.3 as they are spoken here: have it support one of them")
        }
        _ => None,
    }
}

/// The error of TLS behind another, if there is one.
fn tls_error(error: &SmtpError) -> Option<&rustls::Error> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(tls) = error.downcast_ref() {
            return Some(tls);
        }
        if let Some(tls) = error.downcast_ref::<io::Error>().and_then(|io| io.get_ref()?.downcast_ref()) {
            return Some(tls);
        }
        source = error.source();
    }
    None
}
