//! What template.yaml says of each function: its environment, and what its role allows.
//!
//! Resources go by their logical ids here: `OrdersTable`, `TicketsQueue`,
//! `OrdersTable/index/unsettled`.

use std::collections::{BTreeMap, BTreeSet};

use serde_norway::Value;

/// The template of the stack.
pub const TEMPLATE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml"));

/// An action on a resource, as a policy has it: `sqs:SendMessage` on `TicketsQueue`.
pub type Permission = (String, String);

/// The parameters, where they are not the defaults.
const PARAMETERS: [(&str, &str); 2] =
    [("EmailSender", "tickets@example.com"), ("AWS::StackName", "bookings")];

/// The template.
pub struct Template(Value);

/// One function.
pub struct Function {
    /// `TicketsConsumer`
    pub name: String,
    /// The binary it runs.
    pub binary: String,
    /// Its variables, resolved.
    pub environment: BTreeMap<String, String>,
    /// What its role allows, with the simulated provider.
    pub allowed: BTreeSet<Permission>,
    /// The queue whose messages trigger it.
    pub consumes: Option<String>,
}

impl Template {
    /// The template at the root of the repository.
    pub fn load() -> Self {
        Self(serde_norway::from_str(TEMPLATE).expect("template.yaml is YAML"))
    }

    /// All functions.
    pub fn functions(&self) -> Vec<Function> {
        let functions = self.of_type("AWS::Serverless::Function").into_iter();
        functions.map(|(id, resource)| self.function(&id, &resource["Properties"], resource)).collect()
    }

    /// The logical ids of all tables.
    pub fn tables(&self) -> Vec<String> {
        self.of_type("AWS::DynamoDB::Table").into_iter().map(|(id, _)| id).collect()
    }

    /// The resources of that type, with their logical ids.
    pub fn of_type(&self, kind: &str) -> Vec<(String, &Value)> {
        let resources = self.0["Resources"].as_mapping().expect("Resources");
        let wanted = resources.iter().filter(|(_, resource)| resource["Type"].as_str() == Some(kind));
        wanted.map(|(id, resource)| (id.as_str().expect("a logical id").to_owned(), resource)).collect()
    }

    fn function(&self, id: &str, properties: &Value, resource: &Value) -> Function {
        let name = id.strip_suffix("Function").expect("a function's logical id ends so").to_owned();
        let mut environment = BTreeMap::new();
        for of in [&self.0["Globals"]["Function"], properties] {
            let variables = of["Environment"]["Variables"].as_mapping().into_iter().flatten();
            let present = variables.filter(|(_, value)| !is_absent(value));
            environment.extend(present.map(|(name, value)| (text(name), self.resolve(value))));
        }
        let role = &self.0["Resources"][format!("{name}Role")]["Properties"];
        let policies = role["Policies"].as_sequence().expect("its role's policies");
        let allowed = policies.iter().flat_map(|policy| {
            let statements = policy["PolicyDocument"]["Statement"].as_sequence().expect("statements");
            statements.iter().flat_map(|statement| self.permissions(statement))
        });
        let events = properties["Events"].as_mapping().into_iter().flatten();
        let consumes = events
            .filter(|(_, event)| event["Type"].as_str() == Some("SQS"))
            .map(|(_, event)| short(&self.resolve(&event["Properties"]["Queue"])))
            .next();
        let binary = text(&resource["Metadata"]["BuildProperties"]["Binary"]);
        Function { name, binary, environment, allowed: allowed.collect(), consumes }
    }

    fn permissions(&self, statement: &Value) -> Vec<Permission> {
        // The one conditional statement is Stripe's; these tests use the simulated provider.
        if is_conditional(statement) {
            return Vec::new();
        }
        assert_eq!(statement["Effect"].as_str(), Some("Allow"));
        let list = |key: &str| statement[key].as_sequence().expect("a list").clone();
        let resources: Vec<_> =
            list("Resource").iter().map(|resource| short(&self.resolve(resource))).collect();
        let actions: Vec<_> = list("Action").iter().map(text).collect();
        let pairs = |action: String| resources.iter().map(move |on| (action.clone(), on.clone()));
        actions.into_iter().flat_map(pairs).collect()
    }

    /// The text of a value, with the functions that the template uses carried out.
    fn resolve(&self, value: &Value) -> String {
        let Value::Tagged(tagged) = value else { return text(value) };
        let of = text(&tagged.value);
        match tagged.tag.to_string().as_str() {
            "!Ref" => self.reference(&of),
            "!GetAtt" => of.strip_suffix(".Arn").expect("only ARNs are asked for here").to_owned(),
            "!Sub" => self.substitute(&of),
            other => panic!("{other} is not expected here"),
        }
    }

    fn reference(&self, name: &str) -> String {
        if let Some((_, value)) = PARAMETERS.iter().find(|(parameter, _)| *parameter == name) {
            return (*value).to_owned();
        }
        if let Some(parameter) = self.0["Parameters"].get(name) {
            return text(&parameter["Default"]);
        }
        match self.0["Resources"][name]["Type"].as_str() {
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
            resolved +=
                name.strip_suffix(".Arn").map_or_else(|| self.reference(name), str::to_owned).as_str();
            resolved += rest;
        }
        resolved
    }
}

/// A resource's short name: what stands behind the last `:` of an ARN.
pub fn short(resource: &str) -> String {
    resource.rsplit(':').next().unwrap_or_default().to_owned()
}

/// CloudFormation leaves it out of the deployment.
fn is_absent(value: &Value) -> bool {
    matches!(value, Value::Tagged(tagged) if tagged.value.as_str() == Some("AWS::NoValue"))
}

fn is_conditional(value: &Value) -> bool {
    matches!(value, Value::Tagged(tagged) if tagged.tag == "!If")
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        other => panic!("{other:?} is not text"),
    }
}
