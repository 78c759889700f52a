//! What all client verbs take: where the API is, who is asking, how to print.

use std::path::PathBuf;

use clap::Args;
use hansa_core::Secret;
use ledger_client::read_key_file;
use ledger_types::SigningKey;

use super::{
    api::{Api, Credential},
    failure::{Failure, Kind, Outcome},
    output::Output,
    profile::{self, Profile, Profiles},
};

/// Where the API is, who is asking, how to print.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Connection and output")]
pub(crate) struct Options {
    /// Address of the API, `https://host[:port]`. The credential is HANSA_TOKEN (an API key), or
    /// else what `hansa login` stored in the profile.
    #[arg(long, global = true, env = "HANSA_API", value_name = "URL")]
    api: Option<String>,
    /// Which profile of ~/.config/hansa/profiles.toml.
    #[arg(long, global = true, env = "HANSA_PROFILE", value_name = "NAME")]
    profile: Option<String>,
    /// How to print: `name` prints what other verbs accept as an argument.
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

impl Options {
    pub(crate) fn profile_name(&self) -> &str {
        self.profile.as_deref().unwrap_or(profile::DEFAULT)
    }

    pub(crate) fn given_api(&self) -> Option<&str> {
        self.api.as_deref()
    }

    /// The profile in use; an absent one is empty, unless it was asked for by name.
    pub(crate) fn profile(&self) -> Outcome<Profile> {
        let profiles = Profiles::read(&profile::path()?)?;
        match (profiles.profiles.get(self.profile_name()), &self.profile) {
            (Some(profile), _) => Ok(profile.clone()),
            (None, None) => Ok(Profile::default()),
            (None, Some(name)) => {
                let known: Vec<&str> = profiles.profiles.keys().map(String::as_str).collect();
                let text = format!("there is no profile {name}; there are: {}", known.join(", "));
                Err(Failure::usage(text))
            }
        }
    }

    /// A client of the API with a credential.
    pub(crate) fn connect(&self) -> Outcome<Api> {
        let token = std::env::var("HANSA_TOKEN").ok().filter(|token| !token.is_empty());
        let profile = self.profile()?;
        let (base, credential) = choose(self.given_api(), token, &profile)?;
        Api::new(&base, profile.ca.as_deref(), credential)
    }

    /// The signing key: the file that was given, or the profile's.
    pub(crate) fn signing_key(&self, given: Option<&PathBuf>) -> Outcome<SigningKey> {
        let stored = match given {
            Some(_) => None,
            None => self.profile()?.key,
        };
        let path = given.or(stored.as_ref()).ok_or_else(|| {
            Failure::usage(
                "a signing key is needed: --key FILE, HANSA_KEY, or `key` in the profile \
                 (`hansa member key create FILE` makes one)",
            )
        })?;
        Ok(read_key_file(path)?)
    }
}

/// Which address and which credential. A profile's credential goes to its own address only.
fn choose(
    api: Option<&str>,
    token: Option<String>,
    profile: &Profile,
) -> Outcome<(String, Credential)> {
    let stored = Some(profile.api.as_str()).filter(|api| !api.is_empty());
    let base = api.or(stored).ok_or_else(|| {
        Failure::usage("where is the API? Set HANSA_API, give --api, or sign in with `hansa login`")
    })?;
    let base = base.trim_end_matches('/').to_owned();
    if let Some(token) = token {
        return Ok((base, Credential::Bearer(Secret::from(token))));
    }
    let credential = match (&profile.token, &profile.session) {
        (Some(token), _) => Credential::Bearer(Secret::from(token.clone())),
        (None, Some(session)) => Credential::Session(Secret::from(session.clone())),
        (None, None) => {
            return Err(Failure::new(Kind::Credential, "who is asking? There is no credential")
                .next("set HANSA_TOKEN to an API key, or sign in with `hansa login`"));
        }
    };
    if stored.map(|stored| stored.trim_end_matches('/')) == Some(base.as_str()) {
        Ok((base, credential))
    } else {
        let text = format!(
            "the profile's credential is for {}, not for {base}: set HANSA_TOKEN or name another \
             profile",
            stored.unwrap_or("no address")
        );
        Err(Failure::new(Kind::Credential, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile {
            api: "https://a.example/".into(),
            token: Some("kept".into()),
            ..Profile::default()
        }
    }

    /// A stored credential must never travel to an address that it was not made for.
    #[test]
    fn a_profiles_credential_stays_at_its_address() {
        assert!(choose(None, None, &profile()).is_ok(), "the profile alone suffices");
        assert!(choose(Some("https://a.example"), None, &profile()).is_ok(), "the same address");
        let refused = choose(Some("https://evil.example"), None, &profile());
        assert!(
            matches!(&refused, Err(failure) if failure.kind() == Kind::Credential),
            "the credential would leak: {refused:?}"
        );
    }

    /// The environment is what scripts set: it wins over what somebody stored.
    #[test]
    fn the_environments_token_wins() {
        let chosen = choose(Some("https://b.example"), Some("given".into()), &profile());
        let Ok((base, Credential::Bearer(token))) = chosen else {
            panic!("an address and a token suffice: {chosen:?}")
        };
        assert_eq!((base.as_str(), token.expose_text()), ("https://b.example", Some("given")));
        assert!(
            choose(Some("https://b.example"), None, &Profile::default()).is_err(),
            "no credential"
        );
        assert!(choose(None, Some("given".into()), &Profile::default()).is_err(), "no address");
    }
}
