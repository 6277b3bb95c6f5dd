//! A template with its parameters: what CloudFormation makes of it, as far as the tests ask.
//!
//! Conditions are decided, and the functions `!Ref`, `!GetAtt`, `!Sub` and `!If` carried out. Resources go by
//! their logical ids, for every attribute.

use std::collections::BTreeMap;

use serde_norway::{Mapping, Value};

/// A template and the values of its parameters.
pub struct Deployment<'a> {
    document: &'a Value,
    parameters: BTreeMap<&'a str, &'a str>,
}

impl<'a> Deployment<'a> {
    /// A deployment with these parameters, pseudo parameters such as `AWS::StackName` among them. Others have
    /// their defaults.
    pub fn new(document: &'a Value, parameters: &[(&'a str, &'a str)]) -> Self {
        Self { document, parameters: parameters.iter().copied().collect() }
    }

    /// The template as it is deployed: without the resources whose condition does not hold.
    pub fn resolve(&self) -> Value {
        let mut document = self.document.clone();
        if let Some(resources) = document["Resources"].as_mapping_mut() {
            resources
                .retain(|_, resource| resource["Condition"].as_str().is_none_or(|name| self.holds(name)));
        }
        document.as_mapping_mut().expect("a template").remove("Conditions");
        document.as_mapping_mut().expect("a template").remove("Rules");
        self.value(&document).expect("a template")
    }

    /// A value with its functions carried out; none where the deployment leaves it out.
    fn value(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Mapping(fields) => {
                let fields = fields.iter().filter_map(|(key, value)| Some((key.clone(), self.value(value)?)));
                Some(Value::Mapping(fields.collect::<Mapping>()))
            }
            Value::Sequence(values) => Some(values.iter().filter_map(|value| self.value(value)).collect()),
            Value::Tagged(tagged) => self.call(&tagged.tag.to_string(), &tagged.value),
            other => Some(other.clone()),
        }
    }

    fn call(&self, function: &str, of: &Value) -> Option<Value> {
        let text = of.as_str().unwrap_or_default();
        match function {
            "!Ref" if text == "AWS::NoValue" => None,
            "!Ref" => Some(self.reference(text).into()),
            "!GetAtt" => Some(logical_id(text).into()),
            "!Sub" => Some(self.substitute(text).into()),
            "!If" => {
                let name = of[0].as_str().expect("a condition's name");
                self.value(if self.holds(name) { &of[1] } else { &of[2] })
            }
            other => panic!("{other} is not expected here"),
        }
    }

    /// Whether a condition holds.
    pub fn holds(&self, condition: &str) -> bool {
        let definition = &self.document["Conditions"][condition];
        assert!(!definition.is_null(), "the template has no condition {condition}");
        self.is_true(definition)
    }

    /// The assertions of the rules that this deployment breaks: why CloudFormation refuses it.
    pub fn broken_rules(&self) -> Vec<&'a str> {
        let rules = self.document["Rules"].as_mapping().into_iter().flatten().map(|(_, rule)| rule);
        let applying =
            rules.filter(|rule| rule.get("RuleCondition").is_none_or(|condition| self.is_true(condition)));
        let assertions = applying.flat_map(|rule| rule["Assertions"].as_sequence().into_iter().flatten());
        let broken = assertions.filter(|assertion| !self.is_true(&assertion["Assert"]));
        broken.map(|assertion| assertion["AssertDescription"].as_str().expect("a description")).collect()
    }

    fn is_true(&self, condition: &Value) -> bool {
        let Value::Tagged(tagged) = condition else { panic!("{condition:?} is no condition") };
        let of = &tagged.value;
        let mut parts = of.as_sequence().into_iter().flatten();
        match tagged.tag.to_string().as_str() {
            "!Equals" => {
                text(&self.value(&of[0]).expect("a value")) == text(&self.value(&of[1]).expect("a value"))
            }
            "!Not" => !self.is_true(&of[0]),
            "!And" => parts.all(|part| self.is_true(part)),
            "!Or" => parts.any(|part| self.is_true(part)),
            "!Condition" => self.holds(of.as_str().expect("a condition's name")),
            other => panic!("{other} is not expected here"),
        }
    }

    fn reference(&self, name: &str) -> String {
        if let Some(value) = self.parameters.get(name) {
            return (*value).to_owned();
        }
        if let Some(parameter) = self.document["Parameters"].get(name) {
            let default = parameter.get("Default");
            return text(default.unwrap_or_else(|| panic!("the parameter {name} must be given")));
        }
        match self.document["Resources"][name]["Type"].as_str() {
            Some("AWS::SQS::Queue") => format!("https://sqs/{name}"),
            Some("AWS::SecretsManager::Secret") => format!("arn:secret:{name}"),
            Some(_) => name.to_owned(),
            None if name.starts_with("AWS::") => String::new(),
            None => panic!("the template has no {name}"),
        }
    }

    fn substitute(&self, pattern: &str) -> String {
        let mut parts = pattern.split("${");
        let mut resolved = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').expect("a closed ${…}");
            let resource = logical_id(name);
            resolved += &if resource == name { self.reference(name) } else { resource.to_owned() };
            resolved += rest;
        }
        resolved
    }
}

/// The resource whose attribute is asked for.
fn logical_id(attribute: &str) -> &str {
    attribute.split_once('.').map_or(attribute, |(resource, _)| resource)
}

/// A scalar as text.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        other => panic!("{other:?} is not text"),
    }
}
