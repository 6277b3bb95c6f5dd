//! Secrets, from Secrets Manager.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use messaging::error_chain::error_chain;
use protocol::manage::ManageSecrets;
use protocol::secret::Secret;

use crate::setup::{Setup, SetupError};

/// What Secrets Manager calls the version in use, and the one before it was rotated.
const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// The variable that names the secret of the customers' keys to their bookings.
const MANAGE: &str = "MANAGE_SECRET_ARN";

impl Setup {
    /// The text of the secret whose ARN is in the variable `name`. Never logged.
    ///
    /// # Errors
    /// Names the variable, if it is missing or not an ARN, or if its secret cannot be read.
    pub async fn secret_text(&self, name: &'static str) -> Result<String, SetupError> {
        let missing = || SetupError::Secret { name, reason: format!("has no version {CURRENT}") };
        self.version(name, CURRENT).await?.ok_or_else(missing)
    }

    /// A secret of the deployment: 32 bytes or more.
    ///
    /// # Errors
    /// As [`Setup::secret_text`], or the secret is too short.
    pub async fn secret(&self, name: &'static str) -> Result<Secret, SetupError> {
        secret(name, &self.secret_text(name).await?)
    }

    /// What the customers' keys to their bookings are derived with.
    ///
    /// # Errors
    /// As [`Setup::secret`].
    pub async fn manage_secrets(&self) -> Result<ManageSecrets, SetupError> {
        let (current, previous) = tokio::join!(self.secret(MANAGE), self.version(MANAGE, PREVIOUS));
        let previous = previous?.map(|previous| secret(MANAGE, &previous)).transpose()?;
        Ok(ManageSecrets { current: current?, previous })
    }

    /// The text of one version of a secret, if it has that version.
    async fn version(&self, name: &'static str, stage: &str) -> Result<Option<String>, SetupError> {
        let arn = self.required(name)?;
        if !arn.starts_with("arn:") {
            return Err(self.malformed(name, "must be the ARN of a secret"));
        }
        let unusable = |reason: String| SetupError::Secret { name, reason };
        let secret = Client::new(&self.config).get_secret_value().secret_id(arn).version_stage(stage);
        match secret.send().await {
            Ok(secret) => secret.secret_string.map(Some).ok_or_else(|| unusable("must be text".to_owned())),
            // It was never rotated. A secret that does not exist has no current version either, which is said.
            Err(error)
                if stage == PREVIOUS
                    && error
                        .as_service_error()
                        .is_some_and(GetSecretValueError::is_resource_not_found_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(unusable(format!("cannot be read: {}", error_chain(&error)))),
        }
    }
}

fn secret(name: &'static str, text: &str) -> Result<Secret, SetupError> {
    let reason = || SetupError::Secret { name, reason: "must have 32 bytes or more".to_owned() };
    Secret::new(text.as_bytes()).ok_or_else(reason)
}
