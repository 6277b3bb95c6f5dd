//! The systems outside this machine, if they are configured: Stripe, a mail server.

use std::sync::Arc;

use billing_service::provider::{ProviderName, Providers};
use email_service::mailer::Mailer;
use messaging::clock::Clock;
use protocol::Invalid;
use rustls::crypto::ring;
use stripe::{ApiUrl, SecretKey, StripeError, StripeProvider};
use thiserror::Error;

use crate::smtp::{Patience, Smtp, SmtpError, SmtpMailer};
use crate::sqlite::ledger::SqliteProvider;
use crate::sqlite::mailbox::Mailbox;

/// Who moves the money, and who delivers mail.
#[derive(Clone, Debug, Default)]
pub struct Integrations {
    /// Who moves the money.
    pub payments: Payments,
    /// The server that delivers mail; without one, mail is kept.
    pub mail: Option<Smtp>,
}

/// Who moves the money.
#[derive(Clone, Debug, Default)]
pub enum Payments {
    /// The simulated provider: no money moves, and this machine keeps the books.
    #[default]
    Simulated,
    /// Stripe.
    Stripe {
        /// The account's key.
        key: SecretKey,
        /// Where Stripe is.
        url: ApiUrl,
    },
}

/// The configuration in the environment is missing or invalid. No message shows its values.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum IntegrationError {
    #[error("--payment-provider stripe needs the environment variable STRIPE_SECRET_KEY: it {0}")]
    StripeKey(Invalid),
    #[error("the environment variable STRIPE_API_URL {0}")]
    StripeUrl(Invalid),
    #[error(transparent)]
    Smtp(#[from] SmtpError),
}

impl Payments {
    /// Stripe, configured by the environment: `STRIPE_SECRET_KEY`, and `STRIPE_API_URL` for tests.
    pub fn stripe(variable: impl Fn(&str) -> Option<String>) -> Result<Self, IntegrationError> {
        let key = variable("STRIPE_SECRET_KEY").unwrap_or_default();
        let key = SecretKey::parse(&key).map_err(IntegrationError::StripeKey)?;
        let url = variable("STRIPE_API_URL").map(|url| ApiUrl::parse(&url)).transpose();
        let url = url.map_err(IntegrationError::StripeUrl)?.unwrap_or_default();
        Ok(Self::Stripe { key, url })
    }

    /// The payment providers: the chosen one for new payments, and always the simulated one, which finishes the
    /// payments that were opened with it. Returns the simulated one too if it is the chosen one: an operator can
    /// then break it and read its ledger.
    pub(crate) fn providers(
        &self,
        simulated: Arc<SqliteProvider>,
        clock: &Arc<dyn Clock>,
    ) -> Result<(Providers, Option<Arc<SqliteProvider>>), StripeError> {
        match self {
            Self::Simulated => {
                Ok((Providers::only(ProviderName::SIMULATED, simulated.clone()), Some(simulated)))
            }
            Self::Stripe { key, url } => {
                let (url, clock) = (url.clone(), clock.clone());
                let options = stripe::Options { url, clock, ..stripe::Options::default() };
                let stripe = StripeProvider::new(key, ring::default_provider(), options)?;
                let providers = Providers::only(ProviderName::STRIPE, Arc::new(stripe));
                Ok((providers.beside(ProviderName::SIMULATED, simulated), None))
            }
        }
    }
}

/// A mail server, with its login from the environment: `SMTP_USERNAME` and `SMTP_PASSWORD`.
pub fn smtp(
    url: &str,
    from: &str,
    mails_per_hour: u32,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Smtp, IntegrationError> {
    let smtp = Smtp::parse(url, from, variable("SMTP_USERNAME"), variable("SMTP_PASSWORD"))?;
    Ok(smtp.with_mails_per_hour(mails_per_hour))
}

/// The mailer: SMTP, which keeps a copy of each mail in the mailbox, or the mailbox alone.
pub(crate) fn mailer(smtp: Option<Smtp>, mailbox: &Arc<Mailbox>, clock: &Arc<dyn Clock>) -> Arc<dyn Mailer> {
    match smtp {
        Some(smtp) => Arc::new(SmtpMailer::new(smtp, mailbox.clone(), clock.clone(), Patience::default())),
        None => mailbox.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_invalid_key_is_named_and_not_shown() {
        for key in [None, Some("pk_live_public"), Some("whsec_verySecret")] {
            let error =
                Payments::stripe(|name| key.filter(|_| name == "STRIPE_SECRET_KEY").map(str::to_owned));
            let message = error.map_or_else(|error| error.to_string(), |taken| format!("{taken:?}"));
            assert_eq!(
                message,
                "--payment-provider stripe needs the environment variable STRIPE_SECRET_KEY: it must be a \
                 secret key of Stripe: sk_ or rk_, then letters, digits or '_'"
            );
        }
        let plain = |name: &str| match name {
            "STRIPE_SECRET_KEY" => Some("sk_test_verySecret".to_owned()),
            _ => Some("http://api.stripe.com".to_owned()),
        };
        let message =
            Payments::stripe(plain).map_or_else(|error| error.to_string(), |taken| format!("{taken:?}"));
        assert_eq!(
            message,
            "the environment variable STRIPE_API_URL must be https://HOST, or http:// and a loopback address"
        );
    }
}
