//! The customer's key to a booking. The gateway and the Email Service derive it from the booking's id; it is
//! in no record, message or log.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use subtle::ConstantTimeEq;

use crate::Invalid;
use crate::ids::OrderId;
use crate::secret::Secret;
use crate::value::string_value;

/// Who has it may see and change one booking: 22 base64url characters. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ManageToken(String);

impl ManageToken {
    /// As it stands in a header or a link.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ManageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ManageToken(…)")
    }
}

/// What the tokens are derived with. It is not the secret that ids are derived with: with one for both, a
/// victim's id sent as an `Idempotency-Key` would yield an id that is nearly the victim's token.
#[derive(Clone, Debug)]
pub struct ManageSecrets {
    /// Of the tokens that are given out.
    pub current: Secret,
    /// Of those given out before the secret was rotated, which still count.
    pub previous: Option<Secret>,
}

impl ManageSecrets {
    /// The token of a booking.
    pub fn token(&self, order: OrderId) -> ManageToken {
        token(&self.current, order)
    }

    /// Whether that is the booking's token. It takes the same time for every wrong one.
    pub fn accept(&self, order: OrderId, presented: &str) -> bool {
        let secrets = [Some(&self.current), self.previous.as_ref()].into_iter().flatten();
        let fits = |secret| token(secret, order).0.as_bytes().ct_eq(presented.as_bytes());
        // Not `any`, which would end at the first.
        secrets.map(fits).fold(false, |accepted, fits| accepted | bool::from(fits))
    }
}

fn token(secret: &Secret, order: OrderId) -> ManageToken {
    let tag = secret.tag(&[b"manage/1\0", order.to_string().as_bytes()]);
    ManageToken(BASE64_URL_SAFE_NO_PAD.encode(tag))
}

/// Where customers find the page: `http://` or `https://`, ends with a `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Takes an absolute URL without a query and a fragment.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let fits = |c: char| c.is_ascii_graphic() && !"?#\\\"<>@".contains(c);
        match rest {
            Some(rest) if !rest.is_empty() && !rest.starts_with('/') && rest.chars().all(fits) => {
                Ok(Self(format!("{}/", text.trim_end_matches('/'))))
            }
            _ => Err(Invalid("must be a URL such as https://tickets.example.com/, without ? and #")),
        }
    }
}

string_value!(PublicUrl);

/// Makes the links in mail.
#[derive(Clone, Debug)]
pub struct ManageLinks {
    /// Where they lead.
    pub url: PublicUrl,
    /// What their tokens are derived with.
    pub secrets: ManageSecrets,
}

impl ManageLinks {
    /// The link to a booking. Its token is in the fragment, which a browser sends to no server.
    pub fn link(&self, order: OrderId) -> String {
        format!("{}#{order}/{}", self.url, self.secrets.token(order).as_str())
    }
}
