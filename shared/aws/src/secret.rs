//! Secrets, from Secrets Manager.

use messaging::error_chain::error_chain;

use crate::setup::{Setup, SetupError};

impl Setup {
    /// The text of the secret whose ARN is in the variable `name`. Never logged.
    ///
    /// # Errors
    /// Names the variable, if it is missing or not an ARN, or if its secret cannot be read.
    pub async fn secret(&self, name: &'static str) -> Result<String, SetupError> {
        let arn = self.required(name)?;
        if !arn.starts_with("arn:") {
            return Err(self.malformed(name, "must be the ARN of a secret"));
        }
        let unusable = |reason: String| SetupError::Secret { name, reason };
        let client = aws_sdk_secretsmanager::Client::new(&self.config);
        let secret = client.get_secret_value().secret_id(arn).send().await;
        let secret = secret.map_err(|error| unusable(format!("cannot be read: {}", error_chain(&error))))?;
        secret.secret_string.ok_or_else(|| unusable("must be text".to_owned()))
    }
}
