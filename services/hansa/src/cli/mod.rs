//! The client verbs, over the public API only.

mod member;

use std::process::ExitCode;

use clap::Subcommand;

/// What `hansa --help` ends with.
pub(crate) const HELP: &str = "\
Exit status: 0 done, 1 failed, 2 wrong usage, 3 refused by the API or a node.";

/// What the command line can ask of the API.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Seats of consortiums and their administrator keys.
    #[command(subcommand)]
    Member(member::Member),
}

/// Runs one verb.
pub(crate) fn run(verb: Verb) -> ExitCode {
    let ran = match verb {
        Verb::Member(verb) => verb.run(),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hansa: {error:#}");
            ExitCode::FAILURE
        }
    }
}
