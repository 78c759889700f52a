//! `hansa-node`: runs a ledger node, makes a local ledger, verifies receipts offline.

use std::{fs, io::IsTerminal as _, path::Path, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use ledger_node::{NodeConfig, boot::read_genesis, localnet, probe};
use ledger_types::{Outcome, Policy, Receipt};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

const HELP: &str = "\
hansa-node <verb>

  run --config node.toml                  runs a node until SIGTERM
  localnet --dir DIR [--nodes N] [--policy bft|cft]
                                          writes keys, certificates, a genesis and configurations
                                          for N nodes (4) on this machine
  verify RECEIPT --genesis genesis.json   checks a receipt offline: outcome, path, certificate
  probe listen PORT…                      accepts connections until SIGTERM
  probe call OPEN CLOSED [--enrolment URL] [--authority FILE] [--out FILE]
                                          tells as JSON whether a pod reaches two ADDRESS:PORTs and
                                          the control plane: how policies of a network are measured
  openapi                                 prints the description of the node's HTTPS interface

Exit status: 0 good, 1 failed or not valid, 2 wrong usage.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["run", "--config", config] => run(Path::new(config)),
        ["localnet", ref rest @ ..] => local(rest),
        ["verify", receipt, "--genesis", genesis] => verify(Path::new(receipt), Path::new(genesis)),
        ["probe", "listen", ref ports @ ..] if !ports.is_empty() => listen(ports),
        ["probe", "call", open, closed, ref rest @ ..] => call(open, closed, rest),
        ["openapi"] => {
            println!("{:#}", ledger_node::api::document());
            Ok(())
        }
        ["--help" | "-h" | "help"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => {
            eprint!("hansa-node: these arguments are not understood\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hansa-node: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: &Path) -> Result<()> {
    // A level, or `target=level` pairs; what cannot be read is passed over.
    let asked = std::env::var("RUST_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    let filter = asked.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let lines =
        fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    tracing_subscriber::registry().with(filter).with(lines).init();
    ledger_node::run(&NodeConfig::read(config)?)
}

fn local(arguments: &[&str]) -> Result<()> {
    let (mut folder, mut nodes, mut policy) = (None, 4, Policy::Bft);
    for pair in arguments.chunks(2) {
        match *pair {
            ["--dir", value] => folder = Some(value),
            ["--nodes", value] => nodes = value.parse().context("--nodes is a number")?,
            ["--policy", "bft"] => policy = Policy::Bft,
            ["--policy", "cft"] => policy = Policy::Cft,
            _ => bail!("{} is not understood; see --help", pair.join(" ")),
        }
    }
    let folder = Path::new(folder.context("--dir is needed")?);
    for config in localnet::create(folder, nodes, policy)? {
        let home = config.consensus_key.parent().unwrap_or(folder);
        println!("https://{}  {}", config.http, home.join("node.toml").display());
    }
    Ok(())
}

fn listen(ports: &[&str]) -> Result<()> {
    let ports = ports.iter().map(|port| port.parse().with_context(|| format!("{port} is no port")));
    let ports = ports.collect::<Result<Vec<u16>>>()?;
    runtime()?.block_on(probe::listen(&ports))
}

fn call(open: &str, closed: &str, arguments: &[&str]) -> Result<()> {
    let (mut url, mut authority, mut out) = (None, None, None);
    for pair in arguments.chunks(2) {
        match *pair {
            ["--enrolment", value] => url = Some(value),
            ["--authority", value] => authority = Some(Path::new(value)),
            ["--out", value] => out = Some(value),
            _ => bail!("{} is not understood; see --help", pair.join(" ")),
        }
    }
    let address = |text: &str| text.parse().with_context(|| format!("{text} is no ADDRESS:PORT"));
    let enrolment = url.map(|url| (url, authority));
    let reached = runtime()?.block_on(probe::call(address(open)?, address(closed)?, enrolment))?;
    let line = serde_json::to_string(&reached)?;
    println!("{line}");
    match out {
        Some(file) => fs::write(file, line).with_context(|| format!("writing {file}")),
        None => Ok(()),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().context("starting a runtime")
}

fn verify(receipt: &Path, genesis: &Path) -> Result<()> {
    let text = fs::read_to_string(receipt)
        .with_context(|| format!("reading the receipt {}", receipt.display()))?;
    let receipt: Receipt = serde_json::from_str(&text).context("the file is no receipt")?;
    receipt.verify(&read_genesis(genesis)?).context("NOT VALID")?;
    let Receipt { transaction, height, covering, certificate, .. } = &receipt;
    println!("valid: transaction {transaction} in block {height}");
    match &receipt.outcome {
        Outcome::Applied { changes } => println!("it took effect; rows changed: {changes:?}"),
        Outcome::Refused { reason, detail, .. } => {
            println!("it had no effect: {reason:?} {detail}")
        }
    }
    let voters: Vec<String> = certificate.signatures.iter().map(|(v, _)| v.to_string()).collect();
    println!("certified by block {} of validators {}", covering.height, voters.join(", "));
    Ok(())
}
