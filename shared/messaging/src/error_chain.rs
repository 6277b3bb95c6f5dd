//! An error and its causes, in one line.

use std::error::Error;

/// The texts of the error and its causes. A cause that only repeats is left out. The SDK's own text
/// would show the answer's bytes as well.
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use thiserror::Error;

    use super::*;

    #[derive(Debug, Error)]
    #[error("{said}")]
    struct Outer {
        said: &'static str,
        source: io::Error,
    }

    #[test]
    fn every_cause_is_said_once() {
        let outer = |said| Outer { said, source: io::Error::other("connection refused") };
        assert_eq!(error_chain(&outer("no answer")), "no answer: connection refused");
        assert_eq!(error_chain(&outer("connection refused, it said")), "connection refused, it said");
    }
}
