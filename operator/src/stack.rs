//! A stack's outputs: where its queues and tables are.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::Client;
use messaging::error_chain::error_chain;
use protocol::topic::Topic;
use thiserror::Error;

/// The stack cannot be used.
#[derive(Debug, Error)]
pub enum StackError {
    /// CloudFormation does not show it.
    #[error("the stack {name} cannot be read: {reason}")]
    Unreadable {
        /// Its name.
        name: String,
        /// What CloudFormation says.
        reason: String,
    },
    /// It lacks an output that this version needs.
    #[error("the stack {name} has no output {output}: is it this system's, and not older than this program?")]
    Lacks {
        /// Its name.
        name: String,
        /// The output.
        output: String,
    },
}

/// The template's parameter that names the payment provider's key.
const PROVIDER_SECRET: &str = "PaymentProviderSecretArn";

/// Where the parts of a stack are.
#[derive(Clone, Debug)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// The table of orders.
    pub orders: String,
    /// The table of flights and reservations.
    pub tickets: String,
    /// The table of payments, and of the simulated provider's books.
    pub payments: String,
    /// The table of what was mailed.
    pub emails: String,
    /// The URLs of each topic's queue and dead-letter queue.
    pub queues: BTreeMap<Topic, Queues>,
    /// Whether payments are simulated.
    pub simulates_payments: bool,
    /// The ARN of the secret with the payment provider's key, if the stack was given one.
    pub provider_secret: Option<String>,
}

/// The URLs of a topic's queues.
#[derive(Clone, Debug)]
pub struct Queues {
    /// Where its consumer receives.
    pub topic: String,
    /// Its dead-letter queue.
    pub dead_letters: String,
}

impl Stack {
    /// The stack of that name.
    ///
    /// # Errors
    /// It cannot be read, or lacks an output.
    pub async fn find(client: &Client, name: &str) -> Result<Self, StackError> {
        let unreadable = |reason| StackError::Unreadable { name: name.to_owned(), reason };
        let described = client.describe_stacks().stack_name(name).send().await;
        let described = described.map_err(|error| unreadable(error_chain(&error)))?;
        let stack = described.stacks().first().ok_or_else(|| unreadable("there is none".to_owned()))?;
        let outputs = stack.outputs().iter();
        let outputs = outputs
            .filter_map(|output| Some((output.output_key()?.to_owned(), output.output_value()?.to_owned())));
        let secret = stack.parameters().iter().find(|one| one.parameter_key() == Some(PROVIDER_SECRET));
        let secret = secret.and_then(|secret| secret.parameter_value()).filter(|arn| !arn.is_empty());
        Ok(Self { provider_secret: secret.map(str::to_owned), ..Self::of(name, &outputs.collect())? })
    }

    /// The stack with these outputs.
    ///
    /// # Errors
    /// It lacks an output.
    pub fn of(name: &str, outputs: &BTreeMap<String, String>) -> Result<Self, StackError> {
        let output = |output: &str| {
            let lacks = || StackError::Lacks { name: name.to_owned(), output: output.to_owned() };
            outputs.get(output).cloned().ok_or_else(lacks)
        };
        let queues = Topic::ALL.into_iter().map(|topic| {
            let url = |queue: String| output(&format!("{queue}Url"));
            let queues = Queues { topic: url(topic.queue())?, dead_letters: url(topic.dead_letter_queue())? };
            Ok((topic, queues))
        });
        Ok(Self {
            name: name.to_owned(),
            orders: output("OrdersTable")?,
            tickets: output("TicketsTable")?,
            payments: output("PaymentsTable")?,
            emails: output("EmailsTable")?,
            queues: queues.collect::<Result<_, _>>()?,
            simulates_payments: output("PaymentProvider")? == "simulated",
            provider_secret: None,
        })
    }
}
