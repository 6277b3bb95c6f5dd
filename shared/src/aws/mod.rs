//! What the services share on AWS: how DynamoDB is spoken to, the topics on SQS, a consumer as a
//! Lambda function, and what a function does at init.

pub mod dynamodb;
pub mod emf;
#[cfg(feature = "aws-http")]
pub mod http;
#[cfg(feature = "in-process-dynamodb")]
pub mod in_process;
pub mod lambda;
#[cfg(feature = "secrets")]
pub mod secret;
pub mod setup;
pub mod sqs;
#[cfg(feature = "in-process-dynamodb")]
pub mod template;
