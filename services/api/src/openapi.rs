//! The OpenAPI document, made from the handlers, and completed with what holds for all of them:
//! problems, examples, the header of repeatable requests.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{
    Router,
    extract::{MatchedPath, Request},
};
use hansa_types::Problem;
use http::Method;
use serde_json::{Map, Value, json};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self, Components,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    access_token, api_key, approval, audit_event, block, cluster, consortium, event, incident,
    invitation, ledger, me, member, node, operation, server::Api, session, tenant, user,
};

/// What a repetition does no harm to: each answer is a credential of its own, shown once.
const WITHOUT_REPETITION: [&str; 2] = ["/v1/sessions", "/v1/access-tokens"];

/// How deep an example goes.
const EXAMPLE_DEPTH_MAX: usize = 12;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hansa",
        description = "Consortium ledgers as a service. Every failure is a problem (RFC 9457) \
                       whose `code` is one of a closed list.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(Problem)),
    security(("bearer" = []), ("cookie" = [])),
    modifiers(&Security),
)]
struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Components::new);
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("bearer", bearer);
        let cookie = ApiKey::Cookie(ApiKeyValue::new(crate::extract::SESSION_COOKIE));
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(cookie));
    }
}

/// All routes and their document. Each noun owns its router and is named once, here.
pub(crate) fn routes() -> (Router<Api>, Value) {
    let (routes, document) = OpenApiRouter::with_openapi(Document::openapi())
        .merge(session::router())
        .merge(access_token::router())
        .merge(me::router())
        .merge(tenant::router())
        .merge(cluster::router())
        .merge(user::router())
        .merge(api_key::router())
        .merge(consortium::router())
        .merge(member::router())
        .merge(invitation::router())
        .merge(ledger::router())
        .merge(approval::router())
        .merge(block::router())
        .merge(incident::router())
        .merge(node::router())
        .merge(operation::router())
        .merge(event::router())
        .merge(audit_event::router())
        .split_for_parts();
    let mut document = serde_json::to_value(document).expect("a document is JSON");
    complete(&mut document);
    (routes, document)
}

/// The OpenAPI document as it is checked in and served.
#[must_use]
pub fn document() -> Value {
    routes().1
}

/// The operation that a request is for, by its method and the template of its path: a name of a
/// closed list, so it can be a label and a word of the trail.
pub(crate) fn operation_of(request: &Request) -> Option<&'static str> {
    static NAMES: LazyLock<BTreeMap<(String, String), String>> = LazyLock::new(|| {
        let mut names = BTreeMap::new();
        for (path, item) in document()["paths"].as_object().expect("a document has paths") {
            for (method, operation) in item.as_object().expect("a path has operations") {
                let name = operation["operationId"].as_str().expect("an operation has a name");
                names.insert((method.to_uppercase(), path.clone()), name.to_owned());
            }
        }
        names
    });
    let path = request.extensions().get::<MatchedPath>()?.as_str().to_owned();
    // GET answers HEAD too.
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    NAMES.get(&(method.to_string(), path)).map(String::as_str)
}

fn complete(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let paths = document["paths"].as_object_mut().expect("a document has paths");
    for (path, item) in paths {
        for (method, operation) in item.as_object_mut().expect("a path has operations") {
            if method == "post" && !WITHOUT_REPETITION.contains(&path.as_str()) {
                add_idempotency_key(operation);
            }
            add_problems(operation);
            add_examples(operation, &schemas);
        }
    }
}

fn add_idempotency_key(operation: &mut Value) {
    let parameter = json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": "A mark of yours on this request: repeating it within 24 hours has one \
                        effect and the same answer.",
        "schema": { "type": "string", "minLength": 1, "maxLength": 128 },
        "example": "5f0c9a52-order-17",
    });
    match operation["parameters"].as_array_mut() {
        Some(parameters) => parameters.push(parameter),
        None => operation["parameters"] = json!([parameter]),
    }
}

fn add_problems(operation: &mut Value) {
    let problem = |description: &str| {
        json!({
            "description": description,
            "content": { "application/problem+json": {
                "schema": { "$ref": "#/components/schemas/Problem" }
            } }
        })
    };
    let responses = operation["responses"].as_object_mut().expect("an operation has responses");
    responses.insert("4XX".to_owned(), problem("Not done; `code` says why"));
    responses.insert("5XX".to_owned(), problem("Not done; come back after `Retry-After`"));
}

fn add_examples(operation: &mut Value, schemas: &Value) {
    if let Some(content) = operation.pointer_mut("/requestBody/content") {
        fill(content, schemas);
    }
    let responses = operation["responses"].as_object_mut().expect("an operation has responses");
    for response in responses.values_mut() {
        if let Some(content) = response.get_mut("content") {
            fill(content, schemas);
        }
    }
}

fn fill(content: &mut Value, schemas: &Value) {
    for media in content.as_object_mut().expect("media types").values_mut() {
        let example = example(&media["schema"], schemas, 0);
        media["example"] = example;
    }
}

/// An example of a schema: its own, or one made of its parts.
fn example(schema: &Value, schemas: &Value, depth: usize) -> Value {
    if depth > EXAMPLE_DEPTH_MAX {
        return Value::Null;
    }
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return self::example(&schemas[name], schemas, depth + 1);
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.first().cloned().unwrap_or_default();
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut whole = Map::new();
        for part in parts {
            if let Value::Object(fields) = self::example(part, schemas, depth + 1) {
                whole.extend(fields);
            }
        }
        return Value::Object(whole);
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let real = choices.iter().find(|choice| choice["type"] != "null");
            return real.map_or(Value::Null, |c| self::example(c, schemas, depth + 1));
        }
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").cloned(),
        kind => Some(kind.clone()),
    };
    match kind.as_ref().and_then(Value::as_str) {
        Some("object") => {
            let none = Map::new();
            let fields = schema["properties"].as_object().unwrap_or(&none);
            let made = |(name, field): (&String, &Value)| {
                (name.clone(), self::example(field, schemas, depth + 1))
            };
            Value::Object(fields.iter().map(made).collect())
        }
        Some("array") => json!([self::example(&schema["items"], schemas, depth + 1)]),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(false),
        Some("string") => text_example(schema),
        Some(_) | None => Value::Null,
    }
}

fn text_example(schema: &Value) -> Value {
    match schema["format"].as_str() {
        Some("uuid") => json!("01990000-0000-7000-8000-000000000000"),
        Some("date-time") => json!("2026-01-31T08:30:00Z"),
        Some("password") => json!("correct horse battery staple"),
        Some(_) | None => json!("text"),
    }
}
