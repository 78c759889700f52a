//! An installation with tenants, and calls to it.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Body, response::Response};
use hansa_api::{Api, router};
use hansa_clients::{HttpVault, Vault};
use hansa_control::{
    Config, ControlPlane, Controller, ControllerConfig, Fleet, NoClusters, OpContext,
    testing::MemoryJwtKeys,
};
use hansa_core::{ManualClock, RequestId, Secret, Timestamp};
use hansa_postgres::TestDatabase;
use hansa_runtime::FakeRuntime;
use hansa_store::testing::{VAULT, api_store, controller_store, database};
use hansa_types::{UserCreate, statement::Accept, statement::Found};
use hansa_vault::{RootKey, VaultConfig};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use ledger_types::{Digest, SigningKey};
use prometheus::{Registry, TextEncoder};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::launch::Agreeing;

pub(crate) const ORIGIN: &str = "https://hansa.example";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// An installation, with the operator of its platform.
pub(crate) struct Installation {
    pub(crate) router: Router,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) keys: Arc<MemoryJwtKeys>,
    pub(crate) database: TestDatabase,
    pub(crate) platform: String,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) vault_socket: PathBuf,
    pub(crate) runtime: Arc<FakeRuntime>,
    pub(crate) fleet: Arc<Fleet>,
    registry: Registry,
    /// Every answer's body, for what must be in none of them.
    pub(crate) answers: Mutex<Vec<String>>,
}

/// The real vault, behind its socket.
async fn vault(database: &TestDatabase, clock: Arc<ManualClock>) -> (Arc<dyn Vault>, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = RootKey::read_or_create(&folder.path().join("root.key")).expect("a root key");
    let config = VaultConfig { database: database.login(VAULT), root, clock };
    let vault = Arc::new(hansa_vault::Vault::new(config));
    let socket = folder.path().join("vault.sock");
    let client = HttpVault::new(&socket).expect("a client");
    let place = socket.clone();
    tokio::spawn(async move {
        // The folder lives as long as the vault answers in it.
        let served = hansa_vault::serve(vault, &socket, std::future::pending()).await;
        drop((folder, served));
    });
    // It is there when it answers.
    while client.jwt_keys().await.is_err() {
        tokio::task::yield_now().await;
    }
    (Arc::new(client), place)
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// A tenant with its administrator's API key and its ledger administrator key.
pub(crate) struct Tenant {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) token: String,
    pub(crate) key: SigningKey,
}

impl Installation {
    pub(crate) async fn new() -> Self {
        Self::on(database().await).await
    }

    pub(crate) async fn on(database: TestDatabase) -> Self {
        let start = Timestamp::from_unix_micros(1_800_000_000_000_000).expect("a year");
        let (clock, keys) = (Arc::new(ManualClock::new(start)), Arc::new(MemoryJwtKeys::new()));
        let (vault, vault_socket) = vault(&database, clock.clone()).await;
        let runtime = Arc::new(FakeRuntime::new(clock.clone()));
        let fleet = Fleet::new(Some(runtime.clone()), Arc::new(NoClusters));
        let (control, follower) = ControlPlane::new(Config {
            store: api_store(&database),
            clock: clock.clone(),
            credential_key: Secret::from(vec![1; 32]),
            page_key: Secret::from(vec![2; 32]),
            jwt_keys: keys.clone(),
            vault: vault.clone(),
            nodes: Some(Arc::new(Agreeing)),
            issuer: ORIGIN.to_owned(),
        });
        tokio::spawn(follower);
        let operator: UserCreate = serde_json::from_value(json!({
            "email": "root@platform.example", "display_name": "Root", "password": PASSWORD,
            "role": "platform_operator"
        }))
        .expect("a user");
        let context = OpContext::anonymous(RequestId::new());
        let made = control.platform_create(&context, &operator).await.expect("a platform");
        let platform = made.api_key.expose_text().expect("text").to_owned();
        let api = Api::new(control, vec![ORIGIN.parse().expect("a header value")]);
        let registry = Registry::new();
        api.register(&registry).expect("new names");
        let router = router(api);
        let answers = Mutex::new(Vec::new());
        Self {
            router,
            clock,
            keys,
            database,
            platform,
            vault,
            vault_socket,
            runtime,
            fleet,
            registry,
            answers,
        }
    }

    /// A controller of the installation's own nodes, all of which agree.
    pub(crate) fn controller(&self) -> Arc<Controller> {
        Controller::new(ControllerConfig {
            store: controller_store(&self.database),
            clock: self.clock.clone(),
            credential_key: Secret::from(vec![1; 32]),
            fleet: self.fleet.clone(),
            vault: self.vault.clone(),
            nodes: Arc::new(Agreeing),
            enrolment_url: "http://127.0.0.1:9".to_owned(),
            cluster_enrolment_url: None,
        })
    }

