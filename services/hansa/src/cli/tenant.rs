//! Tenants, for the operator of the platform.

use clap::Subcommand;
use hansa_core::Name;
use hansa_types::Tenant as Found;
use serde_json::{Value, json};

use super::{
    failure::Outcome,
    options::Options,
    output::{self, Output},
    password,
};

const COLUMNS: [output::Column; 4] =
    [("NAME", "/name"), ("TITLE", "/display_name"), ("PHASE", "/phase"), ("ID", "/id")];

/// Tenants: the installation's customers, for the operator of the platform.
#[derive(Debug, Subcommand)]
pub(crate) enum Tenant {
    /// List them, newest first.
    List,
    /// Make one with its first administrator, who then makes its other users.
    Create {
        /// Unique in the installation; consortiums invite it by this name.
        name: Name,
        /// Title for people; the name unless given.
        #[arg(long)]
        title: Option<String>,
        /// The administrator's address, to sign in with.
        #[arg(long)]
        email: String,
        /// What the administrator is called; the address unless given.
        #[arg(long, value_name = "TITLE")]
        administrator: Option<String>,
        /// Read the administrator's password from the standard input instead of asking for it.
        #[arg(long)]
        password_stdin: bool,
    },
}

impl Tenant {
    pub(crate) async fn run(self, options: &Options) -> Outcome<()> {
        let api = options.connect()?;
        match self {
            Self::List => {
                let all: Vec<Found> = api.list("/v1/tenants").await?;
                let all: Vec<Value> =
                    all.iter().map(|found| shown(options.output, found)).collect();
                output::many(options.output, &all, &COLUMNS)
            }
            Self::Create { name, title, email, administrator, password_stdin } => {
                let again = ("no tenant was made", "call `hansa tenant create` again");
                let password = password::read(password_stdin, again).await?;
                let body = json!({
                    "display_name": title.unwrap_or_else(|| name.to_string()),
                    "name": name,
                    "administrator": {
                        "display_name": administrator.as_deref().unwrap_or(&email),
                        "email": &email,
                        "password": password,
                        "role": "tenant_admin",
                    },
                });
                let made: Found = api.post("/v1/tenants", &body).await?;
                output::one(options.output, &shown(options.output, &made), &COLUMNS)
            }
        }
    }
}

/// Other verbs take a tenant by its name, not by its id.
fn shown(output: Output, found: &Found) -> Value {
    let mut value = json!(found);
    if let (Output::Name, Some(fields)) = (output, value.as_object_mut()) {
        fields.remove("id");
    }
    value
}
