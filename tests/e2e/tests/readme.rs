//! README's own lines.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use e2e::{command::Said, product::Product};

/// The block under "A first five minutes": the first thing that anybody tries must work, letter by
/// letter.
pub(crate) fn works_as_written(product: &mut Product) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("the root")?;
    let readme = fs::read_to_string(root.join("README.md"))?;
    let section = readme.split("## A first five minutes").nth(1).context("its section")?;
    let block = section.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next());
    let block = block.context("its code block")?;
    ensure!(block.matches("hansa sql").count() >= 4, "the block was not found: {block}");
    let target = product.programs().parent().context("the target folder")?;
    let folder = product.state.join("readme");
    fs::create_dir_all(&folder)?;
    let mut shell = Command::new("bash");
    shell
        .args(["-euo", "pipefail", "-c", block])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", target)
        .env("HANSA_STATE", &product.state)
        .env("XDG_CONFIG_HOME", product.state.join("no-profiles"));
    let said = Said::of(&mut shell)?.well()?;
    for part in ["a1", "CNY", "signed by alpha", "valid"] {
        ensure!(said.contains(part), "README's lines should have shown {part:?}:\n{said}");
    }
    Ok(())
}
