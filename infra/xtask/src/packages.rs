//! Debian packages that building and testing need.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

/// A package, a file that shows that it is there, and what it is for.
pub(crate) type Package = (&'static str, &'static str, &'static str);

/// What the lab needs.
pub(crate) const LAB: &[Package] = &kube_lab::PACKAGES;

/// What everything else needs.
pub(crate) const PROJECT: &[Package] = &[
    ("gcc", "/usr/bin/cc", "compiles the bundled SQLite"),
    ("ca-certificates", "/etc/ssl/certs/ca-certificates.crt", "authorities for the images"),
    ("pkg-config", "/usr/bin/pkg-config", "finds OpenSSL"),
    ("libssl-dev", "/usr/include/openssl/ssl.h", "OpenSSL, the one TLS stack"),
    ("nodejs", "/usr/bin/node", "builds the console"),
    ("npm", "/usr/bin/npm", "builds the console"),
    ("chromium", "/usr/bin/chromium", "walks the console in tests"),
    ("iso-codes", "/usr/share/iso-codes/json/iso_4217.json", "real data for the demo"),
    ("postgresql-15", "/usr/lib/postgresql/15/bin/initdb", "the control plane's tests run on it"),
];

/// Installs what is missing; without root it says the exact command and stops.
pub(crate) fn install_missing(needed: &[Package]) -> Result<()> {
    let missing: Vec<_> = needed.iter().filter(|(_, file, _)| !Path::new(file).exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for (name, _, why) in &missing {
        println!("missing: {name} ({why})");
    }
    let command = command(missing.iter().map(|(name, _, _)| *name));
    if !is_root()? {
        bail!("run as root, then try again:\n  {command}");
    }
    println!("running: {command}");
    let status = Command::new("sh")
        .args(["-c", &command])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status()
        .context("apt-get cannot be started; this needs Debian")?;
    if !status.success() {
        bail!("the packages could not be installed: {status}");
    }
    Ok(())
}

/// What installs packages, to be run as it is.
fn command<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    format!("apt-get update && apt-get install -y {}", names.join(" "))
}

fn is_root() -> Result<bool> {
    let output = Command::new("id").arg("-u").output().context("id cannot be run")?;
    Ok(output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::command;

    #[test]
    fn the_command_for_people_without_root_is_whole() {
        // They copy it as it is.
        let shown = command(["gcc", "npm"].into_iter());
        assert_eq!(shown, "apt-get update && apt-get install -y gcc npm");
    }
}
