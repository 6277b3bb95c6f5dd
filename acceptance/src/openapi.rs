//! The published description of the API, used to check real answers.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::Response;

/// `docs/openapi.yaml`, with its references resolved where they are asked for.
pub struct OpenApi {
    document: Value,
}

impl OpenApi {
    /// Parses the description.
    pub fn load() -> Self {
        let text = include_str!("../../docs/openapi.yaml");
        Self { document: serde_norway::from_str(text).expect("docs/openapi.yaml is YAML") }
    }

    /// The whole document.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Each documented operation and response status, such as `("GET", "/flights", "200")`.
    pub fn responses(&self) -> BTreeSet<(String, String, String)> {
        let mut all = BTreeSet::new();
        for (path, item) in self.object("/paths") {
            for (method, operation) in item.as_object().into_iter().flatten() {
                for (status, _) in operation["responses"].as_object().into_iter().flatten() {
                    all.insert((method.to_uppercase(), path.clone(), status.clone()));
                }
            }
        }
        all
    }

    /// Fails unless the answer is documented for the operation: its status, its required headers, its media type, and
    /// a body that is valid under the schema of that media type.
    pub fn check(&self, method: &str, path: &str, response: &Response) {
        let operation = &self.document["paths"][path][method.to_lowercase()];
        assert!(operation.is_object(), "{method} {path} is documented");
        let documented = self.follow(&operation["responses"][response.status.to_string()]);
        assert!(documented.is_object(), "{method} {path} documents this status: {response}");
        self.check_answer(documented, response);
    }

    /// As [`OpenApi::check`], for an answer that belongs to no operation, by its name among the components.
    pub fn check_component(&self, name: &str, response: &Response) {
        let documented = &self.document["components"]["responses"][name];
        assert!(documented.is_object(), "{name} is documented");
        self.check_answer(documented, response);
    }

    fn check_answer(&self, documented: &Value, response: &Response) {
        for (name, header) in documented["headers"].as_object().into_iter().flatten() {
            let header = self.follow(header);
            match response.header(name) {
                Some(value) => {
                    // A header is text; its schema may ask for a number.
                    let value = value.parse::<u64>().map_or_else(|_| json!(value), |number| json!(number));
                    self.validate(&header["schema"], &value, &format!("header {name} of {response}"));
                }
                None => assert_ne!(header["required"], json!(true), "header {name} is required: {response}"),
            }
        }

        let Some(content) = documented["content"].as_object() else {
            assert!(response.body.is_empty(), "no body is documented: {response}");
            return;
        };
        let media = content.get(response.media_type());
        let media = media.unwrap_or_else(|| panic!("this media type is documented: {response}"));
        let body =
            if response.media_type().ends_with("json") { response.json() } else { json!(response.text()) };
        self.validate(&media["schema"], &body, &format!("the body of {response}"));
    }

    /// Whether `body` is valid under the schema of the operation's JSON request body.
    pub fn accepts_request(&self, method: &str, path: &str, body: &Value) -> bool {
        let operation = &self.document["paths"][path][method.to_lowercase()];
        let request = self.follow(&operation["requestBody"]);
        self.validator(&request["content"]["application/json"]["schema"]).is_valid(body)
    }

    /// Fails unless every example in the document is valid under the schema beside it; returns how many there are.
    pub fn check_examples(&self) -> usize {
        self.check_examples_in(&self.document, "")
    }

    fn check_examples_in(&self, value: &Value, at: &str) -> usize {
        let mut checked = 0;
        match value {
            Value::Object(object) => {
                let beside = object.get("schema");
                if let (Some(schema), Some(example)) = (beside, object.get("example")) {
                    self.validate(schema, example, &format!("{at}/example"));
                    checked += 1;
                }
                if let (Some(schema), Some(Value::Object(examples))) = (beside, object.get("examples")) {
                    for (name, example) in examples {
                        let example = &self.follow(example)["value"];
                        self.validate(schema, example, &format!("{at}/examples/{name}"));
                        checked += 1;
                    }
                }
                // In a schema, `examples` is an array.
                if let Some(Value::Array(examples)) = object.get("examples") {
                    for example in examples {
                        self.validate(value, example, &format!("{at}/examples"));
                        checked += 1;
                    }
                }
                for (key, inner) in object.iter().filter(|(key, _)| *key != "example" && *key != "examples") {
                    checked += self.check_examples_in(inner, &format!("{at}/{key}"));
                }
            }
            Value::Array(array) => {
                for (index, inner) in array.iter().enumerate() {
                    checked += self.check_examples_in(inner, &format!("{at}/{index}"));
                }
            }
            _ => {}
        }
        checked
    }

    fn validate(&self, schema: &Value, value: &Value, what: &str) {
        let validator = self.validator(schema);
        let errors: Vec<String> =
            validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{what} is not as documented: {errors:#?}");
    }

    /// The schema as a document of its own, with the components that it may refer to.
    fn validator(&self, schema: &Value) -> jsonschema::Validator {
        assert!(schema.is_object(), "a schema: {schema:#}");
        let whole = json!({ "allOf": [schema], "components": self.document["components"] });
        let options =
            jsonschema::options().with_draft(jsonschema::Draft::Draft202012).should_validate_formats(true);
        options.build(&whole).unwrap_or_else(|error| panic!("not a schema: {error}: {schema:#}"))
    }

    /// The value itself, or what its `$ref` points to.
    fn follow<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
            Some(pointer) => self.document.pointer(pointer).unwrap_or_else(|| panic!("{pointer} exists")),
            None => value,
        }
    }

    fn object(&self, pointer: &str) -> &Map<String, Value> {
        let value = self.document.pointer(pointer).and_then(Value::as_object);
        value.unwrap_or_else(|| panic!("{pointer} is an object"))
    }
}
