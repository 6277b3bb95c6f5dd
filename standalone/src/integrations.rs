//! What the platform reaches beyond its own machine, if it is told to: Stripe, a mail server.

use std::sync::Arc;

use billing_service::provider::{ProviderName, Providers};
use email_service::mailer::Mailer;
use messaging::clock::Clock;
use protocol::Invalid;
use rustls::crypto::ring;
use stripe::{ApiUrl, SecretKey, StripeError, StripeProvider};
use thiserror::Error;

use crate::smtp::{Smtp, SmtpError, SmtpMailer};
use crate::sqlite::ledger::SqliteProvider;
use crate::sqlite::mailbox::Mailbox;

/// Who moves the money, and who delivers mail.
#[derive(Clone, Debug, Default)]
pub struct Integrations {
    /// Who moves the money.
    pub payments: Payments,
    /// Who delivers mail; if nobody, it is kept.
    pub mail: Option<Smtp>,
}

/// Who moves the money.
#[derive(Clone, Debug, Default)]
pub enum Payments {
    /// Nobody: it is pretended, and this machine keeps the books.
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

/// The environment does not say what is needed. No message shows what it says.
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
    /// Stripe, as the environment has it: `STRIPE_SECRET_KEY`, and `STRIPE_API_URL` for tests.
    pub fn stripe(variable: impl Fn(&str) -> Option<String>) -> Result<Self, IntegrationError> {
        let key = variable("STRIPE_SECRET_KEY").unwrap_or_default();
        let key = SecretKey::parse(&key).map_err(IntegrationError::StripeKey)?;
        let url = variable("STRIPE_API_URL").map(|url| ApiUrl::parse(&url)).transpose();
        let url = url.map_err(IntegrationError::StripeUrl)?.unwrap_or_default();
        Ok(Self::Stripe { key, url })
    }

    /// The providers: the chosen one for new payments. The simulated one is always among them, so that
    /// what was opened with it is finished; it is answered as well if it is the chosen one, since then
    /// it can be broken and looked into.
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

/// A mail server, with the login that the environment has: `SMTP_USERNAME` and `SMTP_PASSWORD`.
pub fn smtp(
    url: &str,
    from: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Smtp, IntegrationError> {
    Ok(Smtp::parse(url, from, variable("SMTP_USERNAME"), variable("SMTP_PASSWORD"))?)
}

/// Who delivers mail; a copy of each is in the mailbox then.
pub(crate) fn mailer(smtp: Option<Smtp>, mailbox: &Arc<Mailbox>, clock: &Arc<dyn Clock>) -> Arc<dyn Mailer> {
    match smtp {
        Some(smtp) => Arc::new(SmtpMailer::new(smtp, mailbox.clone(), clock.clone())),
        None => mailbox.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_missing_or_no_secret_key_is_named_and_not_shown() {
        for key in [None, Some("pk_live_public"), Some("whsec_verySecret")] {
            let error =
                Payments::stripe(|name| key.filter(|_| name == "STRIPE_SECRET_KEY").map(str::to_owned));
            let said = error.map_or_else(|error| error.to_string(), |taken| format!("{taken:?}"));
            assert_eq!(
                said,
                "--payment-provider stripe needs the environment variable STRIPE_SECRET_KEY: it must be a \
                 secret key of Stripe: sk_ or rk_, then letters, digits or '_'"
            );
        }
        let plain = |name: &str| match name {
            "STRIPE_SECRET_KEY" => Some("sk_test_verySecret".to_owned()),
            _ => Some("http://api.stripe.com".to_owned()),
        };
        let said =
            Payments::stripe(plain).map_or_else(|error| error.to_string(), |taken| format!("{taken:?}"));
        assert_eq!(
            said,
            "the environment variable STRIPE_API_URL must be https://HOST, or http:// and a loopback address"
        );
    }
}
