//! An installation in a cluster, made as its operator makes one.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use e2e::command::{Said, programs};
use kube_lab::Scratch;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{authority::Authority, database::Database};

/// The release, and where it is.
const RELEASE: &str = "hansa";
const NAMESPACE: &str = "hansa-system";
/// The tenant that runs the installation, and its operator.
pub const PLATFORM: &str = "platform";
const OPERATOR: &str = "root@platform.example";
/// The password of everybody here.
const PASSWORD: &str = "correct horse battery staple";
/// How long helm waits.
const READY_TIME_MAX: &str = "5m";
/// Name the archives of the images.
const IMAGES_BY: [&str; 2] = ["HANSA_IMAGE", "HANSA_NODE_IMAGE"];

/// A release in a cluster of its own, with a database on this machine.
#[derive(Debug)]
pub struct Installation {
    /// The image of the nodes, by digest.
    pub node_image: String,
    /// The cluster.
    pub lab: Scratch,
    image: String,
    url: String,
    // In this order: the server ends before its folder is removed.
    database: Database,
    folder: TempDir,
}

impl Installation {
    /// Makes one and waits until every pod of it is ready.
    ///
    /// # Errors
    /// When something of it fails; with the words of what failed.
    pub fn start() -> Result<Self> {
        let archives = IMAGES_BY.map(env::var_os);
        let lab = Scratch::start(programs()?.join("kube-lab"))?;
        let [image, node_image] = archives.map(|archive| {
            let archive = archive.context("no images are named: run `cargo xtask test kube`")?;
            lab.lab().load_image(Path::new(&archive))
        });
        let folder = tempfile::tempdir()?;
        let authority = Authority::new(folder.path())?;
        let database = folder.path().join("postgres");
        let database = Database::start(&database, lab.host()?, &authority)?;
        let mut installation = Self {
            image: image?,
            node_image: node_image?,
            url: String::new(),
            lab,
            folder,
            database,
        };
        installation.prepare(&authority)?;
        installation.helm(&["install"], &[])?;
        Ok(installation)
    }

    /// What must be there before the chart: a namespace, secrets, and a way in from outside.
    fn prepare(&mut self, authority: &Authority) -> Result<()> {
        self.kubectl(&["create", "namespace", NAMESPACE])?.well()?;
        let entrance = self.entrance()?;
        self.url = format!("https://{entrance}");
        let names = [format!("DNS:{RELEASE}-api.{NAMESPACE}.svc"), format!("IP:{entrance}")];
        let (certificate, key) = authority.issue("api", &names)?;
        let secrets = self.secrets()?;
        let from = |name: &str, file: &Path| format!("--from-file={name}={}", file.display());
        let trusted = from("ca.crt", &authority.certificate());
        let all = format!("--from-file={}", secrets.display());
        let (certificate, key) = (from("tls.crt", &certificate), from("tls.key", &key));
        self.create(&["secret", "generic", "hansa-secrets", &all])?;
        self.create(&["secret", "generic", "hansa-tls", &certificate, &key, &trusted])?;
        self.create(&["configmap", "database-authority", &trusted])?;
        let (repository, digest) = self.image.split_once('@').context("an image by digest")?;
        let values = json!({
            "image": { "repository": repository, "digest": digest },
            "publicUrl": self.url,
            "secret": "hansa-secrets",
            "tls": { "secret": "hansa-tls" },
            "database": { "url": self.database.url(), "authority": "database-authority" },
            "platform": { "email": OPERATOR },
        });
        Ok(fs::write(self.values(), values.to_string())?)
    }

    fn create(&self, words: &[&str]) -> Result<()> {
        let words = [&["create", "--namespace", NAMESPACE], words].concat();
        self.kubectl(&words)?.well().map(drop)
    }

