//! The API has one stage, and limits for all of it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use localstack::document::{document, named, of_type};
use serde_norway::Value;

/// The stages of an API: the one that it names, and the one called `Stage` that SAM adds unless the API has an
/// OpenAPI version. `localstack/transform.py` holds this to SAM itself.
fn stages(document: &Value) -> Vec<String> {
    let versioned = |of: &Value| of["OpenApiVersion"].is_string();
    let globally = versioned(&document["Globals"]["Api"]);
    let apis = of_type(document, "AWS::Serverless::Api").into_values();
    let of_api = |api: &Value| {
        let added = (!globally && !versioned(api)).then(|| "Stage".to_owned());
        added.into_iter().chain([named(&api["StageName"]).to_owned()]).collect::<Vec<_>>()
    };
    apis.flat_map(of_api).collect()
}

#[test]
fn the_api_has_one_stage_and_all_of_it_is_throttled_and_new_bookings_apart() {
    let mut document = document();
    assert_eq!(stages(&document), ["Stage"], "the parameter of that name");
    let api = of_type(&document, "AWS::Serverless::Api")["Api"];
    let limits = api["MethodSettings"].as_sequence().unwrap().iter().map(|setting| {
        ["HttpMethod", "ResourcePath", "ThrottlingRateLimit", "ThrottlingBurstLimit"]
            .map(|property| named(&setting[property]))
    });
    let limits: Vec<_> = limits.collect();
    assert_eq!(
        limits,
        [
            ["*", "/*", "RequestsPerSecond", "RequestsBurst"],
            ["POST", "/~1bookings", "BookingsPerSecond", "BookingsBurst"],
        ]
    );

    // A limit of its own needs a route of its own, and a route hides others of the same path.
    let functions = of_type(&document, "AWS::Serverless::Function");
    let events = functions.iter().flat_map(|(id, function)| {
        let events = function["Events"].as_mapping().unwrap().values();
        let api = events.filter(|event| event["Type"].as_str() == Some("Api"));
        api.map(|event| (named(&event["Properties"]["Path"]), named(&event["Properties"]["Method"]), *id))
    });
    let routes: BTreeSet<_> = events.collect();
    let to_bookings = ["/", "/bookings", "/bookings/{proxy+}", "/{proxy+}"];
    let mut expected: BTreeSet<_> = to_bookings.map(|path| (path, "ANY", "BookingsApiFunction")).into();
    expected.insert(("/bookings", "POST", "BookingsApiFunction"));
    expected.insert(("/flights", "ANY", "FlightsApiFunction"));
    assert_eq!(routes, expected);

    let api = &mut document["Resources"]["Api"]["Properties"];
    api.as_mapping_mut().unwrap().remove("OpenApiVersion").unwrap();
    assert_eq!(stages(&document), ["Stage", "Stage"], "a second one, which nothing throttles");
}
