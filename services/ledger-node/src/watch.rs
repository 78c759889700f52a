//! What watches a node asks it, over plain HTTP on an address of its own: whether it is alive
//! (`/livez`), whether it takes part in the agreement (`/readyz`), and what Prometheus reads
//! (`/metrics`).
//!
//! Answered by a thread of its own, from the first moment: a node that waits for its genesis, or
//! reads its blocks again for minutes, is alive and must not be ended for it; one whose main thread
//! stands still is not.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};

use crate::metrics::Metrics;

/// A main thread that has not come round for so long stands still.
const BEAT_AGE_MAX: Duration = Duration::from_secs(30);
/// Blocks that may be decided and not yet executed while the node takes part.
const LAG_MAX: u64 = 10;

/// How far the node has come.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// It waits for its identity or its genesis.
    Enrolling,
    /// It reads what it has on disk.
    Starting,
    /// It serves.
    Serving { beat: Instant, standing: Standing },
}

/// What decides whether a serving node takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) may_vote: bool,
    pub(crate) quorum_reachable: bool,
    pub(crate) is_whole: bool,
    pub(crate) height: u64,
    pub(crate) executed_height: u64,
}

/// What is told to whoever watches.
#[derive(Debug)]
pub(crate) struct Watch {
    stage: Mutex<Stage>,
}

impl Watch {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { stage: Mutex::new(Stage::Enrolling) })
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().expect("no holder panics")
    }

    /// It has a genesis.
    pub(crate) fn starts(&self) {
        *self.stage() = Stage::Starting;
    }

    /// The main thread has come round.
    pub(crate) fn beats(&self, standing: Standing) {
        *self.stage() = Stage::Serving { beat: Instant::now(), standing };
    }
}

/// Why the node is not alive.
fn dead(stage: Stage, now: Instant) -> Option<&'static str> {
    match stage {
        Stage::Enrolling | Stage::Starting => None,
        Stage::Serving { beat, .. } => (now.saturating_duration_since(beat) > BEAT_AGE_MAX)
            .then_some("the main thread stands still"),
    }
}

/// Why the node does not take part.
fn apart(stage: Stage, now: Instant) -> Option<&'static str> {
    let standing = match stage {
        Stage::Enrolling => return Some("it waits for its genesis"),
        Stage::Starting => return Some("it reads its blocks"),
        Stage::Serving { standing, .. } => standing,
    };
    let Standing { may_vote, quorum_reachable, is_whole, height, executed_height } = standing;
    let checks = [
        (is_whole, "it is being repaired"),
        (quorum_reachable, "it does not reach enough validators"),
        (may_vote, "it does not vote"),
        (executed_height + LAG_MAX >= height, "its execution is behind"),
    ];
    dead(stage, now).or_else(|| checks.iter().find(|(holds, _)| !holds).map(|(_, why)| *why))
}

/// Answers from now on.
///
/// # Errors
/// When somebody else has the address.
pub(crate) fn start(address: SocketAddr, watch: Arc<Watch>, metrics: Arc<Metrics>) -> Result<()> {
    let listener = TcpListener::bind(address)
        .with_context(|| format!("cannot listen on {address} for metrics"))?;
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let router = Router::new()
        .route("/livez", get(async |State(watch): State<Arc<Watch>>| answer(&watch, dead)))
        .route("/readyz", get(async |State(watch): State<Arc<Watch>>| answer(&watch, apart)))
        .with_state(watch)
        .merge(Router::new().route("/metrics", get(show)).with_state(metrics));
    let serve =
        async move { axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await };
    let answer = move || {
        if let Err(error) = runtime.block_on(serve) {
            tracing::error!("metrics: {error}");
        }
    };
    thread::Builder::new().name("watch".into()).spawn(answer)?;
    Ok(())
}

fn answer(watch: &Watch, why: fn(Stage, Instant) -> Option<&'static str>) -> (StatusCode, String) {
    let stage = *watch.stage();
    match why(stage, Instant::now()) {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

async fn show(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], metrics.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Standing = Standing {
        may_vote: true,
        quorum_reachable: true,
        is_whole: true,
        height: 20,
        executed_height: 19,
    };

    #[test]
    fn a_node_that_waits_is_alive_and_one_that_stands_still_is_not() {
        // Whoever ends nodes that are not alive must not end one that waits for its members.
        let now = Instant::now();
        let late = now + BEAT_AGE_MAX + Duration::from_secs(1);
        let serving = Stage::Serving { beat: now, standing: WELL };
        for stage in [Stage::Enrolling, Stage::Starting] {
            assert_eq!(dead(stage, late), None);
            assert!(apart(stage, now).is_some(), "it takes no part yet");
        }
        assert_eq!((dead(serving, now), apart(serving, now)), (None, None));
        assert!(dead(serving, late).is_some() && apart(serving, late).is_some());
    }

    #[test]
    fn each_reason_not_to_take_part_is_told_and_ends_no_node() {
        // A partition or a repair is no reason to restart a node, which would make it worse.
        let now = Instant::now();
        let cases = [
            Standing { may_vote: false, ..WELL },
            Standing { quorum_reachable: false, ..WELL },
            Standing { is_whole: false, ..WELL },
            Standing { executed_height: 9, ..WELL },
        ];
        let mut told = std::collections::BTreeSet::new();
        for standing in cases {
            let stage = Stage::Serving { beat: now, standing };
            told.extend(apart(stage, now));
            assert_eq!(dead(stage, now), None, "{standing:?}");
        }
        assert_eq!(told.len(), cases.len(), "each has its own words: {told:?}");
    }
}