    /// An address that this machine reaches the API at, as a load balancer's would be.
    fn entrance(&self) -> Result<String> {
        let labels = json!({
            "app.kubernetes.io/name": "hansa",
            "app.kubernetes.io/instance": RELEASE,
            "app.kubernetes.io/component": "api",
        });
        let service = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": "entrance", "namespace": NAMESPACE },
            "spec": { "selector": labels, "ports": [{ "port": 443, "targetPort": "https" }] },
        });
        let mut create = self.lab.kubectl();
        create.args(["create", "--filename", "-", "--output", "jsonpath={.spec.clusterIP}"]);
        Said::fed(&mut create, &service.to_string())?.well()
    }

    /// The folder that becomes the Secret.
    fn secrets(&self) -> Result<PathBuf> {
        let folder = self.folder.path().join("secrets");
        fs::create_dir(&folder)?;
        let database = &self.database;
        let random = || Said::of(Command::new("openssl").args(["rand", "-hex", "32"]))?.well();
        for key in ["credential.key", "page.key", "root.key"] {
            fs::write(folder.join(key), random()?)?;
        }
        for whose in ["migrate", "vault"] {
            fs::write(folder.join(format!("{whose}.url")), database.url_of(whose)?)?;
        }
        for whose in ["api", "identity", "controller"] {
            fs::write(folder.join(format!("{whose}.password")), database.password(whose)?)?;
        }
        fs::write(folder.join("operator.password"), PASSWORD)?;
        Ok(folder)
    }

    fn values(&self) -> PathBuf {
        self.folder.path().join("values.json")
    }

    /// `helm VERB… RELEASE CHART --set …`, until every pod is ready.
    ///
    /// # Errors
    /// When it does not come to that: with helm's words and the pods.
    pub fn helm(&self, verb: &[&str], set: &[&str]) -> Result<()> {
        let mut command = self.lab.helm();
        command.args(verb).args([RELEASE]).arg(root()?.join("charts/hansa"));
        command.arg("--values").arg(self.values());
        for set in set {
            command.args(["--set", set]);
        }
        self.until_ready(&mut command)
    }

    /// `helm rollback RELEASE`, until every pod is ready.
    ///
    /// # Errors
    /// As [`Installation::helm`].
    pub fn roll_back(&self) -> Result<()> {
        self.until_ready(self.lab.helm().args(["rollback", RELEASE]))
    }

    /// `helm uninstall RELEASE`, until nothing of it is there.
    ///
    /// # Errors
    /// As [`Installation::helm`].
    pub fn uninstall(&self) -> Result<()> {
        self.until_ready(self.lab.helm().args(["uninstall", RELEASE]))
    }

    fn until_ready(&self, helm: &mut Command) -> Result<()> {
        helm.args(["--namespace", NAMESPACE, "--wait", "--timeout", READY_TIME_MAX]);
        Said::of(helm)?.well().map(drop).map_err(|error| error.context(self.pods()))
    }

    /// The pods and their last words, for whoever reads why something failed.
    fn pods(&self) -> String {
        let all = ["--namespace", NAMESPACE, "--selector", "app.kubernetes.io/name=hansa"];
        let get = [&["get", "pods", "--output", "wide"][..], &all].concat();
        let logs = ["logs", "--all-containers", "--prefix", "--tail", "10"];
        let asked = [get, [&logs[..], &all].concat()].map(|words| self.kubectl(&words));
        asked.into_iter().flatten().map(|said| said.out + &said.err).collect()
    }

    /// The digest of another image of the same programs.
    ///
    /// # Errors
    /// When the container runtime does not make it.
    pub fn other_image(&self) -> Result<String> {
        let other = self.lab.lab().other_image(&self.image)?;
        Ok(other.split_once('@').context("an image by digest")?.1.to_owned())
    }

    /// `kubectl …` to its end.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn kubectl(&self, words: &[&str]) -> Result<Said> {
        Said::of(self.lab.kubectl().args(words))
    }

    /// `hansa …` as one of a tenant's people, with what they keep on their machine.
    ///
    /// # Errors
    /// When the programs were not built.
    pub fn hansa(&self, tenant: &str, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(programs()?.join("hansa"));
        for variable in ["HANSA_TOKEN", "HANSA_PROFILE", "HANSA_STATE"] {
            command.env_remove(variable);
        }
        let own = self.folder.path().join(tenant);
        command.env("XDG_CONFIG_HOME", &own).env("XDG_STATE_HOME", &own);
        command.env("HANSA_API", &self.url).env("HANSA_KEY", self.key_file(tenant));
        command.args(words);
        Ok(command)
    }

    /// Where a tenant's administrator key is.
    #[must_use]
    pub fn key_file(&self, tenant: &str) -> PathBuf {
        self.folder.path().join(tenant).join("administrator.key")
    }

    /// `hansa …` to its end.
    ///
    /// # Errors
    /// When it fails.
    pub fn cli(&self, tenant: &str, words: &[&str]) -> Result<String> {
        Said::of(&mut self.hansa(tenant, words)?)?.well()
    }

    /// `hansa … -o json` to its end.
    ///
    /// # Errors
    /// When it fails.
    pub fn told(&self, tenant: &str, words: &[&str]) -> Result<Value> {
        Said::of(self.hansa(tenant, words)?.args(["--output", "json"]))?.json()
    }

    /// Signs somebody of a tenant in; the platform's tenant makes the others.
    ///
    /// # Errors
    /// When it fails.
    pub fn sign_in(&self, tenant: &str) -> Result<()> {
        let own = self.folder.path().join(tenant);
        fs::create_dir(&own)?;
        fs::set_permissions(&own, fs::Permissions::from_mode(0o700))?;
        let email = match tenant {
            PLATFORM => OPERATOR.to_owned(),
            customer => {
                let email = format!("admin@{customer}.example");
                let words = ["tenant", "create", customer, "--email", &email, "--password-stdin"];
                Said::fed(&mut self.hansa(PLATFORM, &words)?, PASSWORD)?.well()?;
                email
            }
        };
        let authority = self.folder.path().join("ca.crt").display().to_string();
        let words = ["login", "--tenant", tenant, "--email", &email, "--password-stdin"];
        let words = [&words[..], &["--ca", &authority]].concat();
        Said::fed(&mut self.hansa(tenant, &words)?, PASSWORD)?.well().map(drop)
    }
}

/// The checkout. Tests run in their package; a build may be shared between checkouts.
pub(crate) fn root() -> Result<PathBuf> {
    let here = env::current_dir()?;
    Ok(here.ancestors().nth(2).context("a checkout")?.to_owned())
}
