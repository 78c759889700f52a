//! `kube-lab`: a real Kubernetes on this machine.

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};
use kube_lab::{Lab, Status, folder::Folder};

const HELP: &str = "\
cargo xtask kube-lab <verb> [--state DIR]

  up               a cluster with one node: 12 min from nothing, 20 s when warm
  down [--keep]    ends it and removes its folder; --keep leaves its state for another up
  status [-o json] whether it is ready, and how to reach it
  shell            a shell in its namespaces, with kubectl
  load-image FILE  gives an OCI archive to its container runtime; prints the name for pods

  --state DIR      one folder, one lab (~/.local/state/hansa/kube-lab); several may run

Everything runs in namespaces of its own and is gone when its keeper is, even by kill -9. Needs root
and Go 1.26. NetworkPolicies are accepted and not enforced; a growing volume waits for a driver that
is not there.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("kube-lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        // Not for people: the processes that make up a lab.
        ["keep", folder, parts] => {
            return kube_lab::keep(Path::new(folder), Path::new(parts)).map(|()| ExitCode::SUCCESS);
        }
        ["inside", folder, parts] => {
            return kube_lab::inside(Path::new(folder), Path::new(parts))
                .map(|()| ExitCode::SUCCESS);
        }
        ["sweep", group] => return kube_lab::sweep(group).map(|()| ExitCode::SUCCESS),
        _ if words.is_empty() || words.iter().any(|w| ["--help", "-h", "help"].contains(w)) => {
            print!("{HELP}");
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    let (words, state) = without_state(&words)?;
    let lab = Lab::new(Folder::new(state)?, std::env::current_exe()?);
    match words[..] {
        ["up"] => {
            let status = lab.up(&|what| eprintln!("kube-lab: {what}"))?;
            println!(
                "kubeconfig: {}\nkubectl:    {}",
                status.kubeconfig.display(),
                status.kubectl.display()
            );
        }
        ["down"] => lab.down(false)?,
        ["down", "--keep"] => lab.down(true)?,
        ["status"] => return Ok(show(&lab.status()?)),
        ["status", "-o" | "--output", "json"] => {
            let status = lab.status()?;
            println!("{:#}", status.to_json());
            return Ok(code(&status));
        }
        ["shell"] => {
            let status = lab.status()?;
            let mut shell = lab.inside("bash")?;
            let path = std::env::var("PATH").unwrap_or_default();
            let parts = status.kubectl.parent().context("programs have a folder")?;
            shell.env("KUBECONFIG", &status.kubeconfig);
            shell.env("PATH", format!("{}:{path}", parts.display()));
            return Err(shell.exec()).context("nsenter cannot be run");
        }
        ["load-image", file] => println!("{}", lab.load_image(Path::new(file))?),
        _ => {
            eprint!("kube-lab: {} is not understood\n\n{HELP}", words.join(" "));
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn without_state<'a>(words: &[&'a str]) -> Result<(Vec<&'a str>, Option<PathBuf>)> {
    let (mut left, mut state) = (Vec::new(), None);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if *word == "--state" {
            let Some(folder) = words.next() else { bail!("--state DIR") };
            state = Some(PathBuf::from(folder));
        } else {
            left.push(*word);
        }
    }
    Ok((left, state))
}

fn show(status: &Status) -> ExitCode {
    let word = match (status.ready, status.keeper) {
        (true, _) => "ready",
        (false, Some(_)) => "not ready",
        (false, None) => "not running",
    };
    println!(
        "{word}\nkubeconfig: {}\nkubectl:    {}",
        status.kubeconfig.display(),
        status.kubectl.display()
    );
    code(status)
}

fn code(status: &Status) -> ExitCode {
    if status.ready { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
