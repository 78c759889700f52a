//! Requests and answers, as the API server's clients know them.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::{Query, Request, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    Server, controllers,
    faults::Fate,
    kinds::{KINDS, Kind, Place, place},
    objects::{Change, Key, Refusal},
};

/// Bytes of a request's body.
const BODY_MAX: usize = 1 << 20;
/// What runs in no pod says so.
const LOG: &str = "a pod of a cluster in memory\n";

type Parameters = BTreeMap<String, String>;

pub(super) async fn answer(
    State(server): State<Arc<Server>>,
    Query(parameters): Query<Parameters>,
    request: Request,
) -> Response {
    let path = request.uri().path().to_owned();
    let place = place(&path);
    let method = request.method().clone();
    let fate = server.faults.fate(&method, place.as_ref().map(|place| place.kind.plural));
    match fate {
        Fate::Answered | Fate::Lost => {}
        Fate::Refused(status) => {
            return refused(&Refusal::new(status, "Fault", format!("a fault: {status}")));
        }
        Fate::Hung => return std::future::pending().await,
    }
    let is_patch = request.headers().get(header::CONTENT_TYPE).cloned();
    let is_apply = is_patch.is_some_and(|form| form.as_bytes().starts_with(b"application/apply"));
    let Ok(body) = to_bytes(request.into_body(), BODY_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let answered = match (&method, place) {
        (&Method::GET, None) => about(&path),
        (&Method::GET, Some(place)) => read(&server, &place, &parameters),
        (&Method::PATCH, Some(place)) => patch(&server, &place, is_apply, body),
        (&Method::DELETE, Some(place)) => delete(&server, &place, &body),
        (_, _) => Err(Refusal::new(405, "MethodNotAllowed", path.clone())),
    };
    if fate == Fate::Lost {
        let lost = stream::iter([Err::<String, _>(std::io::Error::other("the answer is lost"))]);
        return Body::from_stream(lost).into_response();
    }
    answered.unwrap_or_else(|refusal| refused(&refusal))
}

fn refused(refusal: &Refusal) -> Response {
    let Refusal { status, reason, message } = refusal;
    let code = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (code, Json(status_of(*status, reason, message))).into_response()
}

fn status_of(status: u16, reason: &str, message: &str) -> Value {
    json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "code": status, "reason": reason, "message": message })
}

/// What the server says of itself.
fn about(path: &str) -> Result<Response, Refusal> {
    let version = |group: &str| json!({ "groupVersion": format!("{group}/v1"), "version": "v1" });
    let groups: Vec<Value> = KINDS
        .iter()
        .filter(|kind| !kind.group.is_empty())
        .map(|kind| {
            json!({ "name": kind.group, "versions": [version(kind.group)],
                    "preferredVersion": version(kind.group) })
        })
        .collect();
    match path {
        "/version" => {
            let text = ["buildDate", "compiler", "gitCommit", "gitTreeState", "goVersion"];
            let mut version = json!({ "gitVersion": "v1.34.0", "major": "1", "minor": "34",
                                      "platform": "memory" });
            text.iter().for_each(|name| version[name] = json!(""));
            Ok(Json(version).into_response())
        }
        "/apis" => {
            Ok(Json(json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups }))
                .into_response())
        }
        _ => Err(Refusal::new(404, "NotFound", format!("{path} is not served"))),
    }
}

fn key(place: &Place<'_>) -> Result<Key, Refusal> {
    let name = place.name.ok_or_else(|| Refusal::new(405, "MethodNotAllowed", "no name"))?;
    Ok(Key::new(place.kind, place.namespace.unwrap_or_default(), name))
}

fn read(
    server: &Arc<Server>,
    place: &Place<'_>,
    parameters: &Parameters,
) -> Result<Response, Refusal> {
    if place.name.is_some() {
        let key = key(place)?;
        let objects = server.objects();
        let found = objects.get(&key).ok_or_else(|| Refusal::missing(&key))?;
        return Ok(match place.part {
            Some("log") => LOG.into_response(),
            _ => Json(found.clone()).into_response(),
        });
    }
    let wanted = Wanted::new(place, parameters);
    if parameters.get("watch").is_some_and(|watch| watch == "true") {
        let from = parameters.get("resourceVersion").and_then(|version| version.parse().ok());
        return Ok(follow(server, wanted, from.unwrap_or_default()));
    }
    let objects = server.objects();
    let found: Vec<&Value> = objects.all(place.kind).filter(|o| wanted.fits(o)).collect();
    let list = json!({
        "kind": format!("{}List", place.kind.kind),
        "apiVersion": place.kind.api_version(),
        "metadata": { "resourceVersion": objects.version().to_string() },
        "items": found,
    });
    Ok(Json(list).into_response())
}

