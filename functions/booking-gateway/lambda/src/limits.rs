//! The orders of each client, counted in items of the orders' table: one a client and minute.
//!
//! | attribute | |
//! |---|---|
//! | `id` | `limits/<keyed digest of the client>/<minute>` |
//! | `orders` | how many it has placed in that minute |
//! | `e…` | how many of them for the e-mail address of that keyed digest |
//! | `expires` | when DynamoDB may delete the item |

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws::dynamodb::{hex, number, store_error, string};
use aws_sdk_dynamodb::Client as DynamoDb;
use booking_gateway::limits::{Admission, Client, Limiter, Limits};
use messaging::clock::Clock;
use messaging::store::StoreError;
use protocol::passenger::EmailAddress;
use protocol::secret::Secret;

/// In seconds.
const MINUTE: u64 = 60;

/// One conditional write an order. It holds no address: a digest under the deployment's id secret stands for each.
pub struct DynamoLimiter {
    /// The client.
    pub client: DynamoDb,
    /// The table's name.
    pub table: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What clients and addresses are digested with.
    pub secret: Secret,
    /// The limits.
    pub limits: Limits,
}

impl DynamoLimiter {
    /// The first bytes of a keyed digest, in hexadecimal.
    fn digest(&self, what: &[u8], of: &str, bytes: usize) -> String {
        hex(&self.secret.tag(&[what, of.as_bytes()])[..bytes])
    }
}

/// A limit of 0 is none.
fn most(limit: u32) -> u32 {
    if limit == 0 { u32::MAX } else { limit }
}

#[async_trait]
impl Limiter for DynamoLimiter {
    async fn admit(&self, client: Client, email: &EmailAddress) -> Result<Admission, StoreError> {
        let now = self.clock.now();
        let millis = u64::try_from(now.as_millis()).unwrap_or_default();
        let minute = millis / 1000 / MINUTE;
        let client = self.digest(b"client/1\0", &client.address().to_string(), 16);
        let email = self.digest(b"email/1\0", &email.as_str().to_lowercase(), 6);
        let count = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", string(format!("limits/{client}/{minute}")))
            .update_expression("SET #expires = :expires ADD #orders :one, #email :one")
            .condition_expression(
                "(attribute_not_exists(#orders) OR #orders < :most) AND (attribute_not_exists(#email) OR #email < :most_email)",
            )
            .expression_attribute_names("#orders", "orders")
            .expression_attribute_names("#email", format!("e{email}"))
            .expression_attribute_names("#expires", "expires")
            .expression_attribute_values(":one", number(1_u32))
            .expression_attribute_values(":most", number(most(self.limits.client)))
            .expression_attribute_values(":most_email", number(most(self.limits.client_and_email)))
            .expression_attribute_values(":expires", number((minute + 2) * MINUTE));
        match count.send().await {
            Ok(_) => Ok(Admission::Admitted),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                let end = (minute + 1) * MINUTE * 1000;
                Ok(Admission::Limited(Duration::from_millis(end - millis)))
            }
            Err(error) => Err(store_error(error)),
        }
    }
}
