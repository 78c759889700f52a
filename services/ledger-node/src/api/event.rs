//! The event stream.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event as SseEvent, KeepAlive},
    },
};
use futures::stream;
use ledger_types::{BlockHeader, Digest, message::DecidedBlock};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, broadcast::error::RecvError};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Answer, Integrity, Request, Shared,
    openapi::example,
    problem::{Code, Problem},
};
use crate::{
    events::{Announcement, BlockExecuted, Followed, Happened},
    incident::Incident,
};

/// Streams that may be open at the same time.
pub(super) const STREAMS_MAX: usize = 64;
/// Blocks that a stream may go back to.
const RESUME_HEIGHTS_MAX: u64 = 1_000;
/// Longest silence on a stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(event_stream))
}

pub(super) const PROBLEMS: [(&str, &[Code]); 1] =
    [("event_stream", &[Code::InvalidEventId, Code::EventsGone, Code::TooManyStreams])];

/// How the node stands as a stream begins.
#[derive(Debug, Serialize, ToSchema)]
struct Standing {
    /// Last executed height: blocks after it follow as they are executed.
    executed_height: u64,
    /// Its execution root.
    execution_root: Digest,
    /// Whether the node trusts its own disk.
    integrity: Integrity,
    /// What is wrong and not put right yet.
    open_incidents: Vec<Incident>,
}

