//! Images from two clean builds, at two places: they must be the same bytes.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    cargo::{root, target_folder},
    images::{HANSA, NODE},
};

/// Where the two are built. Names of different lengths: a path that got into a program moves all
/// that is behind it, even where only its length counts.
const PLACES: [&str; 2] = ["one", "another/and/deeper"];

/// Builds both images twice, as releases are built, and compares them. Everything is built anew, the
/// console too. What was built goes; the images of a difference stay.
pub(crate) fn check() -> Result<()> {
    let base = target_folder().join("reproducible");
    if base.exists() {
        fs::remove_dir_all(&base)?;
    }
    let made = PLACES
        .iter()
        .enumerate()
        .map(|(number, place)| {
            println!("building from nothing, {} of {}", number + 1, PLACES.len());
            build(&base.join(place), &base.join(format!("images-{number}")))
        })
        .collect::<Result<Vec<_>>>()?;
    for program in [NODE.name, HANSA.name] {
        let archives = made
            .iter()
            .map(|folder| {
                let path = folder.join(format!("{program}.tar"));
                fs::read(&path).with_context(|| path.display().to_string())
            })
            .collect::<Result<Vec<_>>>()?;
        ensure!(
            archives.iter().all(|archive| *archive == archives[0]),
            "two builds of {program} differ; unpack and compare the archives in {}",
            base.display()
        );
    }
    Ok(fs::remove_dir_all(&base)?)
}

/// Builds in a checkout and a target folder of their own; where the images are kept.
fn build(place: &Path, images: &Path) -> Result<PathBuf> {
    let (checkout, target) = (place.join("checkout"), place.join("target"));
    copy(&root(), &checkout)?;
    let status = Command::new(env::current_exe()?)
        .args(["image", "--release"])
        // The program is the one that runs; what it builds is where this points.
        .env("CARGO_MANIFEST_DIR", checkout.join("infra/xtask"))
        .env("CARGO_TARGET_DIR", &target)
        .status()?;
    ensure!(status.success(), "the images could not be built: {status}");
    fs::rename(target.join("images/release"), images).context("keeping the images")?;
    fs::remove_dir_all(place)?;
    Ok(images.to_owned())
}

/// Copies what is or could be in the repository, as it is now.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(from)
        .output()
        .context("git cannot be started")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    for name in String::from_utf8(output.stdout)?.split_terminator('\0') {
        // One that was taken away and is still listed.
        if !from.join(name).exists() {
            continue;
        }
        let copied = to.join(name);
        fs::create_dir_all(copied.parent().context("a file is in a folder")?)?;
        fs::copy(from.join(name), &copied).with_context(|| name.to_owned())?;
    }
    Ok(())
}
