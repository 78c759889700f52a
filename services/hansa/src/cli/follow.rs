//! Follows operations to their end.

use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use clap::Args;
use hansa_types::{Operation, OperationState, StepState};

use super::{
    api::Api,
    failure::{Failure, Kind, Outcome},
    interrupt::or_stopped,
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
/// Columns of an operation's steps.
const STEP_COLUMNS: [output::Column; 4] = [
    ("STEP", "/name"),
    ("STATE", "/state"),
    ("STARTED", "/started_at"),
    ("FINISHED", "/finished_at"),
];
/// How long one answer may be waited for, in seconds: what the API allows.
const LOOK_TIME_MAX: u64 = 20;
/// Between two looks: an answer may come at once.
const REST: Duration = Duration::from_millis(100);

/// Whether to wait for what was asked for.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Wait {
    /// Wait until it is done; fail when it fails. Ctrl-C ends the waiting, not the operation.
    #[arg(long)]
    wait: bool,
    /// Wait at most so many seconds; exit status 6 then. Otherwise to the operation's own deadline.
    #[arg(long, value_name = "SECONDS", requires = "wait")]
    timeout: Option<u64>,
}

/// How long to wait.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Patience {
    /// Wait at most so many seconds; exit status 6 then. Otherwise to the operation's own deadline.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

impl Wait {
    /// Prints the operation, at its end if that is waited for.
    pub(crate) async fn finish(
        self,
        api: &Api,
        options: &Options,
        operation: Operation,
    ) -> Outcome<()> {
        let Self { wait, timeout } = self;
        let operation = match wait {
            true => Patience { timeout }.until_ended(api, operation).await?,
            false => operation,
        };
        output::one(options.output, &operation, &COLUMNS)
    }
}

impl Patience {
    /// Waits for the end, telling of each step on the standard error.
    ///
    /// # Errors
    /// When it ends otherwise than well: with its reason and what to do next. When it does not end
    /// in time, and at Ctrl-C: with how to go on waiting.
    pub(crate) async fn until_ended(self, api: &Api, operation: Operation) -> Outcome<Operation> {
        let again = format!("it goes on; `hansa operation wait {}` waits again", operation.id);
        let waiting = follow(api, operation, self.timeout.map(Duration::from_secs), &again);
        or_stopped("stopped waiting", &again, waiting).await
    }
}

async fn follow(
    api: &Api,
    mut operation: Operation,
    time_max: Option<Duration>,
    again: &str,
) -> Outcome<Operation> {
    let began = Instant::now();
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
                let failure =
                    Failure::failed(format!("{} {}: {reason}", operation.kind, operation.state));
                let next = operation.next_action.map(|next| next.as_str());
                return Err(match next.filter(|next| *next != "none") {
                    Some(next) => failure.next(next.replace('_', " ")),
                    None => failure,
                });
            }
            OperationState::Pending | OperationState::Running => {}
        }
        let left = time_max.map(|most| most.saturating_sub(began.elapsed()).as_secs());
        if left == Some(0) {
            let text = format!("{} has not ended in time", operation.kind);
            return Err(Failure::new(Kind::Timeout, text).next(again));
        }
        let look = left.unwrap_or(LOOK_TIME_MAX).min(LOOK_TIME_MAX);
        operation = api.get(&format!("/v1/operations/{}?wait={look}", operation.id)).await?;
        tokio::time::sleep(REST).await;
    }
}

/// Prints one operation; for people, with its steps.
pub(crate) fn show(options: &Options, operation: &Operation) -> Outcome<()> {
    output::one(options.output, operation, &COLUMNS)?;
    if options.output == output::Output::Table && !operation.steps.is_empty() {
        output::print("\n")?;
        output::many(options.output, &operation.steps, &STEP_COLUMNS)?;
    }
    Ok(())
}
