//! Follows operations to their end.

use std::io::IsTerminal as _;

use clap::Args;
use hansa_types::{Operation, OperationState, StepState};

use super::{
    api::Api,
    failure::{Failure, Outcome},
    options::Options,
    output,
};

/// Columns of operations.
pub(crate) const COLUMNS: [output::Column; 5] = [
    ("ID", "/id"),
    ("KIND", "/kind"),
    ("STATE", "/state"),
    ("REASON", "/reason"),
    ("CREATED", "/created_at"),
];

/// Whether to wait for what was asked for.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Wait {
    /// Wait until it is done; fail when it fails.
    #[arg(long)]
    wait: bool,
}

impl Wait {
    /// Prints the operation, at its end if that is waited for.
    pub(crate) async fn finish(
        self,
        api: &Api,
        options: &Options,
        operation: Operation,
    ) -> Outcome<()> {
        let operation = if self.wait { until_ended(api, operation).await? } else { operation };
        output::one(options.output, &operation, &COLUMNS)
    }
}

/// Waits for the end, telling of each step on the standard error.
///
/// # Errors
/// When it ends otherwise than well: with its reason and what to do next.
pub(crate) async fn until_ended(api: &Api, mut operation: Operation) -> Outcome<Operation> {
    let mut told = 0;
    let shown = std::io::stderr().is_terminal();
    loop {
        let done = operation.steps.iter().filter(|s| s.state == StepState::Succeeded).count();
        if shown {
            for step in operation.steps.iter().take(done).skip(told) {
                eprintln!("{}: done", step.name);
            }
        }
        told = done;
        match operation.state {
            OperationState::Succeeded => return Ok(operation),
            OperationState::Failed | OperationState::Cancelled => {
                let reason = operation.reason.map_or("no reason", |reason| reason.as_str());
                let next = operation.next_action.map_or("none", |next| next.as_str());
                let text = format!("{} {}: {reason}", operation.kind, operation.state);
                return Err(Failure::with_next(text, next));
            }
            OperationState::Pending | OperationState::Running => {}
        }
        operation = api.get(&format!("/v1/operations/{}?wait=20", operation.id)).await?;
    }
}
