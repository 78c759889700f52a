//! How a verb fails, and the exit code that says so.

use std::{fmt, process::ExitCode};

use hansa_types::{Code, Problem};
use ledger_client::NodeError;

/// Why a verb did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The API says no.
    Problem(Box<Problem>),
    /// A node says no, or nothing.
    Node(NodeError),
    /// Anything else.
    Plain {
        /// Which of the kinds that scripts tell apart.
        kind: Kind,
        /// What happened.
        text: String,
        /// What to do about it.
        next: Option<String>,
    },
}

/// What scripts tell apart; each has its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It did not work.
    Failed,
    /// The arguments make no sense.
    Usage,
    /// There is no credential, or it may not do this.
    Credential,
    /// There is no such thing.
    NotFound,
    /// It is not possible as things are now.
    Conflict,
    /// It took too long; it may go on.
    Timeout,
    /// The service is away or at fault.
    Service,
    /// Ctrl-C.
    Interrupted,
}

impl Kind {
    const fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Credential => 3,
            Self::NotFound => 4,
            Self::Conflict => 5,
            Self::Timeout => 6,
            Self::Service => 7,
            // As shells count a process that SIGINT ended.
            Self::Interrupted => 130,
        }
    }

    /// The kind of a refusal that travelled with this HTTP status.
    const fn of_status(status: u16) -> Self {
        match status {
            400 | 413 | 415 => Self::Usage,
            401 | 403 => Self::Credential,
            404 => Self::NotFound,
            409 | 410 | 412 | 428 => Self::Conflict,
            408 | 504 => Self::Timeout,
            429 | 500.. => Self::Service,
            _ => Self::Failed,
        }
    }
}

pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self::Plain { kind, text: text.into(), next: None }
    }

    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::new(Kind::Usage, text)
    }

    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self::new(Kind::Failed, text)
    }

    /// The same, with what to do about it.
    pub(crate) fn next(self, what: impl Into<String>) -> Self {
        match self {
            Self::Plain { kind, text, next: _ } => {
                Self::Plain { kind, text, next: Some(what.into()) }
            }
            other => other,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Plain { kind, .. } => *kind,
            Self::Problem(problem) => match problem.code {
                Code::IdempotencyKeyReused | Code::PolicyNotAvailable => Kind::Conflict,
                Code::TenantUnknown => Kind::NotFound,
                code => Kind::of_status(code.status()),
            },
            Self::Node(error) => match error {
                // A statement that is wrong failed: nobody held the command line wrongly.
                NodeError::Problem(problem) if problem.status == 400 => Kind::Failed,
                NodeError::Problem(problem) => Kind::of_status(problem.status),
                NodeError::Unreachable { .. } => Kind::Service,
                NodeError::Setup { .. }
                | NodeError::NotEndorsed { .. }
                | NodeError::Malformed { .. } => Kind::Failed,
            },
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind().exit_code())
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
            Self::Plain { kind: _, text, next } => {
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
        let of = |code: Code| {
            let problem = Problem { code, ..problem.clone() };
            Failure::Problem(Box::new(problem)).kind().exit_code()
        };
        assert_eq!(of(Code::InvalidRequest), 2);
        assert_eq!((of(Code::Unauthenticated), of(Code::Forbidden)), (3, 3));
        assert_eq!((of(Code::NotFound), of(Code::TenantUnknown)), (4, 4));
        assert_eq!((of(Code::NotEnoughNodes), of(Code::RevisionStale)), (5, 5));
        assert_eq!(
            (of(Code::Unavailable), of(Code::TooManyRequests), of(Code::Internal)),
            (7, 7, 7)
        );
        assert_eq!(of(Code::SignatureInvalid), 1);
        let plain = |kind: Kind| Failure::new(kind, "no").kind().exit_code();
        let all = [Kind::Failed, Kind::Usage, Kind::Timeout, Kind::Interrupted].map(plain);
        assert_eq!(all, [1, 2, 6, 130]);
    }
}
