//! The programs of Kubernetes: built from Go modules whose versions are locked here, once for each
//! state of the locks.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use go_programs::Cache;
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
    /// Builds what is not there yet; `say` hears what takes long. Whoever calls this holds the
    /// cache.
    ///
    /// # Errors
    /// When something cannot be built.
    pub(crate) fn ensure(say: &dyn Fn(&str)) -> Result<Self> {
        Self::ensure_some(|_| true, say)
    }

    /// The program `helm`, built if it is not there yet: charts are rendered without a lab.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn helm(say: &dyn Fn(&str)) -> Result<PathBuf> {
        let _held = cache().hold(say)?;
        let parts = Self::ensure_some(|module| module.folder == "helm", say)?;
        Ok(parts.program("helm"))
    }

    fn ensure_some(wanted: impl Fn(&Module) -> bool, say: &dyn Fn(&str)) -> Result<Self> {
        let modules = modules()?;
        let parts = Self(folder(&modules)?);
        fs::create_dir_all(&parts.0).with_context(|| parts.0.display().to_string())?;
        for module in MODULES.iter().filter(|module| wanted(module)) {
            let built = module.at(&modules, |go| cache().programs(go, say))?;
            for (name, _) in module.programs {
                let link = parts.program(name);
                if !link.exists() {
                    std::os::unix::fs::symlink(built.join(name), &link)?;
                }
            }
        }
        Ok(parts)
    }

    /// The programs that [`Lab::up`](crate::Lab::up) has built.
    ///
    /// # Errors
    /// When it has not.
    pub fn find() -> Result<Self> {
        let parts = Self(folder(&modules()?)?);
        let mut names = MODULES.iter().flat_map(|module| module.programs);
        let missing = names.find(|(name, _)| !parts.program(name).exists());
        ensure!(missing.is_none(), "Kubernetes is not built yet: kube-lab up builds it");
        Ok(parts)
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

/// The folder with all programs, for people's paths: links into one folder a module, which stays
/// when another module's versions change.
fn folder(modules: &Path) -> Result<PathBuf> {
    let mut locks = Sha256::new();
    for module in &MODULES {
        locks.update(module.at(modules, |go| go.lock())?);
    }
    Ok(cache().folder().join("programs").join(&hex::encode(locks.finalize())[..16]))
}

impl Module {
    /// Asks something of the Go module in a checkout.
    fn at<T>(&self, modules: &Path, ask: impl FnOnce(&go_programs::Module<'_>) -> T) -> T {
        let folder = &modules.join(self.folder);
        ask(&go_programs::Module { folder, release: RELEASE, programs: self.programs, link })
    }
}

/// What a program of Kubernetes is told of its release.
fn link(package: &str) -> String {
    if !package.starts_with("k8s.io/kubernetes/") {
        return String::new();
    }
    let (major, minor) = RELEASE.split_once('.').unwrap_or_default();
    let minor = minor.split('.').next().unwrap_or_default();
    let told = |place| {
        format!(
            "-X {place}.gitVersion=v{RELEASE} -X {place}.gitMajor={major} -X {place}.gitMinor={minor}"
        )
    };
    ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].map(told).join(" ")
}

/// Where what takes long to make is kept: `~/.cache/hansa/kube-lab`, or what the variable
/// `HANSA_KUBE_LAB_CACHE` names.
pub(crate) fn cache() -> Cache {
    match env::var_os("HANSA_KUBE_LAB_CACHE").map(PathBuf::from) {
        Some(folder) => Cache::at(std::path::absolute(&folder).unwrap_or(folder)),
        None => Cache::named("kube-lab"),
    }
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
