//! What the services share on AWS.
//!
//! | noun | module |
//! |---|---|
//! | what a function does at init: its configuration, its clients, its logs | [`setup`], [`secret`] |
//! | the topics on SQS | [`sqs`] |
//! | a consumer as a Lambda function | [`lambda`] |
//! | a router behind a REST API | [`http`] |
//! | helpers for DynamoDB | [`dynamodb`] |
//! | metrics in CloudWatch's embedded format | [`emf`] |

pub mod dynamodb;
pub mod emf;
pub mod http;
pub mod lambda;
pub mod letters;
pub mod secret;
pub mod setup;
pub mod sqs;
