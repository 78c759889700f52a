//! What Prometheus is told of the API.

use http::StatusCode;

use crate::fixture::Installation;

/// Requests are counted by what they are for and how they end, and nothing that a caller sends
/// becomes a label: a scanner must not be able to fill the memory of this process or of Prometheus.
#[tokio::test]
async fn requests_are_counted_by_closed_labels() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    hansa.consortium(&alpha, "demo").await;
    hansa.get(&alpha.token, "/v1/consortiums").await.expect(StatusCode::OK);
    let id = hansa_core::Uuid::now_v7();
    hansa.get(&alpha.token, &format!("/v1/consortiums/{id}")).await;
    hansa.get("", "/v1/sentinel-path").await;
    hansa.call(&alpha.token, "PROPFIND", "/v1/consortiums", &[], None).await;
    hansa.get("", "/healthz").await;
    let text = hansa.metrics();
    for line in [
        "hansa_api_requests_total{operation=\"consortium_create\",status=\"2xx\"} 1",
        "hansa_api_requests_total{operation=\"consortium_list\",status=\"2xx\"} 1",
        "hansa_api_requests_total{operation=\"consortium_get\",status=\"4xx\"} 1",
        "hansa_api_request_seconds_count{operation=\"consortium_list\"} 1",
        "hansa_api_requests_in_flight 0",
        "hansa_api_problems_total{code=\"method_not_allowed\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
    assert!(text.contains("operation=\"other\",status=\"4xx\""), "{text}");
    for sent in [id.to_string().as_str(), "sentinel", "PROPFIND", alpha.id.as_str(), "/v1/"] {
        assert!(!text.contains(sent), "{sent} became a label:\n{text}");
    }
}

/// S-65: metrics are for whoever runs the machine, never on the port that clients reach.
#[tokio::test]
async fn s65_the_public_port_shows_no_metrics() {
    let hansa = Installation::new().await;
    for path in ["/metrics", "/v1/metrics", "/debug", "/debug/pprof"] {
        hansa.get("", path).await.expect_problem(404, "not_found");
    }
}
