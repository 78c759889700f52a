//! Consortiums, invitations, members.

use std::path::PathBuf;

use clap::Subcommand;
use hansa_core::Name;
use hansa_types::{
    Consortium as Found, Invitation as Offer, Me, Member as Seat, Operation,
    statement::{Accept, Found as FoundStatement},
};
use ledger_types::{Digest, SigningKey};
use serde_json::{Value, json};

use super::{
    failure::{Failure, Outcome},
    follow::Wait,
    names::{self, Reference},
    options::Options,
    output,
};

const COLUMNS: [output::Column; 4] =
    [("NAME", "/name"), ("RELATION", "/relation"), ("PHASE", "/phase"), ("ID", "/id")];
const INVITATION_COLUMNS: [output::Column; 4] =
    [("CONSORTIUM", "/consortium"), ("PHASE", "/phase"), ("EXPIRES", "/expires_at"), ("ID", "/id")];
const MEMBER_COLUMNS: [output::Column; 4] = [
    ("NAME", "/name"),
    ("PHASE", "/phase"),
    ("ADMINISTRATOR KEY", "/administrator_key"),
    ("ID", "/id"),
];

/// Consortiums: groups of tenants that own ledgers.
#[derive(Debug, Subcommand)]
pub(crate) enum Consortium {
    /// List what your tenant has a seat in or an invitation to.
    List,
    /// Show one consortium.
    Get {
        /// Name or id.
        consortium: Reference,
    },
    /// Found one and take its first seat, with the member's administrator key.
    Create {
        /// Unique among your tenant's.
        name: Name,
        /// Title for people; the name unless given.
        #[arg(long)]
        title: Option<String>,
        /// The administrator key's file.
        #[arg(long, env = "HANSA_KEY")]
        key: Option<PathBuf>,
    },
    /// End one with its ledgers and nodes. Volumes are kept for a week.
    Delete {
        /// Name or id.
        consortium: Reference,
        #[command(flatten)]
        wait: Wait,
    },
}

impl Consortium {
    pub(crate) async fn run(self, options: &Options) -> Outcome<()> {
        let api = options.connect()?;
        match self {
            Self::List => {
                let all: Vec<Found> = api.list("/v1/consortiums").await?;
                output::many(options.output, &all, &COLUMNS)
            }
            Self::Get { consortium } => {
                let found = names::consortium(&api, &consortium).await?;
                output::one(options.output, &found, &COLUMNS)
            }
            Self::Create { name, title, key } => {
                let key = options.signing_key(key.as_ref())?;
                let me: Me = api.get("/v1/me").await?;
                let statement = FoundStatement {
                    tenant: me.tenant_id,
                    consortium: &name,
                    member: &me.tenant,
                    administrator_key: key.public_key().0.into(),
                };
                let mut body = signed(&key, &statement.bytes());
                body["display_name"] = json!(title.unwrap_or_else(|| name.to_string()));
                body["name"] = json!(name);
                let made: Found = api.post("/v1/consortiums", &body).await?;
                output::one(options.output, &made, &COLUMNS)
            }
            Self::Delete { consortium, wait } => {
                let found = names::consortium(&api, &consortium).await?;
                let path = format!("/v1/consortiums/{}", found.id);
                let operation = api.delete(&path, Some(found.revision)).await?;
                wait.finish(&api, options, operation_of(operation)?).await
            }
        }
    }
}

/// The operation in an answer.
pub(super) fn operation_of(answer: Option<Value>) -> Outcome<Operation> {
    let operation = answer.and_then(|value| serde_json::from_value(value).ok());
    operation.ok_or_else(|| Failure::failed("the API answers without an operation"))
}

fn signed(key: &SigningKey, statement: &[u8]) -> Value {
    json!({
        "administrator_key": key.public_key().to_string(),
        "signature": key.sign(&Digest::of(statement)).to_string(),
    })
}

/// Invitations: offers of a seat.
#[derive(Debug, Subcommand)]
pub(crate) enum Invitation {
    /// List what your tenant was offered.
    List,
    /// Offer a tenant a seat.
    Create {
        /// Name or id of the consortium.
        consortium: Reference,
        /// The tenant's name.
        #[arg(long)]
        tenant: Name,
    },
    /// Take the seat, with the member's administrator key.
    Accept {
        /// The consortium's name, or the invitation's id.
        invitation: Reference,
        /// The administrator key's file.
        #[arg(long, env = "HANSA_KEY")]
        key: Option<PathBuf>,
    },
    /// Refuse the seat.
    Decline {
        /// The consortium's name, or the invitation's id.
        invitation: Reference,
    },
}

impl Invitation {
    pub(crate) async fn run(self, options: &Options) -> Outcome<()> {
        let api = options.connect()?;
        let answered: Offer = match self {
            Self::List => {
                let all: Vec<Offer> = api.list("/v1/invitations").await?;
                return output::many(options.output, &all, &INVITATION_COLUMNS);
            }
            Self::Create { consortium, tenant } => {
                let found = names::consortium(&api, &consortium).await?;
                let path = format!("/v1/consortiums/{}/invitations", found.id);
                api.post(&path, &json!({ "tenant": tenant })).await?
            }
            Self::Accept { invitation, key } => {
                let key = options.signing_key(key.as_ref())?;
                let offer = names::invitation(&api, &invitation).await?;
                let me: Me = api.get("/v1/me").await?;
                let statement = Accept {
                    invitation: offer.id,
                    consortium: offer.consortium_id,
                    tenant: me.tenant_id,
                    member: &me.tenant,
                    administrator_key: key.public_key().0.into(),
                };
                let body = signed(&key, &statement.bytes());
                api.post(&format!("/v1/invitations/{}/accept", offer.id), &body).await?
            }
            Self::Decline { invitation } => {
                let offer = names::invitation(&api, &invitation).await?;
                api.post(&format!("/v1/invitations/{}/decline", offer.id), &json!({})).await?
            }
        };
        output::one(options.output, &answered, &INVITATION_COLUMNS)
    }
}

/// Seats of consortiums and their administrator keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Member {
    /// List the seats of a consortium.
    List {
        /// Name or id.
        consortium: Reference,
    },
    /// The key that is a member's authority over ledgers.
    #[command(subcommand)]
    Key(MemberKey),
}

/// A member's administrator key.
#[derive(Debug, Subcommand)]
pub(crate) enum MemberKey {
    /// Make a key file (mode 0600) and print its public half. Keep a copy in a safe place.
    Create {
        /// The file to make; it must not exist.
        file: PathBuf,
    },
}

impl Member {
    pub(crate) async fn run(self, options: &Options) -> Outcome<()> {
        match self {
            Self::List { consortium } => {
                let api = options.connect()?;
                let found = names::consortium(&api, &consortium).await?;
                let path = format!("/v1/consortiums/{}/members", found.id);
                let all: Vec<Seat> = api.list(&path).await?;
                output::many(options.output, &all, &MEMBER_COLUMNS)
            }
            Self::Key(MemberKey::Create { file }) => {
                let key = ledger_client::create_key_file(&file)?.public_key();
                output::print(&format!("{key}\n"))
            }
        }
    }
}