/// The node trusts its disk again, or no longer.
#[derive(Debug, Serialize, ToSchema)]
struct IntegrityChanged {
    integrity: Integrity,
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CutReason {
    /// The reader fell behind by more events than are kept for it.
    TooSlow,
    /// A block to go back to cannot be read at this moment.
    BlockUnreadable,
    /// The node stops.
    Stopping,
}

/// The last event of a stream. Come back with the last `id`.
#[derive(Debug, Serialize, ToSchema)]
struct CutOff {
    reason: CutReason,
}

/// What an event's `data` is; `event:` names which.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it describes the stream; events are written one by one")]
enum EventData {
    /// `standing`, always the first.
    Standing(Standing),
    /// `block`.
    Block(BlockExecuted),
    /// `incident_opened` and `incident_resolved`.
    Incident(Incident),
    /// `integrity`.
    Integrity(IntegrityChanged),
    /// `cut_off`, the last.
    CutOff(CutOff),
}

/// Follow the node
///
/// Server-sent events. First `standing`: heights, integrity and open incidents. Then one `block`
/// for each block that the node executes, `incident_opened`, `incident_resolved` and `integrity`.
/// An event's `id` is the executed height that it came at, so ids never fall; after a break, send
/// the last one as `Last-Event-ID` and blocks go on after it, at most 1,000 back: further back the
/// answer is 410 `events_gone`. What was opened or resolved in between is in `standing` and
/// `/v1/incidents`. A reader that falls behind is cut off by `cut_off` with the reason. While
/// nothing happens a comment comes every 15 seconds.
#[utoipa::path(
    get, path = "/v1/events", tag = "node",
    params(("Last-Event-ID" = Option<u64>, Header, description = "The last height seen",
        example = 5)),
    responses((status = 200, description = "The stream", content_type = "text/event-stream",
        body = EventData, example = json!(example::EVENTS))),
)]
async fn event_stream(State(shared): State<Shared>, headers: HeaderMap) -> Answer<Response> {
    let last = last_event_id(&headers)?;
    let place = shared.streams.clone().try_acquire_owned().map_err(|_| {
        let text = format!("{STREAMS_MAX} event streams are open; try again");
        Problem::new(Code::TooManyStreams, text)
    })?;
    let followed = shared.ask(Request::Follow).await?;
    let last = begin_after(last, followed.status.executed_height)?;
    let stream = Stream { shared, followed, last, step: Step::Begin, _place: place };
    let events = stream::unfold(stream, |mut stream| async move {
        let event = stream.next().await?;
        Some((Ok::<_, Infallible>(event), stream))
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    headers.insert(unbuffered, HeaderValue::from_static("no"));
    Ok(response)
}

fn last_event_id(headers: &HeaderMap) -> Answer<Option<u64>> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let height = value.to_str().ok().and_then(|text| text.parse().ok());
    let wrong = || Problem::new(Code::InvalidEventId, "Last-Event-ID is a height");
    height.map(Some).ok_or_else(wrong)
}

/// The height that a stream goes on after.
fn begin_after(last: Option<u64>, executed: u64) -> Answer<u64> {
    let last = last.unwrap_or(executed);
    let oldest = executed.saturating_sub(RESUME_HEIGHTS_MAX);
    if last < oldest {
        let text = format!("events go back to height {oldest}, not to {last}: read anew");
        return Err(Problem::new(Code::EventsGone, text));
    }
    Ok(last)
}

/// Where a stream is.
enum Step {
    Begin,
    /// Goes back to blocks after `last`; the next one's header, if it is known already, is with it.
    Replay(Option<DecidedBlock>),
    Live,
    End,
}

struct Stream {
    shared: Shared,
    followed: Followed,
    /// The last height that the reader has.
    last: u64,
    step: Step,
    _place: OwnedSemaphorePermit,
}

impl Stream {
    /// `None` when the stream is over.
    async fn next(&mut self) -> Option<SseEvent> {
        let event = match std::mem::replace(&mut self.step, Step::End) {
            Step::Begin => {
                self.step = Step::Replay(None);
                self.standing()
            }
            Step::Replay(known) if self.last < self.followed.status.executed_height => {
                self.replay(known).await
            }
            Step::Replay(_) | Step::Live => {
                self.step = Step::Live;
                self.live().await
            }
            Step::End => return None,
        };
        // Everything here is JSON.
        event.ok()
    }

    /// It has no id when there is something to go back to: whoever breaks off now begins again.
    fn standing(&self) -> Result<SseEvent, axum::Error> {
        let Followed { status, open_incidents, .. } = &self.followed;
        let standing = Standing {
            executed_height: status.executed_height,
            execution_root: status.execution_root,
            integrity: status.integrity,
            open_incidents: open_incidents.clone(),
        };
        let event = SseEvent::default().event("standing").json_data(standing)?;
        let is_new = self.last >= status.executed_height;
        Ok(if is_new { event.id(self.last.to_string()) } else { event })
    }

    async fn replay(&mut self, known: Option<DecidedBlock>) -> Result<SseEvent, axum::Error> {
        let height = self.last + 1;
        let decided = match known {
            Some(decided) => Some(decided),
            None => self.block(height).await,
        };
        let Some(decided) = decided else { return self.cut_off(CutReason::BlockUnreadable) };
        let status = &self.followed.status;
        // A block's root is in the next header; the last one's in the status.
        let (next, root) = if height == status.executed_height {
            (None, status.execution_root)
        } else {
            let next = self.block(height + 1).await;
            let Some(next) = next else { return self.cut_off(CutReason::BlockUnreadable) };
            let root = next.block.header.executed.root;
            (Some(next), root)
        };
        let BlockHeader { transaction_count, .. } = &decided.block.header;
        let block = BlockExecuted {
            height,
            digest: decided.certificate.block,
            transactions: *transaction_count,
            execution_root: root,
        };
        self.step = Step::Replay(next);
        self.block_event(&block)
    }

    async fn block(&self, height: u64) -> Option<DecidedBlock> {
        self.shared.look_up(|answer| Request::Block(height, answer)).await.ok().flatten()
    }

    async fn live(&mut self) -> Result<SseEvent, axum::Error> {
        loop {
            let announced = match self.followed.queue.recv().await {
                Ok(announced) => announced,
                Err(RecvError::Lagged(_)) => return self.cut_off(CutReason::TooSlow),
                Err(RecvError::Closed) => return self.cut_off(CutReason::Stopping),
            };
            let Announcement { height, happened } = &*announced;
            let id = height.max(&self.last).to_string();
            return match happened {
                // The reader may be ahead of a node that is catching up.
                Happened::Block(block) if block.height <= self.last => continue,
                Happened::Block(block) => self.block_event(block),
                Happened::IncidentOpened(incident) => {
                    SseEvent::default().event("incident_opened").id(id).json_data(incident)
                }
                Happened::IncidentResolved(incident) => {
                    SseEvent::default().event("incident_resolved").id(id).json_data(incident)
                }
                Happened::Integrity(integrity) => {
                    let integrity = IntegrityChanged { integrity: *integrity };
                    SseEvent::default().event("integrity").id(id).json_data(integrity)
                }
            };
        }
    }

    fn block_event(&mut self, block: &BlockExecuted) -> Result<SseEvent, axum::Error> {
        self.last = block.height;
        SseEvent::default().event("block").id(block.height.to_string()).json_data(block)
    }

    fn cut_off(&mut self, reason: CutReason) -> Result<SseEvent, axum::Error> {
        self.step = Step::End;
        SseEvent::default().event("cut_off").json_data(CutOff { reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that was away for long must read anew, not get a stream with a hole in it.
    #[test]
    fn a_stream_goes_back_a_bounded_way() {
        assert_eq!(begin_after(None, 5_000).ok(), Some(5_000));
        assert_eq!(begin_after(Some(4_000), 5_000).ok(), Some(4_000));
        let gone = begin_after(Some(3_999), 5_000).map_err(IntoResponse::into_response);
        assert_eq!(gone.expect_err("too far back").status().as_u16(), 410);
        assert_eq!(begin_after(Some(9), 5).ok(), Some(9), "the reader knows more than this node");
    }
}
