//! Why a call of an SDK failed, in one line.

use std::error::Error;

/// What the error and its causes say. A cause that only repeats is left out, and so are the
/// answer's bytes, which the SDK's own line would show.
pub fn why(error: &(dyn Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !said.contains(&more) {
            said = format!("{said}: {more}");
        }
        cause = error.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::error::{ErrorMetadata, SdkError};
    use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchError;

    use super::*;

    #[test]
    fn every_cause_is_said_once() {
        let answer = ErrorMetadata::builder().code("AccessDenied").message("not allowed to send").build();
        let error = SdkError::service_error(SendMessageBatchError::generic(answer), ());
        assert_eq!(
            why(&error),
            "service error: unhandled error (AccessDenied): \
             Error { code: \"AccessDenied\", message: \"not allowed to send\" }"
        );

        let slow = SdkError::<SendMessageBatchError>::timeout_error("no answer within 3 s");
        assert_eq!(why(&slow), "request has timed out: no answer within 3 s");
    }
}
