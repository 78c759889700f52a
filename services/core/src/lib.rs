//! The words that every part of the control plane shares: identifiers, names, time, errors, pages,
//! generations, secrets and the named bounds.
//!
//! Owns what these words mean and how they are written. Must not know what the product does with
//! them, nor any transport, database or runtime: no async, no files, no sockets. The two things it
//! asks of the operating system are randomness and, in [`SystemClock`], the time; [`failpoint`]s,
//! which release builds do not have, ask for one variable of the environment too.

mod clock;
mod error;
pub mod failpoint;
mod generation;
mod id;
pub mod limits;
mod mac;
mod name;
mod page;
mod secret;
mod timestamp;

pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{Error, IdempotencyConflict, Kind, Refusal, Result, Rule, Violation};
pub use generation::{Generation, Revision};
pub use id::{
    ApiKeyId, AuditActId, ClusterId, ConsortiumId, EnrolmentTokenId, EventId, IncidentId,
    InvitationId, LedgerId, MemberId, NodeId, OperationId, RequestId, SessionId, TenantId, UserId,
};
pub use mac::{Mac, Purpose, Tag};
pub use name::{Name, NameError};
pub use page::{Page, PageRequest, PageSize, PageTokens, Position};
pub use secret::{Secret, SecretError};
pub use timestamp::Timestamp;
pub use uuid::Uuid;
