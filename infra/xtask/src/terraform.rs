//! `terraform`: the modules of infra/terraform, checked without a cloud.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};
use go_programs::{Cache, Module};

use crate::{asks_for_help, cargo::root};

const HELP: &str = "\
cargo xtask terraform

Checks infra/terraform without a cloud: its format; each module and example against the schema of the
provider; the modules' own tests, with a provider that is played. Nothing is applied, nobody is asked.
OpenTofu and the provider are built from locked Go modules the first time, outside the checkout, which
takes 10 to 25 minutes on 2 cores. Needs Go 1.26.
";

/// The programs: a folder each in infra/terraform/tools.
const TOFU: (&str, &str) = ("tofu", "github.com/opentofu/opentofu/cmd/tofu");
const AZURERM: (&str, &str) =
    ("terraform-provider-azurerm", "github.com/hashicorp/terraform-provider-azurerm");

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if asks_for_help(arguments, HELP) {
        return Ok(());
    }
    if let Some(unknown) = arguments.first() {
        bail!("{unknown:?} is not understood; see --help");
    }
    let (passed, failed) = check()?;
    println!("{passed} passed, {failed} failed");
    ensure!(failed == 0, "{failed} failed");
    Ok(())
}

/// Checks everything; how many checks passed and failed.
pub(crate) fn check() -> Result<(u64, u64)> {
    let infra = root().join("infra/terraform");
    let tofu = Tofu::prepare(&infra.join("tools"))?;
    let mut counts = (0, 0);
    let mut note = |name: &str, result: Result<()>| match result {
        Ok(()) => {
            println!("test {name} ... ok");
            counts.0 += 1;
        }
        Err(error) => {
            println!("test {name} ... FAILED\n{error:#}");
            counts.1 += 1;
        }
    };
    note("format", tofu.run(&infra, &["fmt", "-check", "-diff", "-recursive"]));
    let (modules, examples) = (folders(&infra.join("modules"))?, folders(&infra.join("examples"))?);
    for folder in modules.iter().chain(&examples) {
        let name = folder.strip_prefix(&infra)?.display();
        // Fetches nothing: it notes where modules are that an example names by their path.
        let known = tofu.run(folder, &["get", "-no-color"]);
        let valid = known.and_then(|()| tofu.run(folder, &["validate", "-no-color"]));
        note(&format!("{name}: references, types, schema"), valid);
    }
    for folder in &modules {
        let name = folder.strip_prefix(&infra)?.display();
        note(&format!("{name}: its own tests"), tofu.run(folder, &["test", "-no-color"]));
    }
    Ok(counts)
}

/// The program, and what it must be told so that it asks nobody.
struct Tofu {
    program: PathBuf,
    /// Holds its configuration and what it notes: nothing is written into the checkout.
    folder: PathBuf,
}

impl Tofu {
    fn prepare(tools: &Path) -> Result<Self> {
        let cache = Cache::named("terraform");
        let say = |text: &str| println!("{text}");
        let held = cache.hold(&say)?;
        let build = |folder: &str, program| {
            let folder = tools.join(folder);
            let module = Module {
                folder: &folder,
                release: "",
                programs: &[program],
                link: |_| String::new(),
            };
            cache.programs(&module, &say)
        };
        let program = build("opentofu", TOFU)?.join(TOFU.0);
        let provider = build("azurerm", AZURERM)?;
        drop(held);
        let folder = env::temp_dir().join(format!("hansa-terraform-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let overrides = format!("\"hashicorp/azurerm\" = {:?}", provider.display().to_string());
        let text =
            format!("provider_installation {{\n  dev_overrides {{\n    {overrides}\n  }}\n}}\n");
        fs::write(folder.join("tofu.rc"), text)?;
        Ok(Self { program, folder })
    }

    /// Runs it in a folder; what it says is in the error.
    fn run(&self, folder: &Path, arguments: &[&str]) -> Result<()> {
        let data = self.folder.join(folder.file_name().context("a folder has a name")?);
        let output = Command::new(&self.program)
            .args(arguments)
            .current_dir(folder)
            .env("TF_CLI_CONFIG_FILE", self.folder.join("tofu.rc"))
            .env("TF_DATA_DIR", data)
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1")
            .output()
            .context("tofu cannot be started")?;
        let said = [output.stdout, output.stderr].concat();
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&said).trim());
        Ok(())
    }
}

impl Drop for Tofu {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The folders in a folder.
fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let mut folders: Vec<_> = paths.into_iter().filter(|path| path.is_dir()).collect();
    folders.sort();
    ensure!(!folders.is_empty(), "{} holds nothing to check", folder.display());
    Ok(folders)
}