    /// What Prometheus would read.
    pub(crate) fn metrics(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).expect("text")
    }

    /// Sends a request with any headers.
    pub(crate) async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.expect("a router always answers")
    }

    pub(crate) async fn answer(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.send(request).await.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        self.answers.lock().expect("no test panics while holding it").push(text);
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Sends a request with a bearer token, headers and a JSON body.
    pub(crate) async fn call(
        &self,
        token: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.answer(request.body(body).expect("a request")).await
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        self.call(token, "GET", path, &[], None).await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.call(token, "POST", path, &[], Some(body)).await
    }

    /// Signs in; the value of the session cookie.
    pub(crate) async fn sign_in(&self, tenant: &str) -> String {
        let body = json!({ "tenant": tenant, "email": email(tenant), "password": PASSWORD });
        let answer = self.post("", "/v1/sessions", &body).await.expect(StatusCode::CREATED);
        let line = answer.headers[header::SET_COOKIE].to_str().expect("text").to_owned();
        line.split(';').next().expect("a pair").to_owned()
    }

    /// A tenant, made as people make one: by the platform's operator, then by its administrator.
    pub(crate) async fn tenant(&self, name: &str) -> Tenant {
        let body = json!({
            "name": name, "display_name": name,
            "administrator": { "email": email(name), "display_name": "Ana", "password": PASSWORD }
        });
        let made = self.post(&self.platform, "/v1/tenants", &body).await;
        let id = made.expect(StatusCode::CREATED).text("/id");
        let cookie = self.sign_in(name).await;
        let key = json!({ "name": "main", "role": "tenant_admin" });
        let headers = [("cookie", cookie.as_str()), ("origin", ORIGIN)];
        let made = self.call("", "POST", "/v1/api-keys", &headers, Some(&key)).await;
        let token = made.expect(StatusCode::CREATED).text("/token");
        let key = SigningKey::generate().expect("randomness");
        Tenant { id, name: name.to_owned(), token, key }
    }

    pub(crate) async fn consortium(&self, owner: &Tenant, name: &str) -> String {
        let body = founding(owner, name);
        let made = self.post(&owner.token, "/v1/consortiums", &body).await;
        made.expect(StatusCode::CREATED).text("/id")
    }

    pub(crate) async fn invite(&self, owner: &Tenant, consortium: &str, guest: &Tenant) -> String {
        let path = format!("/v1/consortiums/{consortium}/invitations");
        let made = self.post(&owner.token, &path, &json!({ "tenant": guest.name })).await;
        made.expect(StatusCode::CREATED).text("/id")
    }

    pub(crate) async fn accept(&self, guest: &Tenant, consortium: &str, invitation: &str) {
        let path = format!("/v1/invitations/{invitation}/accept");
        let body = acceptance(guest, consortium, invitation);
        self.post(&guest.token, &path, &body).await.expect(StatusCode::OK);
    }

    pub(crate) async fn ledger(&self, owner: &Tenant, consortium: &str, body: &Value) -> String {
        let path = format!("/v1/consortiums/{consortium}/ledgers");
        self.post(&owner.token, &path, body).await.expect(StatusCode::CREATED).text("/id")
    }

    /// A cluster that nobody has connected to; its id.
    pub(crate) async fn cluster(&self, name: &str) -> String {
        let digest = "0".repeat(64);
        let image = format!("registry.example/hansa-node@sha256:{digest}");
        let access = json!({ "kind": "kubeconfig", "kubeconfig": "token: hunter2" });
        let body = json!({ "name": name, "access": access, "settings": { "image": image } });
        let made = self.post(&self.platform, "/v1/clusters", &body).await;
        made.expect(StatusCode::CREATED).text("/id")
    }

    /// A node; its id.
    pub(crate) async fn node(&self, member: &Tenant, ledger: &str, name: &str) -> String {
        let path = format!("/v1/ledgers/{ledger}/nodes");
        let asked = self.post(&member.token, &path, &json!({ "name": name })).await;
        asked.expect(StatusCode::ACCEPTED).text("/target/node_id")
    }
}

impl Answer {
    /// The answer, if it has this status; otherwise the test fails with what came instead.
    #[track_caller]
    pub(crate) fn expect(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{:#}", self.body);
        self
    }

    /// A problem of this code.
    #[track_caller]
    pub(crate) fn expect_problem(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status.as_u16(), &self.body["code"]),
            (status, &json!(code)),
            "{:#}",
            self.body
        );
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(self.headers["x-request-id"], self.body["request_id"].as_str().expect("an id"));
    }

    #[track_caller]
    pub(crate) fn text(&self, pointer: &str) -> String {
        let value = self.body.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("no {pointer} in {:#}", self.body)).to_owned()
    }
}

pub(crate) fn email(tenant: &str) -> String {
    format!("ana@{tenant}.example")
}

/// The body that founds a consortium, signed.
pub(crate) fn founding(owner: &Tenant, name: &str) -> Value {
    let key = owner.key.public_key();
    let (consortium, member) = (name.parse().expect("a name"), owner.name.parse().expect("a name"));
    let statement = Found {
        tenant: owner.id.parse().expect("an id"),
        consortium: &consortium,
        member: &member,
        administrator_key: key.0.into(),
    };
    let signature = owner.key.sign(&Digest::of(&statement.bytes()));
    json!({
        "name": name, "display_name": name,
        "administrator_key": key.to_string(), "signature": signature.to_string()
    })
}

/// The body that accepts an invitation, signed.
pub(crate) fn acceptance(guest: &Tenant, consortium: &str, invitation: &str) -> Value {
    let key = guest.key.public_key();
    let member = guest.name.parse().expect("a name");
    let statement = Accept {
        invitation: invitation.parse().expect("an id"),
        consortium: consortium.parse().expect("an id"),
        tenant: guest.id.parse().expect("an id"),
        member: &member,
        administrator_key: key.0.into(),
    };
    let signature = guest.key.sign(&Digest::of(&statement.bytes()));
    json!({ "administrator_key": key.to_string(), "signature": signature.to_string() })
}
