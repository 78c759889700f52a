//! `hansa`: the control plane's roles and the command line, one subcommand each.
//!
//! Owns how programs are started: arguments, configuration, exit codes. Must not know what a role
//! or the API does: roles are library crates, and the client verbs speak the public API only.

mod cli;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Hansa: consortium ledgers as a service.
#[derive(Debug, Parser)]
#[command(name = "hansa", version, after_long_help = cli::HELP)]
struct Hansa {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Client(cli::Verb),
}

fn main() -> ExitCode {
    match Hansa::parse().command {
        Command::Client(verb) => cli::run(verb),
    }
}
