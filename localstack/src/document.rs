//! template.yaml as it is written, for tests that look into it.

use std::collections::BTreeMap;

use serde_norway::Value;
use testkit::template::TEMPLATE;

/// The template.
pub fn document() -> Value {
    serde_norway::from_str(TEMPLATE).expect("a template")
}

/// A text, or what a `!Ref`, `!GetAtt` or `!Sub` names; empty where there is nothing.
pub fn named(value: &Value) -> &str {
    match value {
        Value::Tagged(tagged) => tagged.value.as_str(),
        value => value.as_str(),
    }
    .unwrap_or_default()
}

/// The resources of that type: their logical ids and properties.
pub fn of_type<'a>(document: &'a Value, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let resources = document["Resources"].as_mapping().expect("a template").iter();
    let wanted = resources.filter(|(_, resource)| resource["Type"].as_str() == Some(kind));
    wanted.map(|(id, resource)| (named(id), &resource["Properties"])).collect()
}
