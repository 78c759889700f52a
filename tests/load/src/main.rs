//! Load on real ledger nodes: four processes, signed transfers, and a check of every promise
//! afterwards.
//!
//! Owns the measurement only. Must not know how a node works: the nodes are the production program,
//! reached as any client reaches them.

mod check;
mod figures;
mod network;
mod transfers;

use std::{path::PathBuf, time::Duration};

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};

use figures::Figures;
use network::Network;
use transfers::{Bank, drive, lone};

/// Offers transfers to a ledger of real node processes on this machine and measures what becomes of
/// them. Every signature is checked on every node, every block is durable, the state root is on.
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Load {
    /// The program `hansa-node`, built with the release profile.
    #[arg(long, value_name = "FILE")]
    node_program: PathBuf,
    /// How many nodes.
    #[arg(long, default_value_t = 4)]
    nodes: u16,
    /// How long to offer load.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Transactions offered in a second.
    #[arg(long, default_value_t = 6_000)]
    rate: u64,
    /// Keys that sign.
    #[arg(long, default_value_t = 1_000)]
    signers: usize,
    /// Accounts between which is transferred.
    #[arg(long, default_value_t = 100_000)]
    accounts: u64,
    /// How to print the figures.
    #[arg(short, long, default_value = "table")]
    output: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// One line of JSON.
    Json,
    /// A row of a Markdown table.
    Table,
}

/// Transactions measured one by one on an idle ledger.
const LONE: usize = 50;

fn main() -> Result<()> {
    let load = Load::parse();
    tokio::runtime::Runtime::new()?.block_on(measure(&load))
}

async fn measure(load: &Load) -> Result<()> {
    ensure!(load.seconds > 0 && load.rate >= 50, "at least one second and 50 a second");
    let mut network = Network::start(&load.node_program, load.nodes).await?;
    let bank = Bank::open(&network, load.signers, load.accounts).await?;
    let lone = lone(&network, &bank, LONE).await?;
    let offered = bank.sign(load.rate * load.seconds)?;
    let cpu = network.cpu_seconds()?;
    let run = drive(&network, offered, load.rate, Duration::from_secs(load.seconds)).await?;
    let cpu = network.cpu_seconds()? - cpu;
    network.kill_all()?;
    network.restart().await?;
    check::promises(&network, &bank, &run).await?;
    let figures = Figures::new(load, &run, &lone, cpu);
    match load.output {
        Form::Json => println!("{}", serde_json::to_string(&figures)?),
        Form::Table => println!("{}", figures.row()),
    }
    Ok(())
}
