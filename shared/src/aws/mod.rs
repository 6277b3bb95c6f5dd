//! What the services share on AWS: how DynamoDB's answers are read.

pub mod dynamodb;
#[cfg(feature = "in-process-dynamodb")]
pub mod in_process;
