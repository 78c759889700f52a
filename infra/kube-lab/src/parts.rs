//! The programs of Kubernetes: built from Go modules whose versions are locked here, once for each
//! state of the locks.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

/// The release that is built. 1.34 is the last that is at ease with cgroup v1 and containerd 1.6.
const RELEASE: &str = "1.34.4";

/// Programs that come from one module: the module's folder, and packages with the programs' names.
struct Module {
    folder: &'static str,
    programs: &'static [(&'static str, &'static str)],
}

const MODULES: [Module; 5] = [
    Module {
        folder: "kubernetes",
        programs: &[
            ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
            ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
            ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
            ("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
            ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
            ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
            ("etcd", "go.etcd.io/etcd/server/v3"),
        ],
    },
    Module { folder: "coredns", programs: &[("coredns", "github.com/coredns/coredns")] },
    Module {
        folder: "local-path-provisioner",
        programs: &[("local-path-provisioner", "github.com/rancher/local-path-provisioner")],
    },
    Module { folder: "kwok", programs: &[("kwok", "sigs.k8s.io/kwok/cmd/kwok")] },
    Module { folder: "helm", programs: &[("helm", "helm.sh/helm/v4/cmd/helm")] },
];

/// The folder with the programs.
#[derive(Clone, Debug)]
pub struct Parts(PathBuf);

impl Parts {
    /// Builds what is not there yet; `say` hears what takes long.
    ///
    /// # Errors
    /// When something cannot be built.
    pub fn ensure(say: &dyn Fn(&str)) -> Result<Self> {
        let modules = modules()?;
        let cache = cache();
        let programs = cache.join("programs");
        fs::create_dir_all(&programs).with_context(|| programs.display().to_string())?;
        let mut locks = Sha256::new();
        let mut made = Vec::new();
        for module in &MODULES {
            let folder = cache.join(format!("{}-{}", module.folder, lock(&modules, module)?));
            locks.update(folder.as_os_str().as_encoded_bytes());
            for (name, package) in module.programs {
                let program = folder.join(name);
                if !program.exists() {
                    say(&format!("building {name} (the first time only)"));
                    build(&modules.join(module.folder), package, &program)?;
                }
                made.push(program);
            }
        }
        // One folder with all of them, for people's paths.
        let together = programs.join(&hex::encode(locks.finalize())[..16]);
        fs::create_dir_all(&together)?;
        for program in made {
            let link = together.join(program.file_name().context("programs have names")?);
            if !link.exists() {
                match std::os::unix::fs::symlink(&program, &link) {
                    Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                    linked => linked?,
                }
            }
        }
        Ok(Self(together))
    }

    /// Programs that were built before.
    pub(crate) const fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The folder, for a path.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// One of the programs.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// Where what takes long to make is kept: `~/.cache/hansa/kube-lab`, or what the variable
/// `HANSA_KUBE_LAB_CACHE` names.
pub(crate) fn cache() -> PathBuf {
    if let Some(folder) = env::var_os("HANSA_KUBE_LAB_CACHE") {
        return folder.into();
    }
    let home = env::var_os("HOME").unwrap_or_else(|| "/root".into());
    Path::new(&home).join(".cache/hansa/kube-lab")
}

/// The folder of the modules: in the checkout that this is run from.
fn modules() -> Result<PathBuf> {
    let here = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| ".".into(), PathBuf::from);
    let here = here.canonicalize()?;
    let found = here.ancestors().map(|above| above.join("infra/kube-lab/modules"));
    found
        .into_iter()
        .find(|folder| folder.is_dir())
        .with_context(|| format!("{} is in no checkout of this project", here.display()))
}

/// What a build depends on, in few characters.
fn lock(modules: &Path, module: &Module) -> Result<String> {
    let mut hash = Sha256::new_with_prefix(RELEASE);
    for file in ["go.mod", "go.sum"] {
        let path = modules.join(module.folder).join(file);
        hash.update(fs::read(&path).with_context(|| path.display().to_string())?);
    }
    Ok(hex::encode(hash.finalize())[..16].to_owned())
}

fn build(module: &Path, package: &str, program: &Path) -> Result<()> {
    let mut flags = "-s -w".to_owned();
    if package.starts_with("k8s.io/kubernetes/") {
        let (major, minor) = RELEASE.split_once('.').unwrap_or_default();
        let minor = minor.split('.').next().unwrap_or_default();
        for place in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
            flags += &format!(
                " -X {place}.gitVersion=v{RELEASE} -X {place}.gitMajor={major} \
                 -X {place}.gitMinor={minor}"
            );
        }
    }
    let partial = program.with_extension(format!("{}.partial", std::process::id()));
    let mut command = Command::new("go");
    command.args(["build", "-mod=readonly", "-trimpath", "-ldflags", &flags, "-o"]);
    command.arg(&partial).arg(package).current_dir(module).env("CGO_ENABLED", "0");
    let status = command.status().context("go cannot be started")?;
    ensure!(status.success(), "{package} could not be built: {status}");
    fs::rename(&partial, program).context("keeping a program")
}
