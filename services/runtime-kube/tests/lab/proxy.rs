//! A server before the cluster's own: it passes everything on, and refuses everything when it is told to.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{Response, StatusCode, header},
    response::IntoResponse as _,
};
use hansa_core::ConsortiumId;
use hansa_runtime::{Runtime as _, RuntimeError, conformance::Patient};
use hansa_runtime_kube::testing::{object, runs};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{Cluster, spec};

/// Bytes of a request's body.
const BODY_MAX: usize = 1 << 20;

/// It ends when this is dropped.
struct Proxy {
    way: Arc<Way>,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

/// To the cluster, with the rights of a kubeconfig.
struct Way {
    client: Client,
    /// What everything is answered with; 0 while all is passed on.
    refusal: AtomicU16,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Proxy {
    async fn start(kubeconfig: &str) -> Self {
        let read = Kubeconfig::from_yaml(kubeconfig).expect("a kubeconfig");
        let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await;
        let client = Client::try_from(config.expect("a configuration")).expect("a client");
        let way = Arc::new(Way { client, refusal: AtomicU16::new(0) });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let router = Router::new().fallback(pass).with_state(Arc::clone(&way));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a listener goes on");
        });
        Self { way, address, serving }
    }

    /// Answers everything with this status from now on, or passes it on.
    fn refuse(&self, status: Option<u16>) {
        self.way.refusal.store(status.unwrap_or_default(), Ordering::SeqCst);
    }

    fn kubeconfig(&self) -> String {
        let cluster = json!({ "server": format!("http://{}", self.address) });
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proxy",
            "clusters": [{ "name": "proxy", "cluster": cluster }],
            "users": [{ "name": "proxy", "user": { "token": "the proxy has its own" } }],
            "contexts": [{ "name": "proxy", "context": { "cluster": "proxy", "user": "proxy" } }],
        })
        .to_string()
    }
}

async fn pass(State(way): State<Arc<Way>>, request: Request) -> Response<Body> {
    let refusal = way.refusal.load(Ordering::SeqCst);
    if let Some(status) = StatusCode::from_u16(refusal).ok().filter(|_| refusal != 0) {
        let body = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "code": refusal,
                           "status": "Failure", "reason": "Refused", "message": "by the proxy" });
        return (status, Json(body)).into_response();
    }
    let (mut parts, body) = request.into_parts();
    for own in [header::HOST, header::AUTHORIZATION] {
        parts.headers.remove(own);
    }
    let Ok(body) = to_bytes(body, BODY_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    match way.client.send(Request::from_parts(parts, body.to_vec().into())).await {
        Ok(answer) => answer.map(Body::new),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

/// A server that is overloaded or broken for a while is told as away; what runs goes on, and what was wished
/// meanwhile is done once.
pub(crate) async fn an_overloaded_server_is_away_and_comes_back(cluster: &Cluster) {
    let proxy = Proxy::start(&cluster.kubeconfig).await;
    let driver = cluster.through("behind-a-proxy", proxy.kubeconfig()).await;
    let runtime = &driver.runtime;
    let running = spec(ConsortiumId::new(), "running");
    Patient(&**runtime).apply(&running).await;
    let before = Patient(&**runtime).until(running.node, "running", runs).await;
    for status in [429, 500, 503] {
        let wished = spec(running.consortium, &format!("wished-{status}"));
        proxy.refuse(Some(status));
        let refused = runtime.apply(&wished).await;
        assert!(matches!(refused, Err(RuntimeError::Unreachable(_))), "{status}: {refused:?}");
        proxy.refuse(None);
        Patient(&**runtime).apply(&wished).await;
        Patient(&**runtime).until(wished.node, "running", runs).await;
        Patient(&**runtime).remove(wished.node).await;
    }
    let after = Patient(&**runtime).observe(running.node).await.expect("it runs");
    assert_eq!(before.placement, after.placement, "what runs was touched");
    let (namespace, _) = object(&after);
    let pods = ["get", "pods", "--namespace", &namespace, "--output", "name"];
    let began = std::time::Instant::now();
    while cluster.kubectl(&pods).lines().count() != 1 {
        assert!(began.elapsed() < crate::DEADLINE, "what was removed stays");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    Patient(&**runtime).remove(running.node).await;
}
