//! A published description of an API, used to check real answers.

use std::collections::BTreeSet;

use client::Response;
use serde_json::{Value, json};

/// A description, with the answers that were seen.
pub(crate) struct OpenApi {
    document: Value,
    seen: BTreeSet<(String, String, u16)>,
}

impl OpenApi {
    pub(crate) fn parse(text: &str) -> Self {
        Self { document: serde_norway::from_str(text).unwrap(), seen: BTreeSet::new() }
    }

    fn fits(&self, schema: &Value, value: &Value) -> bool {
        let whole = json!({"allOf": [schema], "components": self.document["components"]});
        jsonschema::draft202012::new(&whole).unwrap().is_valid(value)
    }

    /// What a reference leads to, or the value itself.
    fn follow<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
            Some(pointer) => self.document.pointer(pointer).unwrap(),
            None => value,
        }
    }

    /// Fails unless the answer is as documented.
    pub(crate) fn check(&mut self, method: &str, path: &str, answer: &Response) {
        let responses = &self.document["paths"][path][method]["responses"];
        let documented = self.follow(&responses[answer.status.to_string()]);
        assert!(documented.is_object(), "{method} {path}: this status is documented: {answer}");
        for (name, header) in documented["headers"].as_object().into_iter().flatten() {
            let text = answer.headers[name.as_str()].to_str().unwrap();
            let value = text.parse::<u64>().map_or(json!(text), |number| json!(number));
            assert!(self.fits(&header["schema"], &value), "{name}: {answer}");
        }
        let content = &documented["content"][answer.headers["content-type"].to_str().unwrap()];
        let body = serde_json::from_slice(&answer.body).unwrap();
        assert!(content.is_object() && self.fits(&content["schema"], &body), "{method} {path}: {answer}");
        self.seen.insert((method.to_owned(), path.to_owned(), answer.status));
    }

    /// The documented answers that were not seen.
    pub(crate) fn unseen(&self) -> BTreeSet<(String, String, u16)> {
        let mut all = BTreeSet::new();
        for (path, item) in self.document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let statuses = operation["responses"].as_object().into_iter().flatten();
                let statuses = statuses.filter_map(|(status, _)| status.parse().ok());
                all.extend(statuses.map(|status| (method.clone(), path.clone(), status)));
            }
        }
        all.difference(&self.seen).cloned().collect()
    }

    /// Fails unless every example is valid under the schema beside it; answers how many there are.
    pub(crate) fn check_examples(&self) -> usize {
        let (mut checked, mut left) = (0, vec![&self.document["paths"]]);
        while let Some(value) = left.pop() {
            if let (schema @ Value::Object(_), Some(example)) = (&value["schema"], value.get("example")) {
                assert!(self.fits(schema, example), "{example}");
                checked += 1;
            }
            left.extend(value.as_object().into_iter().flat_map(|object| object.values()));
        }
        checked
    }
}
