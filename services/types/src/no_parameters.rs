//! The body of actions that take no parameters.

use serde::Deserialize;
use utoipa::ToSchema;

/// Nothing needs to be said; the body may be left out.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}
