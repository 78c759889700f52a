//! `hansa`: the control plane's roles and the command line, one subcommand each.
//!
//! Owns how programs are started: arguments, configuration, exit codes. Must not know what a role
//! or the API does: roles are library crates, and the client verbs speak the public API only.

mod assembly;
mod cli;
mod dev;
mod role;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Hansa: consortium ledgers as a service.
#[derive(Debug, Parser)]
#[command(name = "hansa", version, after_long_help = cli::HELP)]
struct Hansa {
    #[command(flatten)]
    options: cli::Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Client(cli::Verb),
    Dev(dev::Dev),
    #[command(flatten)]
    Role(role::Role),
}

fn main() -> ExitCode {
    let Hansa { options, command } = Hansa::parse();
    match command {
        Command::Client(verb) => cli::run(verb, &options),
        Command::Dev(dev) => serve(dev.run(options.output)),
        Command::Role(role) => serve(role.run()),
    }
}

/// Runs a service until it ends.
fn serve(service: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().map_err(anyhow::Error::from);
    let ran = runtime.and_then(|runtime| {
        let ran = runtime.block_on(service);
        // A thread may still wait for the standard input.
        runtime.shutdown_background();
        ran
    });
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hansa: {error:#}");
            ExitCode::FAILURE
        }
    }
}
