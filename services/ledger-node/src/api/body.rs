//! Bodies: bounded each, bounded together, and in time.

use std::{future::poll_fn, pin::pin, time::Duration};

use axum::{
    body::{Body as Stream, Bytes},
    extract::{FromRequest, Request},
};
use hyper::body::Body as _;
use tokio::{
    sync::{OwnedSemaphorePermit, TryAcquireError},
    time::timeout,
};

use super::{
    Shared,
    problem::{Answer, Code, Problem},
};

/// Bytes of one body at most.
pub(super) const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// KiB of all bodies in memory at most. What has not arrived yet takes no room: a client that
/// announces much and sends little holds up nobody.
pub(super) const BODIES_KIB_MAX: usize = 256 * 1024;
/// How long a body may take to arrive.
const BODY_TIME_MAX: Duration = Duration::from_secs(20);

/// A body that has arrived, and its room.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl FromRequest<Shared> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, shared: &Shared) -> Answer<Self> {
        match timeout(BODY_TIME_MAX, read(request.into_body(), shared)).await {
            Ok(read) => read,
            Err(_) => {
                let text = format!("a body must arrive within {} s", BODY_TIME_MAX.as_secs());
                Err(Problem::new(Code::BodyTooSlow, text))
            }
        }
    }
}

async fn read(stream: Stream, shared: &Shared) -> Answer<Body> {
    let mut stream = pin!(stream);
    let mut bytes = Vec::new();
    let mut room: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = poll_fn(|cx| stream.as_mut().poll_frame(cx)).await {
        let broken = |error: axum::Error| Problem::new(Code::InvalidBody, error.to_string());
        let Ok(part) = frame.map_err(broken)?.into_data() else { continue };
        if bytes.len() + part.len() > BODY_BYTES_MAX {
            let text = format!("a body has at most {BODY_BYTES_MAX} bytes");
            return Err(Problem::new(Code::BodyTooLarge, text));
        }
        bytes.extend_from_slice(&part);
        let held = room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.len().div_ceil(1024).saturating_sub(held);
        let more = u32::try_from(more).expect("a body is bounded");
        match shared.bodies.clone().try_acquire_many_owned(more) {
            Ok(permit) => match &mut room {
                Some(room) => room.merge(permit),
                None => room = Some(permit),
            },
            Err(TryAcquireError::NoPermits) => {
                return Err(Problem::new(Code::Busy, "too many requests are being read"));
            }
            Err(TryAcquireError::Closed) => return Err(Problem::stopping()),
        }
    }
    Ok(Body { bytes: bytes.into(), _room: room })
}
