//! Lambda ends a chain of invocations after 16, unless the function allows it. A delayed copy is such a chain.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use localstack::document::{document, of_type};
use localstack::stack::consumer_name;
use protocol::topic::Topic;
use serde_norway::Value;
use testkit::template::{Function, Template};

/// The functions that each function can invoke: those whose queue it may send to, by its role.
fn invokes(functions: &[Function]) -> BTreeMap<&str, BTreeSet<&str>> {
    let consumers = |queue: &str| {
        let of = functions.iter().filter(move |function| function.consumes.as_deref() == Some(queue));
        of.map(|function| function.name.as_str()).collect::<Vec<_>>()
    };
    let sends = |function: &Function| {
        let sends = function.allowed.iter().filter(|(action, _)| action == "sqs:SendMessage");
        sends.flat_map(|(_, queue)| consumers(queue)).collect()
    };
    // A variable that names a queue says as much as the role.
    for function in functions {
        let urls = function.environment.values().filter_map(|value| value.strip_prefix("https://sqs/"));
        for queue in urls {
            let sent = ("sqs:SendMessage".to_owned(), queue.to_owned());
            assert!(function.allowed.contains(&sent), "{} may not send to {queue}", function.name);
        }
    }
    functions.iter().map(|function| (function.name.as_str(), sends(function))).collect()
}

/// The functions whose messages can come back to them, directly or through others.
fn loops() -> BTreeSet<String> {
    let functions = Template::load().functions();
    let invokes = invokes(&functions);
    let comes_back = |start: &str| {
        let mut seen = BTreeSet::new();
        let mut next: Vec<_> = invokes[start].iter().copied().collect();
        while let Some(function) = next.pop() {
            if seen.insert(function) {
                next.extend(&invokes[function]);
            }
        }
        seen.contains(start)
    };
    invokes.keys().filter(|function| comes_back(function)).map(|name| (*name).to_owned()).collect()
}

/// What is wrong in a template for these functions.
fn complaints(document: &Value, loops: &BTreeSet<String>) -> Vec<String> {
    let functions = of_type(document, "AWS::Serverless::Function").into_iter();
    let wrong = functions.filter_map(|(id, function)| {
        let name = id.strip_suffix("Function")?;
        let allows = function["RecursiveLoop"].as_str() == Some("Allow");
        let is_loop = loops.contains(name);
        (allows != is_loop).then(|| {
            format!(
                "{name} {} RecursiveLoop: Allow",
                if is_loop { "needs" } else { "is no loop, and needs no" }
            )
        })
    });
    wrong.collect()
}

#[test]
fn exactly_the_functions_whose_messages_come_back_allow_it() {
    let loops = loops();
    assert_eq!(loops, Topic::ALL.map(consumer_name).into(), "as seen in this system");
    assert_eq!(complaints(&document(), &loops), [] as [String; 0]);
}

#[test]
fn a_function_that_forgets_it_is_named() {
    let loops = loops();
    for function in &loops {
        let mut document = document();
        let properties = &mut document["Resources"][format!("{function}Function")]["Properties"];
        properties.as_mapping_mut().unwrap().remove("RecursiveLoop").unwrap();
        assert_eq!(complaints(&document, &loops), [format!("{function} needs RecursiveLoop: Allow")]);
    }
}
