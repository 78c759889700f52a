//! An API that answers as a test says, and the program that asks it.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Runtime};

/// The token that the tests' program has; no output may hold it.
pub(crate) const TOKEN: &str = "hk_0123456789_s3cret";
/// Some id.
pub(crate) const ID: &str = "01990000-0000-7000-8000-000000000001";
/// A request's number.
pub(crate) const REQUEST: &str = "01990000-0000-7000-8000-0000000000ff";

/// What came in.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `POST /v1/consortiums`.
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// An answer: status, headers, body.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Value,
}

impl Said {
    pub(crate) fn ok(body: Value) -> Self {
        Self { status: 200, headers: vec![], body }
    }

    /// A problem document.
    pub(crate) fn problem(status: u16, code: &str, detail: &str) -> Self {
        let body = json!({
            "type": "about:blank", "title": code, "status": status, "code": code, "detail": detail,
            "instance": "/v1", "request_id": REQUEST,
        });
        Self { status, headers: vec![("content-type", "application/problem+json".into())], body }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn errors(mut self, errors: Value) -> Self {
        self.body["errors"] = errors;
        self
    }
}

type Answers = BTreeMap<String, Vec<Said>>;

/// The played API. What it was not told to answer is not found.
pub(crate) struct Played {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    folder: tempfile::TempDir,
    _runtime: Runtime,
}

impl Played {
    /// Answers each line (`GET /v1/me`, without its query) with its answers in turn, and then with
    /// the last one again and again.
    pub(crate) fn new<const N: usize>(answers: [(&str, Vec<Said>); N]) -> Self {
        let answers: Answers = answers.into_iter().map(|(l, said)| (l.to_owned(), said)).collect();
        let answers = Arc::new(Mutex::new(answers));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        let heard = asked.clone();
        let router = Router::new().fallback(move |request: Request| {
            let (answers, heard) = (answers.clone(), heard.clone());
            async move { answer(request, &answers, &heard).await }
        });
        runtime.spawn(async move { axum::serve(listener, router).await });
        let folder = tempfile::tempdir().expect("a folder");
        Self { address, asked, folder, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `hansa …` with this API and a token.
    pub(crate) fn hansa(&self, words: &[&str]) -> Command {
        let mut command = bare(&self.folder, words);
        command.env("HANSA_API", self.url()).env("HANSA_TOKEN", TOKEN);
        command
    }

    /// The same to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        Ran::of(&mut self.hansa(words))
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no holder panics").clone()
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

/// `hansa …` that knows no API and has no credential.
pub(crate) fn bare(folder: &tempfile::TempDir, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hansa"));
    for name in ["HANSA_API", "HANSA_TOKEN", "HANSA_KEY", "HANSA_PROFILE", "HANSA_STATE"] {
        command.env_remove(name);
    }
    command
        .args(words)
        .env("XDG_CONFIG_HOME", folder.path().join("config"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn answer(request: Request, answers: &Mutex<Answers>, heard: &Mutex<Vec<Asked>>) -> Response {
    let line = format!("{} {}", request.method(), request.uri().path());
    let whole = format!("{} {}", request.method(), request.uri());
    let headers = request.headers().clone();
    let body = to_bytes(request.into_body(), 1 << 20).await.unwrap_or_default();
    heard.lock().expect("no holder panics").push(Asked { line: whole, headers, body });
    let said = {
        let mut answers = answers.lock().expect("no holder panics");
        match answers.get_mut(&line) {
            Some(said) if said.len() > 1 => said.remove(0),
            Some(said) => said[0].clone(),
            None => Said::problem(404, "not_found", "it does not exist"),
        }
    };
    let status = StatusCode::from_u16(said.status).expect("a status");
    let mut response = (status, said.body.to_string()).into_response();
    let json = "application/json".parse().expect("a header");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    for (name, value) in said.headers {
        response.headers_mut().insert(name, value.parse().expect("a header"));
    }
    response
}

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Self {
        Self::from(command.output().expect("the program starts"))
    }

    /// Checks the exit code, which scripts decide by, and that no secret was printed.
    #[track_caller]
    pub(crate) fn code(self, expected: i32) -> Self {
        assert_eq!(self.code, Some(expected), "{self:?}");
        assert!(!format!("{self:?}").contains("s3cret"), "the token was printed: {self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn says<const N: usize>(self, parts: [&str; N]) -> Self {
        for part in parts {
            assert!(self.err.contains(part), "it should say {part:?}:\n{}", self.err);
        }
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// A page of one thing.
pub(crate) fn page(items: Value) -> Said {
    Said::ok(json!({ "items": items }))
}

pub(crate) fn consortium() -> Value {
    json!({
        "id": ID, "name": "demo", "display_name": "Demo", "phase": "active", "relation": "owner",
        "voting_policy": {
            "threshold_percentage": 50, "comparator": "greater_than", "proposal_duration_hours": 24,
        },
        "owner_tenant_id": ID, "revision": 1, "created_at": "2026-01-01T00:00:00Z",
    })
}

pub(crate) fn operation(state: &str) -> Value {
    json!({
        "id": ID, "kind": "node_stop", "target": { "node_id": ID }, "state": state,
        "steps": [{ "name": "stop", "state": if state == "succeeded" { state } else { "running" } }],
        "cancel_requested": false, "deadline_at": "2026-01-01T00:10:00Z", "revision": 1,
        "created_at": "2026-01-01T00:00:00Z",
    })
}
