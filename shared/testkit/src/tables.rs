//! The tables as template.yaml defines them: the one definition, from which tests make theirs too.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableInputBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use serde::Deserialize;
use serde_norway::Value;

use crate::template::TEMPLATE;

/// The request that makes a table of the template, under a name.
///
/// # Errors
/// Says what about the template's table cannot be read.
pub fn create_table(resource: &str, name: &str) -> Result<CreateTableInputBuilder, String> {
    let read = |error: serde_norway::Error| format!("{resource} of template.yaml: {error}");
    let template: Value = serde_norway::from_str(TEMPLATE).map_err(read)?;
    let properties = template["Resources"][resource]["Properties"].clone();
    let table: Table = serde_norway::from_value(properties).map_err(read)?;
    table.create(name).map_err(|error| format!("{resource} of template.yaml: {error}"))
}

/// A table's properties, as far as an adapter depends on them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Table {
    attribute_definitions: Vec<Attribute>,
    key_schema: Vec<Key>,
    #[serde(default)]
    global_secondary_indexes: Vec<Index>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Key {
    attribute_name: String,
    key_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Index {
    index_name: String,
    key_schema: Vec<Key>,
    projection: Projected,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Projected {
    projection_type: String,
}

impl Table {
    fn create(self, name: &str) -> Result<CreateTableInputBuilder, BuildError> {
        let attributes: Result<_, _> = self.attribute_definitions.into_iter().map(Attribute::build).collect();
        let keys: Result<_, _> = self.key_schema.into_iter().map(Key::build).collect();
        let indexes: Result<Vec<_>, _> =
            self.global_secondary_indexes.into_iter().map(Index::build).collect();
        let indexes = indexes?;
        Ok(CreateTableInputBuilder::default()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest)
            .set_attribute_definitions(Some(attributes?))
            .set_key_schema(Some(keys?))
            .set_global_secondary_indexes(Some(indexes).filter(|indexes| !indexes.is_empty())))
    }
}

impl Attribute {
    fn build(self) -> Result<AttributeDefinition, BuildError> {
        let kind = ScalarAttributeType::from(self.attribute_type.as_str());
        AttributeDefinition::builder().attribute_name(self.attribute_name).attribute_type(kind).build()
    }
}

impl Key {
    fn build(self) -> Result<KeySchemaElement, BuildError> {
        let kind = KeyType::from(self.key_type.as_str());
        KeySchemaElement::builder().attribute_name(self.attribute_name).key_type(kind).build()
    }
}

impl Index {
    fn build(self) -> Result<GlobalSecondaryIndex, BuildError> {
        let keys: Result<_, _> = self.key_schema.into_iter().map(Key::build).collect();
        let projection = ProjectionType::from(self.projection.projection_type.as_str());
        GlobalSecondaryIndex::builder()
            .index_name(self.index_name)
            .set_key_schema(Some(keys?))
            .projection(Projection::builder().projection_type(projection).build())
            .build()
    }
}
