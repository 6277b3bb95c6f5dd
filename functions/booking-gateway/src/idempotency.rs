//! The customer's own name for one `POST`, and what tells a repeated one from another.

use protocol::Invalid;
use protocol::ids::OrderId;
use protocol::secret::Secret;
use protocol::time::Timestamp;

use crate::order::Request;

/// An `Idempotency-Key`: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Takes the header's value.
    pub fn parse(value: &[u8]) -> Result<Self, Invalid> {
        match std::str::from_utf8(value) {
            Ok(text) if (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(Invalid("must be 1 to 255 visible ASCII characters")),
        }
    }

    /// When the key was made, if it is a UUIDv7.
    pub fn time(&self) -> Option<Timestamp> {
        let bytes = *self.0.parse::<OrderId>().ok()?.as_bytes();
        let [a, b, c, d, e, f, version, ..] = bytes;
        let millis = i64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        (version >> 4 == 7).then(|| Timestamp::from_millis(millis))
    }

    /// The key as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A keyed digest of the request that an order was accepted for: says whether another is the same, after
/// parts of the order were dropped or erased, and tells its reader nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestDigest([u8; 16]);

impl RequestDigest {
    /// The digest of that order's request. No key is like what it is made of, since a key has no NUL.
    pub fn of(id: OrderId, request: &Request, id_secret: &Secret) -> Self {
        #[expect(clippy::expect_used, reason = "a request has text keys and finite numbers only")]
        let request = serde_json::to_vec(request).expect("a request is JSON");
        Self(id_secret.tag(&[b"request/1\0", id.as_bytes(), &request]))
    }

    /// As it was stored.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}
