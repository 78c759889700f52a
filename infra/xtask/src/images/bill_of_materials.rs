//! What an image is made of: a CycloneDX 1.6 document, from cargo's graph and Debian's database.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use image::Library;
use serde_json::{Value, json};

use crate::cargo::cargo;

/// The document of a package's program and of Debian's packages that come with it. It states no time and
/// no serial number: the same parts give the same text.
pub(super) fn write(package: &str, debian: &BTreeSet<String>) -> Result<String> {
    let mut components = crates(package)?;
    for library in debian {
        let (name, version) = described(library)?;
        components.push(json!({
            "type": "library", "name": name, "version": version,
            "purl": format!("pkg:deb/debian/{name}@{version}"),
        }));
    }
    let document = json!({
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {"component": {
            "type": "application", "name": package, "version": env!("CARGO_PKG_VERSION"),
        }},
        "components": components,
    });
    Ok(format!("{document:#}\n"))
}

/// Crates that are linked into a package's program.
fn crates(package: &str) -> Result<Vec<Value>> {
    let mut command = cargo();
    command.args(["metadata", "--locked", "--format-version", "1", "--filter-platform"]);
    let output = command.arg(target()?).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut nodes = BTreeMap::new();
    for node in list(&metadata["resolve"]["nodes"]) {
        nodes.insert(node["id"].as_str().unwrap_or_default().to_owned(), node);
    }
    let packages = list(&metadata["packages"]);
    let root = packages.iter().find(|p| p["name"] == package && p["source"].is_null());
    let root = root.and_then(|p| p["id"].as_str()).context("a package of ours")?;
    let (mut open, mut linked) = (vec![root.to_owned()], BTreeSet::new());
    while let Some(id) = open.pop() {
        if !linked.insert(id.clone()) {
            continue;
        }
        let Some(node) = nodes.get(&id) else { continue };
        for dependency in list(&node["deps"]) {
            let normal = list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            if let Some(id) = dependency["pkg"].as_str().filter(|_| normal) {
                open.push(id.to_owned());
            }
        }
    }
    let mut components = BTreeMap::new();
    for found in packages.iter().filter(|p| p["id"].as_str().is_some_and(|id| linked.contains(id)))
    {
        let (name, version) = (&found["name"], &found["version"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let purl = format!("pkg:cargo/{}@{}", text(name), text(version));
        let mut component = json!({
            "type": "library", "name": name, "version": version, "purl": purl,
        });
        // Older manifests divide alternatives by a slash.
        if let Some(licence) = found["license"].as_str() {
            let expression = licence.replace('/', " OR ");
            component["licenses"] = json!([{"expression": expression}]);
        }
        components.insert(purl, component);
    }
    Ok(components.into_values().collect())
}

/// The platform that is built for.
fn target() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("rustc cannot be run")?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names its host")?.to_owned())
}

/// Debian's packages that libraries are of.
pub(super) fn packages(libraries: &[Library]) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for Library { path, file } in libraries {
        // Its database knows a file by one of its paths.
        let real = file.display().to_string();
        let names = [real.clone(), real.replacen("/usr/lib", "/lib", 1), format!("/{path}")];
        let owner = names.iter().find_map(|name| {
            let output = Command::new("dpkg").args(["--search", name]).output().ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            Some(text.split_once(": ")?.0.to_owned())
        });
        found.insert(owner.with_context(|| format!("{real} is of no Debian package"))?);
    }
    Ok(found)
}

/// A package's name and version.
fn described(package: &str) -> Result<(String, String)> {
    let mut command = Command::new("dpkg-query");
    command.args(["--show", "--showformat", "${Package} ${Version}", package]);
    let text = String::from_utf8(command.output().context("dpkg-query cannot be run")?.stdout)?;
    let (name, version) = text.split_once(' ').with_context(|| format!("{package}: {text}"))?;
    Ok((name.to_owned(), version.to_owned()))
}
