//! What the services share on AWS: how DynamoDB is spoken to, the topics on SQS, and a consumer as
//! a Lambda function.

pub mod dynamodb;
#[cfg(feature = "in-process-dynamodb")]
pub mod in_process;
pub mod lambda;
pub mod sqs;
