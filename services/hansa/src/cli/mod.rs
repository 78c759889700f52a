//! The client verbs, over the public API only.

mod access;
mod api;
mod cluster;
mod consortium;
mod failure;
mod follow;
mod interrupt;
mod ledger;
mod names;
mod node;
mod options;
mod output;
mod password;
mod profile;
mod sql;
mod tenant;

use std::process::ExitCode;

use clap::Subcommand;

pub(crate) use options::Options;
pub(crate) use output::Output;

/// What `hansa --help` ends with.
pub(crate) const HELP: &str = "\
Exit status: 0 done, 1 failed, 2 wrong usage, 3 no credential or no right, 4 not found,
5 not possible as things are, 6 not in time, 7 the service is away, 130 interrupted.";

/// What the command line can ask of the API.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Login(access::Login),
    /// Show who is asking: tenant and role.
    Whoami,
    /// Consortiums: groups of tenants that own ledgers.
    #[command(subcommand)]
    Consortium(consortium::Consortium),
    /// Invitations: offers of a seat.
    #[command(subcommand)]
    Invitation(consortium::Invitation),
    /// Seats of consortiums and their administrator keys.
    #[command(subcommand)]
    Member(consortium::Member),
    /// Ledgers of a consortium.
    #[command(subcommand)]
    Ledger(ledger::Ledger),
    /// Ledger nodes.
    #[command(subcommand)]
    Node(node::Node),
    /// Clusters that nodes can run in.
    #[command(subcommand)]
    Cluster(cluster::Cluster),
    /// Operations: the progress of what takes long.
    #[command(subcommand)]
    Operation(node::Operation),
    /// Tenants: the installation's customers, for the operator of the platform.
    #[command(subcommand)]
    Tenant(tenant::Tenant),
    /// API keys, for machines.
    #[command(subcommand)]
    Key(access::Key),
    Sql(sql::Sql),
}

/// Runs one verb.
pub(crate) fn run(verb: Verb, options: &Options) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("hansa: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ran = runtime.block_on(async {
        match verb {
            Verb::Login(verb) => verb.run(options).await,
            Verb::Whoami => access::whoami(options).await,
            Verb::Consortium(verb) => verb.run(options).await,
            Verb::Invitation(verb) => verb.run(options).await,
            Verb::Member(verb) => verb.run(options).await,
            Verb::Ledger(verb) => verb.run(options).await,
            Verb::Node(verb) => verb.run(options).await,
            Verb::Cluster(verb) => verb.run(options).await,
            Verb::Operation(verb) => verb.run(options).await,
            Verb::Tenant(verb) => verb.run(options).await,
            Verb::Key(verb) => verb.run(options).await,
            Verb::Sql(verb) => verb.run(options).await,
        }
    });
    // A thread may still wait for the terminal.
    runtime.shutdown_background();
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("hansa: {failure}");
            failure.exit_code()
        }
    }
}
