//! The binary: what it answers before it has reached a stack.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

/// Without the machine's own settings, and with nothing to reach.
fn operator(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_operator"));
    command.args(arguments).env_clear();
    command.envs([
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "no-key"),
        ("AWS_SECRET_ACCESS_KEY", "nothing"),
    ]);
    command.output().unwrap()
}

fn error(output: &Output) -> String {
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!error.contains("panicked"), "{error}");
    error
}

#[test]
fn help_names_every_command_and_what_an_exit_status_means() {
    let output = operator(&["--help"]);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for command in ["topics", "orders", "journey", "audit", "refunds", "dead-letters", "services", "serve"] {
        assert!(help.contains(&format!("\n  {command} ")), "{command}: {help}");
    }
    assert!(help.contains("Exit status: 0 all is well, 1 differences or dead letters, 2 it cannot be told."));
}

#[test]
fn without_a_stack_it_says_which_argument_is_missing() {
    let output = operator(&["audit"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(error(&output).contains("--stack <STACK>"));
}

#[test]
fn where_aws_cannot_be_reached_it_cannot_tell_and_never_says_that_all_is_well() {
    let output = operator(&["--stack", "bookings", "topics"]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), b"".as_slice()));
    let error = error(&output);
    assert!(error.contains("bookings") && !error.contains("nothing"), "{error}");
}
