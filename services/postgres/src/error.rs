//! What can go wrong with a cluster.

use std::{io, path::PathBuf};

/// Why a cluster could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// PostgreSQL is not installed where it was looked for.
    #[error(
        "PostgreSQL {major} is not installed: {looked_in} has no initdb \
         (on Debian: apt-get install postgresql-{major})"
    )]
    NotInstalled {
        /// Wanted major version.
        major: u16,
        /// Where it was looked for.
        looked_in: PathBuf,
    },
    /// PostgreSQL refuses to run as root and there is nobody else to run it.
    #[error("running as root needs the system user \"postgres\", which does not exist")]
    NoServerUser,
    /// The user that runs the server cannot reach the folder.
    #[error("{path} cannot be entered by the user that runs PostgreSQL: choose another folder")]
    Unreachable {
        /// The first folder that cannot be entered.
        path: PathBuf,
    },
    /// The path of a unix socket has a limit.
    #[error("the path {path} is too long for a unix socket: choose a shorter folder")]
    PathTooLong {
        /// The socket's path.
        path: PathBuf,
    },
    /// The folder was made by another major version.
    #[error("{path} belongs to PostgreSQL {found}, the installed one is {installed}")]
    OtherVersion {
        /// The data folder.
        path: PathBuf,
        /// Version that made it.
        found: String,
        /// Version that is installed.
        installed: u16,
    },
    /// Another process holds the folder for longer than we wait.
    #[error("another process has been preparing {path} for more than {waited_s} s")]
    Locked {
        /// The folder.
        path: PathBuf,
        /// How long we waited.
        waited_s: u64,
    },
    /// The password file is missing or damaged, so nobody can log in.
    #[error("{path} holds no password: the cluster beside it cannot be used")]
    NoPassword {
        /// The file.
        path: PathBuf,
    },
    /// Something answers on the socket that is not this cluster.
    #[error("the server on this socket serves {found}, not {expected}")]
    NotOurs {
        /// The folder that it serves.
        found: String,
        /// Ours.
        expected: PathBuf,
    },
    /// A program of PostgreSQL ended with an error.
    #[error("{program} failed: {output}")]
    Program {
        /// Its name.
        program: &'static str,
        /// The last lines of what it printed.
        output: String,
    },
    /// A program of PostgreSQL did not end in time.
    #[error("{program} did not end within {waited_s} s")]
    TimedOut {
        /// Its name.
        program: &'static str,
        /// How long we waited.
        waited_s: u64,
    },
    /// A file operation failed.
    #[error("cannot {what} {path}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No randomness for the password.
    #[error(transparent)]
    Randomness(#[from] hansa_core::SecretError),
    /// The server answered with an error.
    #[error("the database refused {what}")]
    Database {
        /// What was tried.
        what: &'static str,
        /// Its answer.
        source: sqlx::Error,
    },
}

impl ClusterError {
    pub(crate) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }

    pub(crate) fn database(what: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { what, source }
    }
}
