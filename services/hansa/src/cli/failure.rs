//! How a verb fails, and the exit code that says so.

use std::{fmt, process::ExitCode};

use hansa_types::{Code, Problem};
use ledger_client::NodeError;

/// Why a verb did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments make no sense: exit code 2.
    Usage(String),
    /// The API says no: exit code 3.
    Problem(Box<Problem>),
    /// A node says no (exit code 3) or nothing (1).
    Node(NodeError),
    /// It did not work: exit code 1.
    Failed {
        /// What happened.
        text: String,
        /// What to do about it.
        next: Option<String>,
    },
}

pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self::Failed { text: text.into(), next: None }
    }

    pub(crate) fn with_next(text: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Failed { text: text.into(), next: Some(next.into()) }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed { .. } => 1,
            Self::Usage(_) => 2,
            Self::Problem(_) => 3,
            Self::Node(error) => match error.problem() {
                Some(_) => 3,
                None => 1,
            },
        })
    }

    /// Whether the API refused with this code.
    pub(crate) fn has_code(&self, code: Code) -> bool {
        matches!(self, Self::Problem(problem) if problem.code == code)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::failed(format!("{error:#}"))
    }
}

impl From<ledger_client::KeyFileError> for Failure {
    fn from(error: ledger_client::KeyFileError) -> Self {
        Self::failed(error.to_string())
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        Self::Node(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) => write!(f, "{text}"),
            Self::Problem(problem) => {
                write!(f, "{}: {}", problem.code, problem.detail)?;
                for error in &problem.errors {
                    write!(f, "\n  {}: {}", error.pointer, error.detail)?;
                }
                if let Some(next) = next_step(problem.code) {
                    write!(f, "\n  next: {next}")?;
                }
                write!(f, "\n  request: {}", problem.request_id)
            }
            Self::Node(error) => write!(f, "{error}"),
            Self::Failed { text, next } => {
                write!(f, "{text}")?;
                match next {
                    Some(next) => write!(f, "\n  next: {next}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// What somebody at the command line does about a problem, where that is not in its detail.
const fn next_step(code: Code) -> Option<&'static str> {
    match code {
        Code::Unauthenticated => Some("set HANSA_TOKEN, or sign in with `hansa login`"),
        Code::Forbidden => {
            Some("ask an administrator of your tenant; `hansa whoami` says who you are")
        }
        Code::OriginRefused => Some(
            "the service must list its own address among its origins; use an API key meanwhile",
        ),
        Code::NotFound => Some("look at the names with the verb `list`"),
        Code::NameTaken => Some("choose another name"),
        Code::RevisionStale => Some("somebody changed it meanwhile: look again, then repeat"),
        Code::NotEnoughNodes => Some("add nodes with `hansa node create NAME --ledger LEDGER`"),
        Code::PolicyNotAvailable => Some("use --policy bft or --policy cft"),
        Code::SignatureInvalid | Code::KeyInvalid => {
            Some("give the member's administrator key with --key")
        }
        Code::TenantUnknown => Some("ask the tenant for its exact name"),
        Code::OperationInProgress => {
            Some("`hansa operation list` shows it; `operation wait` waits")
        }
        Code::TenantHasSeats => Some("end its consortiums, or take its seats back, first"),
        Code::OwnAccount => Some("ask another administrator of your tenant"),
        Code::WrongPhase => Some("look at its phase with `get`"),
        Code::InvitationClosed => Some("ask the owner for a new invitation"),
        Code::QuotaExceeded => Some("delete what is not needed any more"),
        Code::TooManyRequests | Code::Unavailable | Code::IdempotencyInProgress => {
            Some("try again in a moment")
        }
        Code::Internal => Some("tell whoever runs the service, with the request's id"),
        Code::MethodNotAllowed
        | Code::InvalidRequest
        | Code::BodyTooLarge
        | Code::UnsupportedMediaType
        | Code::RevisionRequired
        | Code::IdempotencyKeyReused
        | Code::AlreadyMember
        | Code::LastAdministrator
        | Code::OwnerCannotLeave
        | Code::OperationEnded
        | Code::InUse
        | Code::EventsExpired => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scripts decide by the exit code: each kind of failure has its own.
    #[test]
    fn each_kind_of_failure_has_its_exit_code() {
        let problem = Problem::new(
            Code::NotEnoughNodes,
            "the ledger has 2 nodes, bft needs 4".into(),
            "/v1/ledgers/x/launch".into(),
            hansa_core::RequestId::new(),
        );
        let text = Failure::Problem(Box::new(problem.clone())).to_string();
        assert!(text.starts_with("not_enough_nodes: the ledger has 2 nodes"), "code first: {text}");
        assert!(text.contains("next: add nodes"), "the next step is missing: {text}");
        let of = |failure: Failure| failure.exit_code();
        assert_eq!(of(Failure::failed("no")), ExitCode::from(1));
        assert_eq!(of(Failure::usage("no")), ExitCode::from(2));
        assert_eq!(of(Failure::Problem(Box::new(problem))), ExitCode::from(3));
    }
}
