//! What goes wrong on demand.

use std::sync::{Mutex, PoisonError};

use axum::http::Method;
use tokio::sync::watch;

/// Which requests something happens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    All,
    /// Those that change something.
    Writes,
    /// The writes to one kind, by the plural of its name.
    WritesTo(&'static str),
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A status instead of an answer; nothing takes effect.
    Answer {
        /// The status.
        status: u16,
        /// To whom.
        which: Which,
        /// How often.
        times: u32,
    },
    /// What was asked takes effect, and the answer is cut off.
    Lost {
        /// To whom.
        which: Which,
        /// How often.
        times: u32,
    },
    /// No answer at all.
    Hang,
}

/// What happens to one request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Answered,
    Refused(u16),
    Lost,
    Hung,
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    fault: Mutex<Option<Fault>>,
    cuts: watch::Sender<u64>,
}

impl Faults {
    pub(super) fn set(&self, fault: Option<Fault>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// What happens to a request.
    pub(super) fn fate(&self, method: &Method, plural: Option<&str>) -> Fate {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let is_write = method != Method::GET;
        let is_meant = |which: Which| match which {
            Which::All => true,
            Which::Writes => is_write,
            Which::WritesTo(meant) => is_write && plural == Some(meant),
        };
        match &mut *fault {
            Some(Fault::Answer { status, which, times }) if *times > 0 && is_meant(*which) => {
                *times -= 1;
                Fate::Refused(*status)
            }
            Some(Fault::Lost { which, times }) if *times > 0 && is_meant(*which) => {
                *times -= 1;
                Fate::Lost
            }
            Some(Fault::Hang) => Fate::Hung,
            Some(Fault::Answer { .. } | Fault::Lost { .. }) | None => Fate::Answered,
        }
    }

    pub(super) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Changes when watches are cut.
    pub(super) fn cuts(&self) -> watch::Receiver<u64> {
        self.cuts.subscribe()
    }
}
