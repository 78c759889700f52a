//! What handlers ask of a request; each failure is a problem.

mod body;
mod caller;
mod headers;
mod path;
mod query;

pub(crate) use body::Body;
pub(crate) use caller::{Anonymous, Caller, SESSION_COOKIE};
pub(crate) use headers::{IfMatch, LastEventId};
pub(crate) use path::Path;
pub(crate) use query::{PageParams, Query, Wait};
