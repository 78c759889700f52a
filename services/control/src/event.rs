//! The event stream of the caller's tenant.

use std::{collections::VecDeque, sync::Arc};

use hansa_authz::{Action, OpContext, Subject};
use hansa_core::{Error, Result, Rule, limits};
use hansa_store::EventPosition;
use hansa_types::Event;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use crate::{control_plane::ControlPlane, identity::CredentialId, waiters::Place};

/// What a stream sends.
#[derive(Clone, Debug)]
pub enum Sent {
    /// An event, with the place to go on after.
    Event {
        /// Send it back as `Last-Event-ID`.
        id: String,
        /// What changed.
        event: Event,
    },
    /// Nothing happened for a while.
    Silence,
}

/// A caller's place in the event stream. Nothing is read ahead of the caller beyond one portion.
#[derive(Debug)]
pub struct EventStream {
    control: Arc<ControlPlane>,
    context: OpContext,
    credential: CredentialId,
    checked_at: Instant,
    after: EventPosition,
    ready: VecDeque<(EventPosition, Event)>,
    changes: watch::Receiver<u64>,
    _place: Place,
}

impl ControlPlane {
    /// Opens the stream after an event, or at its end.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::Invalid`] for an id that is none,
    /// [`hansa_core::Refusal::EventsExpired`], [`Error::Busy`].
    pub async fn event_stream(
        self: &Arc<Self>,
        context: &OpContext,
        credential: CredentialId,
        last_event_id: Option<&str>,
    ) -> Result<EventStream> {
        context.authorize(Action::Read, Subject::Events)?;
        let place = self.waiters.take(context.tenant_scope()?.tenant())?;
        let changes = self.changes.clone();
        let mut tx = self.reading(context).await?;
        let (after, ready) = match last_event_id {
            None => (tx.event_end().await?, Vec::new()),
            Some(id) => {
                let not_ours =
                    |()| Error::invalid("Last-Event-ID", Rule::Format, "not an id of this stream");
                let after = id.parse().map_err(not_ours)?;
                (after, tx.event_list(after, limits::EVENTS_READ_MAX).await?)
            }
        };
        Ok(EventStream {
            control: Arc::clone(self),
            context: context.clone(),
            credential,
            checked_at: Instant::now(),
            after,
            ready: ready.into(),
            changes,
            _place: place,
        })
    }
}

impl EventStream {
    /// The next thing to send; it takes as long as the keep-alive at most.
    ///
    /// # Errors
    /// When the credential is in force no more, the database does not answer or the place was
    /// removed meanwhile: the caller reconnects.
    pub async fn next(&mut self) -> Result<Sent> {
        let until = Instant::now() + limits::STREAM_KEEPALIVE;
        loop {
            // A stream outlives many requests: its credential is checked again and again.
            if self.checked_at.elapsed() >= limits::CREDENTIAL_CHECKED_EVERY {
                self.control.check_in_force(self.credential, &self.context).await?;
                self.checked_at = Instant::now();
            }
            if let Some((position, event)) = self.ready.pop_front() {
                self.after = position;
                return Ok(Sent::Event { id: position.to_string(), event });
            }
            self.changes.borrow_and_update();
            let mut tx = self.control.reading(&self.context).await?;
            self.ready = tx.event_list(self.after, limits::EVENTS_READ_MAX).await?.into();
            drop(tx);
            if !self.ready.is_empty() {
                continue;
            }
            if Instant::now() >= until {
                return Ok(Sent::Silence);
            }
            let look_again = until.min(Instant::now() + limits::NOTIFY_LOST_AFTER);
            // Woken or not, the next thing is to look.
            drop(timeout_at(look_again, self.changes.changed()).await);
        }
    }
}