fn patch(
    server: &Server,
    place: &Place<'_>,
    is_apply: bool,
    body: Value,
) -> Result<Response, Refusal> {
    let key = key(place)?;
    let written = server.change(|objects| {
        if is_apply { objects.apply(key, body) } else { objects.merge(key, &body) }
    })?;
    Ok(Json(written).into_response())
}

fn delete(server: &Server, place: &Place<'_>, options: &Value) -> Result<Response, Refusal> {
    let key = key(place)?;
    let policy = options["propagationPolicy"].as_str().unwrap_or("Background");
    server.change(|objects| {
        objects.check_delete(&key, options)?;
        controllers::delete(objects, &key, policy);
        Ok(())
    })?;
    let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {},
                         "status": "Success", "code": 200 });
    Ok(Json(status).into_response())
}

/// Which objects are meant.
struct Wanted {
    kind: &'static Kind,
    namespace: Option<String>,
    /// Label, value, and whether it must be that or must not.
    labels: Vec<(String, String, bool)>,
}

impl Wanted {
    fn new(place: &Place<'_>, parameters: &Parameters) -> Self {
        let selector = parameters.get("labelSelector").map(String::as_str).unwrap_or_default();
        let labels = selector.split(',').filter_map(|term| {
            let (pair, is) = match term.split_once("!=") {
                Some(pair) => (pair, false),
                None => (term.split_once('=')?, true),
            };
            Some((pair.0.to_owned(), pair.1.trim_start_matches('=').to_owned(), is))
        });
        let namespace = place.namespace.map(str::to_owned);
        Self { kind: place.kind, namespace, labels: labels.collect() }
    }

    fn fits(&self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        let is_there = self.namespace.as_ref().is_none_or(|n| metadata["namespace"] == n.as_str());
        let labelled = |(label, value, is): &(String, String, bool)| {
            (metadata["labels"][label] == *value) == *is
        };
        is_there && self.labels.iter().all(labelled)
    }
}

/// A watch: changes after a version, line by line, until it is cut.
fn follow(server: &Arc<Server>, wanted: Wanted, from: u64) -> Response {
    let watched = Watched {
        server: Arc::clone(server),
        versions: server.version.subscribe(),
        cuts: server.faults.cuts(),
        wanted,
        from,
    };
    let lines = stream::unfold(Some(watched), |watched| async move {
        let mut watched = watched?;
        let (lines, goes_on) = watched.next().await?;
        Some((Ok::<_, std::io::Error>(lines), goes_on.then_some(watched)))
    });
    ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(lines)).into_response()
}

struct Watched {
    server: Arc<Server>,
    versions: watch::Receiver<u64>,
    cuts: watch::Receiver<u64>,
    wanted: Wanted,
    from: u64,
}

impl Watched {
    /// The next lines, and whether more may follow.
    async fn next(&mut self) -> Option<(String, bool)> {
        loop {
            self.versions.mark_unchanged();
            if let Some(lines) = self.lines() {
                return Some(lines);
            }
            tokio::select! {
                changed = self.versions.changed() => changed.ok()?,
                _ = self.cuts.changed() => return None,
            }
        }
    }

    fn lines(&mut self) -> Option<(String, bool)> {
        let objects = self.server.objects();
        let line =
            |verb: &str, object: &Value| json!({ "type": verb, "object": object }).to_string();
        let Some(changes) = objects.since(self.from) else {
            let gone = status_of(410, "Expired", "too old resource version");
            return Some((line("ERROR", &gone) + "\n", false));
        };
        let is_meant =
            |change: &&Change| change.kind == self.wanted.kind && self.wanted.fits(&change.object);
        let lines: String = changes
            .filter(is_meant)
            .map(|change| line(change.verb, &change.object) + "\n")
            .collect();
        self.from = objects.version();
        (!lines.is_empty()).then_some((lines, true))
    }
}
