//! The OpenAPI document, made from the handlers, and completed with the problems of each.

pub(super) mod example;

use std::collections::BTreeMap;

use axum::{Json, Router, routing::get};
use serde_json::{Value, json};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self, Components,
        security::{ApiKey, ApiKeyValue, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use super::{
    Shared, block, event, genesis, incident,
    problem::{Code, Problem},
    query, receipt, scrub, status, submission, transaction,
};

/// What every operation can answer.
const PROBLEMS_OF_ALL: [Code; 3] = [Code::Internal, Code::Stopping, Code::TooSlow];

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hansa ledger node",
        description = "What a ledger's node offers to applications. TLS with a certificate of the \
                       ledger's own authority. Every failure is a problem (RFC 9457) whose `code` \
                       is one of a closed list; 429 and 503 say when to come back.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(Problem)),
    modifiers(&Security),
)]
struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Components::new);
        let token = ApiKeyValue::with_description(
            "Authorization",
            "A request token: a ledger key's signature over method, address and body of this one \
             request, with a time window. `ledger-client` makes it.",
        );
        let scheme = SecurityScheme::ApiKey(ApiKey::Header(token));
        components.add_security_scheme("request_token", scheme);
    }
}

/// All routes and their document. Each noun owns its router and is named once, here.
pub(super) fn routes() -> (Router<Shared>, Value) {
    let (routes, document) = OpenApiRouter::with_openapi(Document::openapi())
        .merge(submission::router())
        .merge(transaction::router())
        .merge(receipt::router())
        .merge(query::router())
        .merge(block::router())
        .merge(status::router())
        .merge(event::router())
        .merge(incident::router())
        .merge(scrub::router())
        .merge(genesis::router())
        .split_for_parts();
    let mut document = serde_json::to_value(document).expect("a document is JSON");
    add_problems(&mut document);
    let shown = document.clone();
    let routes = routes.route("/v1/openapi.json", get(async move || Json(shown)));
    (routes, document)
}

/// The OpenAPI document as it is checked in and served.
#[must_use]
pub fn document() -> Value {
    routes().1
}

fn problems() -> BTreeMap<&'static str, &'static [Code]> {
    submission::PROBLEMS
        .into_iter()
        .chain(transaction::PROBLEMS)
        .chain(receipt::PROBLEMS)
        .chain(query::PROBLEMS)
        .chain(block::PROBLEMS)
        .chain(event::PROBLEMS)
        .chain(scrub::PROBLEMS)
        .collect()
}

fn add_problems(document: &mut Value) {
    let problems = problems();
    let paths = document["paths"].as_object_mut().expect("a document has paths");
    let operations = paths.values_mut().filter_map(Value::as_object_mut);
    for operation in operations.flat_map(|item| item.values_mut()) {
        let name = operation["operationId"].as_str().expect("an operation has a name");
        let own = problems.get(name).copied().unwrap_or_default();
        let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
        for code in own.iter().chain(&PROBLEMS_OF_ALL) {
            by_status.entry(code.status().as_u16()).or_default().push(*code);
        }
        let responses = operation["responses"].as_object_mut().expect("it has responses");
        for (status, codes) in by_status {
            responses.insert(status.to_string(), response(&codes));
        }
    }
}

fn response(codes: &[Code]) -> Value {
    let line = |code: &Code| format!("`{}`: {}", code.as_str(), code.meaning());
    let description = codes.iter().map(line).collect::<Vec<_>>().join("; ");
    let example = |code: &Code| {
        let problem = Problem::new(*code, code.meaning());
        (code.as_str().to_owned(), json!({ "value": problem }))
    };
    let examples: serde_json::Map<String, Value> = codes.iter().map(example).collect();
    json!({
        "description": description,
        "content": { "application/problem+json": {
            "schema": { "$ref": "#/components/schemas/Problem" },
            "examples": examples,
        } }
    })
}
