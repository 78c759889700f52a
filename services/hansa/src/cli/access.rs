//! Signing in, and who is signed in.

use std::io::{IsTerminal as _, Read as _, Write as _};

use clap::{Args, Subcommand};
use hansa_core::Uuid;
use hansa_types::{ApiKey, ApiKeyCreated, Me, Session};
use reqwest::header;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde_json::json;

use super::{
    api::{Api, Credential, SESSION_COOKIE},
    failure::{Failure, Outcome},
    interrupt::or_stopped,
    options::Options,
    output,
    profile::{self, Profile, Profiles},
};

/// Bytes of a password read from a pipe.
const PASSWORD_BYTES_MAX: u64 = 4_096;

/// Sign in and keep the session in the profile. It ends after 12 hours; machines use API keys.
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// The tenant.
    #[arg(long)]
    tenant: String,
    /// The user's address.
    #[arg(long)]
    email: String,
    /// Read the password from the standard input instead of asking for it.
    #[arg(long)]
    password_stdin: bool,
}

impl Login {
    pub(crate) async fn run(self, options: &Options) -> Outcome<()> {
        let path = profile::path()?;
        let mut profiles = Profiles::read(&path)?;
        let known = profiles.profiles.get(options.profile_name()).cloned().unwrap_or_default();
        let base = options.given_api().unwrap_or(&known.api).to_owned();
        if base.is_empty() {
            return Err(Failure::usage("where is the API? Set HANSA_API or give --api"));
        }
        let password = if self.password_stdin { piped()? } else { asked().await? };
        let api = Api::new(&base, known.ca.as_deref(), Credential::None)?;
        let body = json!({ "tenant": self.tenant, "email": self.email, "password": password });
        let answer = api.post_response("/v1/sessions", &body).await?;
        let cookies = answer.headers().get_all(header::SET_COOKIE);
        let session = cookies.iter().find_map(|line| {
            let (name, rest) = line.to_str().ok()?.split_once('=')?;
            (name == SESSION_COOKIE).then(|| rest.split(';').next().unwrap_or_default().to_owned())
        });
        let session = session.ok_or_else(|| Failure::failed("the API gave no session"))?;
        let made: Session = api.json(answer).await?;
        let expires_at = Some(made.expires_at);
        let profile = Profile {
            api: base,
            session: Some(session),
            session_expires_at: expires_at,
            token: None,
            ..known
        };
        profiles.profiles.insert(options.profile_name().to_owned(), profile);
        profiles.write(&path)?;
        eprintln!("signed in until {}", made.expires_at);
        Ok(())
    }
}

fn piped() -> Outcome<String> {
    let mut text = String::new();
    let read = std::io::stdin().take(PASSWORD_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| Failure::failed(format!("reading the password: {error}")))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks at the terminal; what is typed is not shown.
async fn asked() -> Outcome<String> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("there is no terminal to ask: use --password-stdin"));
    }
    // Shown again however this ends, Ctrl-C too.
    let hidden = Hidden::begin()?;
    let read = tokio::task::spawn_blocking(|| {
        let mut text = String::new();
        std::io::stdin().read_line(&mut text).map(|_| text)
    });
    let read = async { read.await.map_err(anyhow::Error::from)?.map_err(|e| terminal(&e)) };
    let text = or_stopped("not signed in", "sign in again with `hansa login`", read).await;
    drop(hidden);
    eprintln!();
    Ok(text?.trim_end_matches(['\r', '\n']).to_owned())
}

fn terminal(error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format!("the terminal: {error}"))
}

/// A terminal that does not show what is typed.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> Outcome<Self> {
        let stdin = std::io::stdin();
        eprint!("password: ");
        let _ = std::io::stderr().flush();
        let shown = tcgetattr(&stdin).map_err(|error| terminal(&error))?;
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Now, &hidden).map_err(|error| terminal(&error))?;
        Ok(Self(shown))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Who is asking.
pub(crate) async fn whoami(options: &Options) -> Outcome<()> {
    let me: Me = options.connect()?.get("/v1/me").await?;
    output::one(options.output, &me, &[("TENANT", "/tenant"), ("ROLE", "/role")])
}

/// API keys, for machines.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// List the tenant's keys in force.
    List,
    /// Make a key. Its secret is printed once.
    Create {
        /// Unique among the tenant's keys.
        name: String,
        /// `tenant_admin`, `operator` or `viewer`.
        #[arg(long, default_value = "operator")]
        role: String,
    },
    /// End a key, by its id.
    Revoke {
        /// Its id.
        id: Uuid,
    },
}

const KEY_COLUMNS: [output::Column; 4] =
    [("ID", "/id"), ("NAME", "/name"), ("ROLE", "/role"), ("EXPIRES", "/expires_at")];

impl Key {
    pub(crate) async fn run(self, options: &Options) -> Outcome<()> {
        let api = options.connect()?;
        match self {
            Self::List => {
                let keys: Vec<ApiKey> = api.list("/v1/api-keys").await?;
                output::many(options.output, &keys, &KEY_COLUMNS)
            }
            Self::Create { name, role } => {
                let body = json!({ "name": name, "role": role });
                let made: ApiKeyCreated = api.post("/v1/api-keys", &body).await?;
                let columns = [("ID", "/id"), ("NAME", "/name"), ("TOKEN", "/token")];
                output::one(options.output, &made, &columns)
            }
            Self::Revoke { id } => {
                api.delete(&format!("/v1/api-keys/{id}"), None).await?;
                eprintln!("ended");
                Ok(())
            }
        }
    }
}
