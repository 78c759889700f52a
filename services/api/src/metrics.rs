//! How requests do, for Prometheus. Every label is one of a closed list: an operation of the
//! document, a class of status, a code of a problem. Nothing that a caller sends becomes a label.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use hansa_types::Code;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry, core::Collector,
};

use crate::openapi::operation_of;

/// Seconds of a request: long polls wait up to a minute.
const SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];

#[derive(Debug)]
pub(crate) struct Metrics {
    requests: IntCounterVec,
    seconds: HistogramVec,
    in_flight: IntGauge,
    problems: IntCounterVec,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            IntCounterVec::new(Opts::new(name, help), labels).expect("a name and its labels")
        };
        let seconds = HistogramOpts::new(
            "hansa_api_request_seconds",
            "From the arrival of a request to the head of its answer.",
        );
        Self {
            requests: counter(
                "hansa_api_requests_total",
                "Requests, by operation and class of status.",
                &["operation", "status"],
            ),
            seconds: HistogramVec::new(seconds.buckets(SECONDS.to_vec()), &["operation"])
                .expect("a name and a label"),
            in_flight: IntGauge::new("hansa_api_requests_in_flight", "Requests being answered.")
                .expect("a name and its help"),
            problems: counter("hansa_api_problems_total", "Problems, by code.", &["code"]),
        }
    }

    pub(crate) fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        let Self { requests, seconds, in_flight, problems } = self;
        let all: [Box<dyn Collector>; 4] = [
            Box::new(requests.clone()),
            Box::new(seconds.clone()),
            Box::new(in_flight.clone()),
            Box::new(problems.clone()),
        ];
        all.into_iter().try_for_each(|collector| registry.register(collector))
    }
}

/// The outermost layer: measures each request.
pub(crate) async fn measure(
    State(metrics): State<Arc<Metrics>>,
    request: Request,
    next: Next,
) -> Response {
    let operation = label(&request);
    let began = Instant::now();
    let running = InFlight::enter(&metrics.in_flight);
    let response = next.run(request).await;
    drop(running);
    metrics.seconds.with_label_values(&[operation]).observe(began.elapsed().as_secs_f64());
    let status = class(response.status().as_u16());
    metrics.requests.with_label_values(&[operation, status]).inc();
    if let Some(code) = response.extensions().get::<Code>() {
        metrics.problems.with_label_values(&[code.as_str()]).inc();
    }
    response
}

/// An operation of the document, `enrolment` for what nodes ask, `other` for the rest.
fn label(request: &Request) -> &'static str {
    operation_of(request).unwrap_or_else(|| {
        let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
        if path.starts_with("/enrolment/") { "enrolment" } else { "other" }
    })
}

const fn class(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

/// A request whose client goes away is dropped in the middle: it is not in flight any more.
struct InFlight<'m>(&'m IntGauge);

impl<'m> InFlight<'m> {
    fn enter(gauge: &'m IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}
