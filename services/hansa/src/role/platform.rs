//! `hansa platform`.

use std::{fs::File, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use hansa_control::OpContext;
use hansa_core::RequestId;
use hansa_types::UserCreate;
use serde_json::json;

use super::{api::ApiConfig, private_text};
use crate::assembly::{ApiService, Metrics};

/// Make the tenant that runs the installation, its operator and its first API key. Once.
#[derive(Debug, Args)]
pub(crate) struct Platform {
    /// The API's file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The operator's e-mail address.
    #[arg(long)]
    email: String,
    /// File (mode 0600) with the operator's password.
    #[arg(long, value_name = "FILE")]
    password: PathBuf,
    /// File to make (mode 0600) for the API key, which is shown nowhere else.
    #[arg(long, value_name = "FILE")]
    api_key: PathBuf,
}

impl Platform {
    pub(crate) async fn run(self) -> Result<()> {
        let Self { config, email, password, api_key } = self;
        let password = private_text(&password)?;
        let operator: UserCreate = serde_json::from_value(json!({
            "email": email, "display_name": "Operator", "role": "platform_operator",
            "password": password.trim_end_matches('\n'),
        }))
        .context("the operator's address or password")?;
        // First, so that the key of a platform that was made is not lost.
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&api_key)
            .with_context(|| api_key.display().to_string())?;
        let api = ApiService::assemble(ApiConfig::read(&config)?.parts()?, &Metrics::new()?)?;
        let context = OpContext::anonymous(RequestId::new());
        let made = match api.control.platform_create(&context, &operator).await {
            Ok(made) => made,
            Err(error) => {
                drop(file);
                std::fs::remove_file(&api_key).context("removing the empty file of the key")?;
                return Err(error).context("making the platform's tenant");
            }
        };
        file.write_all(made.api_key.expose())?;
        file.sync_all()?;
        println!(
            "the platform's tenant {} is made; its API key is in {}",
            made.tenant,
            api_key.display()
        );
        Ok(())
    }
}
