//! The one developer entry point: `cargo xtask <verb>`.
//!
//! Owns how the project is built, tested and checked, for people and for CI alike. Must not know
//! what the product does. Builds in seconds: no dependency beyond error text and cargo's JSON.

mod bench;
mod cargo;
mod check;
mod images;
mod kube_lab;
mod openapi;
mod packages;
mod programs;
mod reproducible;
mod sim;
mod terraform;
mod test;
mod up;
mod whole;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask <verb>

  up [--detach]          the whole product on this machine, with the main job walked
                                            25 min from nothing, 30 s when warm
  down                   ends it; everything is kept
  test [PART] [--full]   everything a change needs, or one part of it      minutes: docs/testing.md
  check                  formatting, clippy, rustdoc, without changing anything       about 3 min
  fix                    formats, and applies what clippy can mend                    about 3 min
  bench ledger|launch|peers
                         measures nodes under load, launches, what else one might run
                                                                              about 1 min each, warm
  image [node|hansa]     the programs as container images, without an engine    3 min, then seconds
  kube-lab up|down|status|shell|load-image
                         a real Kubernetes on this machine, for tests
                                                      12 min from nothing, 20 s when warm
  terraform              checks infra/terraform without a cloud
                                                   10 to 25 min from nothing, 15 s when warm
  openapi                writes openapi/*.json from the code   16 min from nothing, 1 when warm
  sim [--seeds N] [--from S]
                         simulates N seeds (500), from seed S (1)         about 6 seeds a second

Each verb takes --help.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (verb, rest) = match arguments.split_first() {
        Some((verb, rest)) => (verb.as_str(), rest),
        None => ("--help", &[][..]),
    };
    let result = match verb {
        "test" => test::run(rest),
        "check" => check::check(rest),
        "fix" => check::fix(rest),
        "sim" => sim::run(rest),
        "openapi" => openapi::run(rest),
        "bench" => bench::run(rest),
        "image" => images::run(rest),
        "kube-lab" => kube_lab::run(rest),
        "terraform" => terraform::run(rest),
        "up" => up::up(rest),
        "down" => up::down(rest),
        "--help" | "-h" | "help" => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("cargo xtask: there is no verb {verb:?}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask {verb}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints `text` and says so when `--help` is among the arguments.
fn asks_for_help(arguments: &[String], text: &str) -> bool {
    let asked = arguments.iter().any(|a| a == "--help" || a == "-h");
    if asked {
        print!("{text}");
    }
    asked
}
