//! PostgreSQL ends in the middle of work.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures::future::join_all;
use hansa_postgres::TestCluster;
use hansa_store::testing::database_in;
use http::{StatusCode, header};

use crate::fixture::{Installation, founding};

/// This test ends its server, so it has one of its own.
static OWN_CLUSTER: TestCluster = TestCluster::new();

/// How soon after the server's return requests must succeed.
const RECOVERY_MAX: Duration = Duration::from_secs(10);

/// a crash of the database under load loses nothing that was acknowledged, is answered with
/// 503 and a time to come back, and is over soon after the server is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_a_crash_of_the_database_loses_nothing_acknowledged() {
    let hansa = Installation::on(database_in(&OWN_CLUSTER).await).await;
    let alpha = hansa.tenant("alpha").await;
    let over = AtomicBool::new(false);
    let (hansa, alpha, over) = (&hansa, &alpha, &over);
    let load = join_all((0..4).map(|worker| async move {
        let mut acknowledged = Vec::new();
        let mut unavailable = 0;
        for number in 0..20 {
            let name = format!("c-{worker}-{number}");
            let body = founding(alpha, &name);
            let key = [("idempotency-key", name.as_str())];
            // Repeats until it is acknowledged, as a client would: the key keeps it one effect.
            loop {
                let answer =
                    hansa.call(&alpha.token, "POST", "/v1/consortiums", &key, Some(&body)).await;
                match answer.status {
                    StatusCode::CREATED => break acknowledged.push(name),
                    StatusCode::SERVICE_UNAVAILABLE => {
                        assert!(answer.headers.contains_key(header::RETRY_AFTER), "when to return");
                        unavailable += 1;
                    }
                    other => panic!("{other}: {:#}", answer.body),
                }
                if over.load(Ordering::SeqCst) && unavailable > 1_000 {
                    panic!("the API does not recover");
                }
            }
        }
        (acknowledged, unavailable)
    }));
    let crash = async {
        hansa.database.crash_server().await;
        hansa.get(&alpha.token, "/v1/me").await.expect_problem(503, "unavailable");
        hansa.database.revive_server().await;
        let back = Instant::now();
        while hansa.get(&alpha.token, "/v1/me").await.status != StatusCode::OK {
            assert!(back.elapsed() < RECOVERY_MAX, "the API must recover by itself");
        }
        // Reading is not enough: a change goes through the other pool and the trail.
        let key = serde_json::json!({ "name": "after", "role": "viewer" });
        while hansa.post(&alpha.token, "/v1/api-keys", &key).await.status != StatusCode::CREATED {
            assert!(back.elapsed() < RECOVERY_MAX, "changes must succeed again, too");
        }
        over.store(true, Ordering::SeqCst);
    };
    let (workers, ()) = tokio::join!(load, crash);
    assert!(workers.iter().any(|(_, unavailable)| *unavailable > 0), "the crash hit no request");

    let mut kept = Vec::new();
    let mut path = "/v1/consortiums?page_size=200".to_owned();
    loop {
        let page = hansa.get(&alpha.token, &path).await.expect(StatusCode::OK);
        for item in page.body["items"].as_array().expect("items") {
            kept.push(item["name"].as_str().expect("a name").to_owned());
        }
        let Some(next) = page.body["next_page_token"].as_str() else { break };
        path = format!("/v1/consortiums?page_size=200&page_token={next}");
    }
    let mut acknowledged: Vec<String> = workers.into_iter().flat_map(|(names, _)| names).collect();
    acknowledged.sort();
    kept.sort();
    assert_eq!(
        kept, acknowledged,
        "each acknowledged request has one effect, and nothing else has"
    );
}
