//! Signing in, and who is signed in.

use std::{fs, path::PathBuf};

use clap::{Args, Subcommand};
use hansa_core::Uuid;
use hansa_types::{ApiKey, ApiKeyCreated, Me, Session};
use reqwest::header;
use serde_json::json;

use super::{
    api::{Api, Credential, SESSION_COOKIE},
    failure::{Failure, Outcome},
    options::Options,
    output, password,
    profile::{self, Profile, Profiles},
};

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
    /// Authority of the API's certificate, PEM, when the system does not know it. The profile keeps
    /// where it is.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
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
        let ca = match self.ca {
            Some(path) => Some(
                fs::canonicalize(&path)
                    .map_err(|error| Failure::usage(format!("--ca {}: {error}", path.display())))?,
            ),
            None => known.ca.clone(),
        };
        let again = ("not signed in", "sign in again with `hansa login`");
        let password = password::read(self.password_stdin, again).await?;
        let api = Api::new(&base, ca.as_deref(), Credential::None)?;
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
            ca,
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
