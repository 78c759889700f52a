//! The event stream.

use std::convert::Infallible;

use axum::{
    extract::State,
    response::{IntoResponse, Response, Sse, sse::Event as SseEvent},
};
use futures::stream;
use hansa_control::{EventStream, Sent};
use hansa_types::Event;
use http::{HeaderName, HeaderValue, header};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::Answer,
    extract::{Caller, LastEventId},
    server::Api,
};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(event_stream))
}

/// Follow events
///
/// Server-sent events: each says that something changed, not how. After a break, send the last
/// `id` as `Last-Event-ID`; if events since then are gone, the answer is 410 and you read anew.
#[utoipa::path(
    get, path = "/v1/events", tag = "events",
    params(("Last-Event-ID" = Option<String>, Header, description = "The last event seen")),
    responses(
        (status = 200, description = "The stream", content_type = "text/event-stream", body = Event),
    ),
)]
async fn event_stream(
    State(api): State<Api>,
    caller: Caller,
    LastEventId(last): LastEventId,
) -> Answer<Response> {
    let events =
        api.control.event_stream(&caller.context, caller.credential, last.as_deref()).await?;
    let mut response = Sse::new(stream::unfold(Place::Begin(events), next)).into_response();
    let headers = response.headers_mut();
    let uncached = HeaderValue::from_static("no-cache, no-transform");
    headers.insert(header::CACHE_CONTROL, uncached);
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    headers.insert(unbuffered, HeaderValue::from_static("no"));
    Ok(response)
}

/// Where a stream is: proxies drop one that stays silent at its beginning.
enum Place {
    Begin(EventStream),
    Going(EventStream),
}

async fn next(place: Place) -> Option<(Result<SseEvent, Infallible>, Place)> {
    let mut events = match place {
        Place::Begin(events) => {
            return Some((Ok(SseEvent::default().comment("connected")), Place::Going(events)));
        }
        Place::Going(events) => events,
    };
    let sent = match events.next().await {
        Ok(Sent::Event { id, event }) => {
            let kind = event.kind.as_str();
            SseEvent::default().id(id).event(kind).json_data(event).ok()?
        }
        Ok(Sent::Silence) => SseEvent::default().comment("keepalive"),
        // The reader comes back with the last id that it saw.
        Err(error) => {
            tracing::info!(%error, "an event stream ended");
            return None;
        }
    };
    Some((Ok(sent), Place::Going(events)))
}
