//! A cluster in memory, for runs of seconds: an API server that keeps objects, versions and watches,
//! the controllers that this driver relies on, and faults on demand.
//!
//! It passes the drivers' suite as a real one does; where they differ, the real one is right. Pods
//! start and end at once, and nothing runs in them.

mod answer;
mod controllers;
mod faults;
mod kinds;
mod objects;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::Router;
use hansa_core::Secret;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

pub use faults::{Fault, Which};

use crate::config::Access;
use faults::Faults;
use kinds::Kind;
use objects::{Key, Objects};

/// A cluster that ends when this is dropped.
#[derive(Debug)]
pub struct FakeCluster {
    server: Arc<Server>,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

/// What requests are answered from.
#[derive(Debug)]
struct Server {
    objects: Mutex<Objects>,
    /// The version of the newest change: watches wait for it.
    version: watch::Sender<u64>,
    faults: Faults,
}

impl Server {
    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something, lets the controllers follow, and wakes the watches.
    fn change<T>(&self, change: impl FnOnce(&mut Objects) -> T) -> T {
        let mut objects = self.objects();
        let changed = change(&mut objects);
        controllers::settle(&mut objects);
        self.version.send_replace(objects.version());
        changed
    }
}

impl Drop for FakeCluster {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl FakeCluster {
    /// Starts one on a free port of this machine.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let server = Arc::new(Server {
            objects: Mutex::new(Objects::default()),
            version: watch::Sender::new(0),
            faults: Faults::default(),
        });
        let router = Router::new().fallback(answer::answer).with_state(Arc::clone(&server));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a listener goes on");
        });
        Self { server, address, serving }
    }

    /// How a driver reaches it.
    #[must_use]
    pub fn access(&self) -> Access {
        Access::Kubeconfig(Secret::from(self.kubeconfig()))
    }

    /// The same, as a file has it.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        let cluster = json!({ "server": format!("http://{}", self.address) });
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{ "name": "fake", "cluster": cluster }],
            "users": [{ "name": "fake", "user": { "token": "fake" } }],
            "contexts": [{ "name": "fake", "context": { "cluster": "fake", "user": "fake" } }],
        })
        .to_string()
    }

    /// Lets something go wrong from now on; nothing, to let it be.
    pub fn fault(&self, fault: Option<Fault>) {
        self.server.faults.set(fault);
    }

    /// Ends every watch that runs.
    pub fn cut_watches(&self) {
        self.server.faults.cut();
    }

    /// Forgets what was changed before: a watch that asks for it is told to list anew.
    pub fn forget_history(&self) {
        self.server.objects().forget();
    }

    /// How many requests have changed something.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.server.objects().writes()
    }

    /// Every object of a kind, by the plural of its name.
    ///
    /// # Panics
    /// When no such kind is served.
    #[must_use]
    pub fn all(&self, plural: &str) -> Vec<Value> {
        self.server.objects().all(kind(plural)).cloned().collect()
    }

    /// Makes an object by hand, as it is.
    ///
    /// # Panics
    /// When no such kind is served.
    pub fn make(&self, plural: &str, namespace: &str, name: &str, object: Value) {
        let key = Key::new(kind(plural), namespace, name);
        self.server.change(|objects| objects.put(key, object));
    }

    /// Changes an object by hand.
    ///
    /// # Panics
    /// When it is not there.
    pub fn edit(&self, plural: &str, namespace: &str, name: &str, edit: impl FnOnce(&mut Value)) {
        let key = Key::new(kind(plural), namespace, name);
        self.server.change(|objects| {
            let mut object = objects.get(&key).expect("it is there").clone();
            edit(&mut object);
            objects.put(key, object);
        });
    }

    /// Deletes an object by hand; one that has finalisers stays until they are gone.
    ///
    /// # Panics
    /// When it is not there.
    pub fn delete(&self, plural: &str, namespace: &str, name: &str) {
        let key = Key::new(kind(plural), namespace, name);
        self.server.change(|objects| {
            assert!(objects.get(&key).is_some(), "{plural} {namespace}/{name} is not there");
            controllers::delete(objects, &key, "Background");
        });
    }

    /// Ends a pod's container as a crash would; it starts again at once.
    ///
    /// # Panics
    /// When there is no such pod.
    pub fn crash(&self, namespace: &str, pod: &str) {
        self.edit("pods", namespace, pod, controllers::crash);
    }
}

fn kind(plural: &str) -> &'static Kind {
    kinds::by_plural(plural).unwrap_or_else(|| panic!("no {plural} are served"))
}
