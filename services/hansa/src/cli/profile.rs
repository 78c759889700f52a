//! Profiles: where the API is and with what one signs in, in a file of mode 0600.

use std::{
    collections::BTreeMap,
    env, fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use hansa_core::Timestamp;
use serde::{Deserialize, Serialize};

/// The profile that is used when none is named.
pub(crate) const DEFAULT: &str = "default";

/// One profile. `token` is an API key; `session` what a sign-in gave.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// Address of the API, `https://host[:port]`.
    pub(crate) api: String,
    /// PEM file with the certificate authority of the API, when the system does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// An API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    /// A session's secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<String>,
    /// When the session ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session_expires_at: Option<Timestamp>,
    /// The key file that signs statements and approvals unless another is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<PathBuf>,
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profile").field("api", &self.api).finish_non_exhaustive()
    }
}

/// All profiles of a user.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profiles {
    #[serde(default)]
    pub(crate) profiles: BTreeMap<String, Profile>,
}

/// `$XDG_CONFIG_HOME/hansa/profiles.toml`, or below `~/.config`.
pub(crate) fn path() -> Result<PathBuf> {
    Ok(user_folder("XDG_CONFIG_HOME", ".config")?.join("hansa/profiles.toml"))
}

/// A folder of the XDG base directories.
pub(crate) fn user_folder(variable: &str, below_home: &str) -> Result<PathBuf> {
    if let Some(folder) = env::var_os(variable).map(PathBuf::from).filter(|f| f.is_absolute()) {
        return Ok(folder);
    }
    let home = env::var_os("HOME").context("neither HOME nor the XDG variables are set")?;
    Ok(Path::new(&home).join(below_home))
}

impl Profiles {
    /// Reads the file; an absent one holds no profile.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        ledger_client::key_file::check_mode(path)?;
        let text =
            fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        // The parser's own message would quote the line, and with it a token.
        let Ok(profiles) = toml::from_str(&text) else {
            bail!("{} is not of the form of a profiles file", path.display());
        };
        Ok(profiles)
    }

    /// Replaces the file as a whole: a reader never sees half of it.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let folder = path.parent().context("a profiles file lies in a folder")?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("making {}", folder.display()))?;
        let new = path.with_extension(format!("new-{}", std::process::id()));
        let written = || -> Result<()> {
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&new)?;
            file.write_all(toml::to_string(self)?.as_bytes())?;
            file.sync_all()?;
            Ok(fs::rename(&new, path)?)
        };
        written().with_context(|| format!("writing {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// The file holds credentials: nobody else may read it, and an open one is not used silently.
    #[test]
    fn the_file_is_private_and_an_open_one_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("hansa/profiles.toml");
        let mut profiles = Profiles::default();
        let profile = Profile {
            api: "https://a.example".into(),
            token: Some("s3cret".into()),
            ..Profile::default()
        };
        profiles.profiles.insert("alpha".into(), profile);
        profiles.write(&path).expect("the file is written");
        let mode = fs::metadata(&path).expect("the file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "credentials must be readable by their owner only");
        let again = Profiles::read(&path).expect("the file is read");
        assert_eq!(again.profiles["alpha"].token.as_deref(), Some("s3cret"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
        let refused =
            Profiles::read(&path).expect_err("a file that others can read must be refused");
        assert!(refused.to_string().contains("chmod 600"), "say the cure: {refused}");
    }

    /// A parser's message quotes the line that it does not like: here that would be a token.
    #[test]
    fn an_unreadable_file_is_refused_without_its_content() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("profiles.toml");
        fs::write(&path, "[profiles.a]\napi = \"x\"\ntoken = s3cret\n").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        let refused = format!("{:#}", Profiles::read(&path).expect_err("no TOML"));
        assert!(!refused.contains("s3cret"), "the content leaked: {refused}");
    }
}
