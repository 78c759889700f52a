//! `image`: the programs as container images, without an engine.

mod bill_of_materials;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};
use image::{Config, Entry, Image, Layer, Library, shared_libraries};

use crate::{
    asks_for_help,
    cargo::{build_programs, root, target_folder},
    packages,
};

const HELP: &str = "\
cargo xtask image [node|hansa] [--release]

Writes OCI archives of the programs, both without a name, and their lists of parts (CycloneDX) into
images/ of the target folder. The same programs give the same bytes. They run as user 65532, need no
writable root, and bring the authorities of the public web.

  --release   from the release profile, by which the same sources give the same bytes wherever they
              lie; otherwise from the one that `up` and `test` share
";

/// Where the images are from, as names: a registry of yours takes its place when you push them.
const REGISTRY: &str = "hansa.local";
/// The user that everything runs as: `nonroot`, by a widespread habit.
const USER: &str = "65532:65532";
const MEBIBYTE: u64 = 1024 * 1024;

/// A program to be made an image of.
pub(crate) struct Program {
    /// The image's name.
    pub(crate) name: &'static str,
    /// The package that its program is of.
    package: &'static str,
    /// What it is.
    title: &'static str,
    /// Bytes that its archive may have.
    size_max: u64,
}

pub(crate) const NODE: Program = Program {
    name: "hansa-node",
    package: "ledger-node",
    title: "Hansa: a ledger node",
    size_max: 40 * MEBIBYTE,
};
pub(crate) const HANSA: Program = Program {
    name: "hansa",
    package: "hansa",
    title: "Hansa: control plane, console and command line",
    size_max: 80 * MEBIBYTE,
};

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if asks_for_help(arguments, HELP) {
        return Ok(());
    }
    let release = arguments.iter().any(|argument| argument == "--release");
    let mut chosen = Vec::new();
    for argument in arguments.iter().filter(|argument| *argument != "--release") {
        match argument.as_str() {
            "node" => chosen.push(&NODE),
            "hansa" => chosen.push(&HANSA),
            other => bail!("{other:?} is not understood; see --help"),
        }
    }
    if chosen.is_empty() {
        chosen = vec![&NODE, &HANSA];
    }
    packages::install_missing(packages::PROJECT)?;
    for program in chosen {
        let made = program.make(release)?;
        println!("{}  {}", made.display(), image::describe(&made)?.reference());
    }
    Ok(())
}

impl Program {
    /// Builds the program and writes its archive; where it is.
    pub(crate) fn make(&self, release: bool) -> Result<PathBuf> {
        let program = build_programs(release)?.join(self.name);
        let profile = if release { "release" } else { "debug" };
        let folder = target_folder().join("images").join(profile);
        fs::create_dir_all(&folder)?;
        self.write(&program, &folder)
    }

    /// Writes the archive of a program that was built, and its list of parts beside it.
    fn write(&self, program: &Path, folder: &Path) -> Result<PathBuf> {
        let stripped = folder.join(self.name);
        let status = Command::new("strip").arg("-o").arg(&stripped).arg(program).status();
        ensure!(status.context("strip cannot be started")?.success(), "{}", program.display());
        let libraries = shared_libraries(&stripped)?;
        let debian = bill_of_materials::packages(&libraries)?;
        let bill = bill_of_materials::write(self.package, &debian)?;
        fs::write(folder.join(format!("{}.cdx.json", self.name)), &bill)?;
        let mut layers = vec![system(&libraries, &debian)?];
        let mut own = Layer::default();
        own.put(&format!("usr/bin/{}", self.name), Entry::File(0o755, fs::read(&stripped)?))?;
        own.put(
            &format!("usr/share/doc/{}/sbom.cdx.json", self.name),
            Entry::File(0o644, bill.into_bytes()),
        )?;
        own.put("usr/share/licenses/hansa/LICENSE", file(&root().join("LICENSE"))?)?;
        layers.push(own);
        if self.name == HANSA.name {
            layers.push(console()?);
        }
        let labels = [
            ("title", self.title),
            ("version", env!("CARGO_PKG_VERSION")),
            ("licenses", env!("CARGO_PKG_LICENSE")),
            ("vendor", "Hansa"),
        ];
        let labels = labels
            .map(|(key, value)| (format!("org.opencontainers.image.{key}"), value.to_owned()));
        let config = Config {
            entrypoint: vec![format!("/usr/bin/{}", self.name)],
            user: USER.to_owned(),
            labels: BTreeMap::from(labels),
            environment: vec!["SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt".to_owned()],
        };
        let name = format!("{REGISTRY}/{}:{}", self.name, env!("CARGO_PKG_VERSION"));
        let archive = folder.join(format!("{}.tar", self.name));
        let written = Image { name, config, layers }.write(&archive)?;
        let (size, most) = (written.size.div_ceil(MEBIBYTE), self.size_max / MEBIBYTE);
        ensure!(written.size <= self.size_max, "{} has {size} MiB; {most} at most", self.name);
        Ok(archive)
    }
}

/// What every program needs of a system: libraries, users, authorities.
fn system(libraries: &[Library], debian: &BTreeSet<String>) -> Result<Layer> {
    let mut layer = Layer::default();
    layer.put_libraries(libraries)?;
    for package in debian {
        // Its name may be followed by an architecture.
        let name = package.split(':').next().unwrap_or(package);
        let notice = format!("usr/share/doc/{name}/copyright");
        layer.put(&notice, file(&Path::new("/").join(&notice))?)?;
    }
    let text = |text: &str| Entry::File(0o644, text.as_bytes().to_vec());
    layer.put("etc/passwd", text("nonroot:x:65532:65532:nonroot:/:/sbin/nologin\n"))?;
    layer.put("etc/group", text("nonroot:x:65532:\n"))?;
    layer.put("etc/nsswitch.conf", text("hosts: files dns\n"))?;
    let authorities = Path::new("/etc/ssl/certs/ca-certificates.crt");
    layer.put("etc/ssl/certs/ca-certificates.crt", file(authorities)?)?;
    layer.put("tmp", Entry::Folder(0o1777))?;
    Ok(layer)
}

fn file(path: &Path) -> Result<Entry> {
    Ok(Entry::File(0o644, fs::read(path).with_context(|| path.display().to_string())?))
}

/// The built console.
fn console() -> Result<Layer> {
    let built = crate::up::console()?.context("web/ is missing")?;
    let mut layer = Layer::default();
    let mut open = vec![built.clone()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(&built)?.to_str().context("a name in UTF-8")?;
                layer.put(&format!("usr/share/hansa/console/{name}"), file(&path)?)?;
            }
        }
    }
    Ok(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_program_gives_the_same_image() {
        // Clusters run images by digest: another one for the same program restarts every node.
        let program = std::env::current_exe().unwrap();
        let folder = std::env::temp_dir().join(format!("hansa-image-{}", std::process::id()));
        let mut archives = Vec::new();
        for name in ["one", "two"] {
            let folder = folder.join(name);
            fs::create_dir_all(&folder).unwrap();
            let wide = Program { size_max: u64::MAX, ..NODE };
            archives.push(fs::read(wide.write(&program, &folder).unwrap()).unwrap());
        }
        fs::remove_dir_all(&folder).unwrap();
        assert!(archives[0] == archives[1], "two archives of one program differ");
    }
}
