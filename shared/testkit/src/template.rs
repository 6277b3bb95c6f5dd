//! What template.yaml says of each function: its environment, and what its role allows.
//!
//! Resources go by their logical ids here: `OrdersTable`, `TicketsQueue`,
//! `OrdersTable/index/unsettled`.

use std::collections::{BTreeMap, BTreeSet};

use serde_norway::Value;

use crate::cloudformation::{Deployment, text};

/// The template of the stack.
pub const TEMPLATE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml"));

/// An action on a resource, as a policy has it: `sqs:SendMessage` on `TicketsQueue`.
pub type Permission = (String, String);

/// The parameters that have no default.
const PARAMETERS: [(&str, &str); 3] = [
    ("EmailSender", "tickets@example.com"),
    ("PaymentProvider", "simulated"),
    ("AWS::StackName", "bookings"),
];

/// The template, as it is written and as it is deployed.
pub struct Template {
    written: Value,
    deployed: Value,
}

/// One function.
pub struct Function {
    /// `TicketsConsumer`
    pub name: String,
    /// The binary it runs.
    pub binary: String,
    /// Its variables, resolved.
    pub environment: BTreeMap<String, String>,
    /// What its role allows.
    pub allowed: BTreeSet<Permission>,
    /// The queue whose messages trigger it.
    pub consumes: Option<String>,
}

impl Template {
    /// The template at the root of the repository, deployed with its defaults.
    pub fn load() -> Self {
        Self::with(&[])
    }

    /// The same, deployed with these parameters.
    pub fn with(parameters: &[(&str, &str)]) -> Self {
        let written: Value = serde_norway::from_str(TEMPLATE).expect("template.yaml is YAML");
        let deployed = deploy(&written, parameters);
        Self { written, deployed }
    }

    /// All functions.
    pub fn functions(&self) -> Vec<Function> {
        let functions = of_type(&self.deployed, "AWS::Serverless::Function").into_iter();
        functions.map(|(id, resource)| self.function(&id, resource)).collect()
    }

    /// The stack's outputs, by their names.
    pub fn outputs(&self) -> BTreeMap<String, String> {
        let outputs = self.deployed["Outputs"].as_mapping().into_iter().flatten();
        outputs.map(|(name, output)| (text(name), text(&output["Value"]))).collect()
    }

    /// The logical ids of all tables.
    pub fn tables(&self) -> Vec<String> {
        self.of_type("AWS::DynamoDB::Table").into_iter().map(|(id, _)| id).collect()
    }

    /// The resources of that type as they are written, with their logical ids.
    pub fn of_type(&self, kind: &str) -> Vec<(String, &Value)> {
        of_type(&self.written, kind)
    }

    fn function(&self, id: &str, resource: &Value) -> Function {
        let properties = &resource["Properties"];
        let name = id.strip_suffix("Function").expect("a function's logical id ends so").to_owned();
        let mut environment = BTreeMap::new();
        for of in [&self.deployed["Globals"]["Function"], properties] {
            let variables = of["Environment"]["Variables"].as_mapping().into_iter().flatten();
            environment.extend(variables.map(|(name, value)| (text(name), text(value))));
        }
        let role = &self.deployed["Resources"][format!("{name}Role")]["Properties"];
        let policies = role["Policies"].as_sequence().expect("its role's policies");
        let allowed = policies.iter().flat_map(|policy| {
            let statements = policy["PolicyDocument"]["Statement"].as_sequence().expect("statements");
            statements.iter().flat_map(permissions)
        });
        let events = properties["Events"].as_mapping().into_iter().flatten();
        let consumes = events
            .filter(|(_, event)| event["Type"].as_str() == Some("SQS"))
            .map(|(_, event)| text(&event["Properties"]["Queue"]))
            .next();
        let binary = text(&resource["Metadata"]["BuildProperties"]["Binary"]);
        Function { name, binary, environment, allowed: allowed.collect(), consumes }
    }
}

/// A template as it is deployed, with these parameters and what else the stack must be given.
pub fn deploy(written: &Value, parameters: &[(&str, &str)]) -> Value {
    Deployment::new(written, &[&PARAMETERS[..], parameters].concat()).resolve()
}

fn of_type<'a>(document: &'a Value, kind: &str) -> Vec<(String, &'a Value)> {
    let resources = document["Resources"].as_mapping().expect("Resources");
    let wanted = resources.iter().filter(|(_, resource)| resource["Type"].as_str() == Some(kind));
    wanted.map(|(id, resource)| (id.as_str().expect("a logical id").to_owned(), resource)).collect()
}

fn permissions(statement: &Value) -> Vec<Permission> {
    assert_eq!(statement["Effect"].as_str(), Some("Allow"));
    let list = |key: &str| statement[key].as_sequence().expect("a list").iter().map(text);
    // Any identity, but mail from this address alone.
    let sender = statement["Condition"]["StringEquals"]["ses:FromAddress"].as_str();
    let resource = |resource: String| match sender {
        Some(sender) => short(&resource).replace("identity/*", &format!("identity/{sender}")),
        None => short(&resource),
    };
    let resources: Vec<_> = list("Resource").map(resource).collect();
    let pairs = |action: String| resources.iter().map(move |on| (action.clone(), on.clone()));
    list("Action").flat_map(pairs).collect()
}

/// A resource's short name: what stands behind the last `:` of an ARN.
pub fn short(resource: &str) -> String {
    resource.rsplit(':').next().unwrap_or_default().to_owned()
}
