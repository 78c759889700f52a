//! Ledgers: from a draft to a genesis that all members have signed.

use std::{path::PathBuf, time::Duration};

use clap::Subcommand;
use hansa_core::Name;
use hansa_types::{Charter as Shown, Code, Incident, Ledger as Found, LedgerPhase, Operation};
use ledger_types::{Endorsement, genesis::Charter};
use serde_json::{Value, json};

use super::{
    api::Api,
    failure::{Failure, Outcome},
    follow::Wait,
    names::{self, LedgerReference, Reference},
    options::Options,
    output,
};

const COLUMNS: [output::Column; 7] = [
    ("NAME", "/name"),
    ("POLICY", "/policy"),
    ("PHASE", "/phase"),
    ("HEALTH", "/health/state"),
    ("REASON", "/health/reason"),
    ("HEIGHT", "/health/height"),
    ("ID", "/id"),
];
const INCIDENT_COLUMNS: [output::Column; 5] = [
    ("OPENED", "/opened_at"),
    ("KIND", "/kind"),
    ("NODE", "/node_id"),
    ("RESOLVED", "/resolved_at"),
    ("SUMMARY", "/summary"),
];
/// Between two looks for the charter.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long to wait for the charter: nodes enrol in seconds.
const CHARTER_TIME_MAX: Duration = Duration::from_secs(300);

/// Ledgers of a consortium. A ledger is written CONSORTIUM/NAME, or as its id.
#[derive(Debug, Subcommand)]
pub(crate) enum Ledger {
    /// List a consortium's ledgers.
    List {
        /// Name or id.
        consortium: Reference,
    },
    /// Show one ledger.
    Get {
        /// CONSORTIUM/NAME or id.
        ledger: LedgerReference,
    },
    /// Make one, without nodes.
    Create {
        /// Name or id of the consortium.
        consortium: Reference,
        /// Unique in the consortium.
        name: Name,
        /// `bft` (four nodes, safe against fraud) or `cft` (three, safe against crashes).
        #[arg(long, default_value = "bft")]
        policy: String,
        /// With cft: accept one or two nodes. Never for anything that matters.
        #[arg(long)]
        development: bool,
    },
    /// Launch it. Every member then approves with `ledger approve`.
    Launch {
        /// CONSORTIUM/NAME or id.
        ledger: LedgerReference,
        #[command(flatten)]
        wait: Wait,
    },
    /// Sign the charter and your own nodes with the member's administrator key.
    Approve {
        /// CONSORTIUM/NAME or id.
        ledger: LedgerReference,
        /// The administrator key's file.
        #[arg(long, env = "HANSA_KEY")]
        key: Option<PathBuf>,
    },
    /// Print the genesis document.
    Genesis {
        /// CONSORTIUM/NAME or id.
        ledger: LedgerReference,
    },
    /// List what nodes found wrong, and what was put right.
    Incidents {
        /// CONSORTIUM/NAME or id.
        ledger: LedgerReference,
    },
}

impl Ledger {
    pub(crate) async fn run(self, options: &Options) -> Outcome<()> {
        let api = options.connect()?;
        match self {
            Self::List { consortium } => {
                let found = names::consortium(&api, &consortium).await?;
                output::many(options.output, &names::ledgers(&api, found.id).await?, &COLUMNS)
            }
            Self::Get { ledger } => {
                let found = names::ledger(&api, &ledger).await?;
                output::one(options.output, &found, &COLUMNS)?;
                match &found.health {
                    Some(health) if options.output == output::Output::Table => {
                        output::print(&format!("\n{}\n", health.detail))
                    }
                    Some(_) | None => Ok(()),
                }
            }
            Self::Create { consortium, name, policy, development } => {
                let found = names::consortium(&api, &consortium).await?;
                let body = json!({ "name": name, "policy": policy, "development": development });
                let path = format!("/v1/consortiums/{}/ledgers", found.id);
                let made: Found = api.post(&path, &body).await?;
                output::one(options.output, &made, &COLUMNS)
            }
            Self::Launch { ledger, wait } => {
                let found = names::ledger(&api, &ledger).await?;
                let path = format!("/v1/ledgers/{}/launch", found.id);
                let operation: Operation = api.post(&path, &json!({})).await?;
                wait.finish(&api, options, operation).await
            }
            Self::Approve { ledger, key } => approve(&api, options, &ledger, key).await,
            Self::Genesis { ledger } => {
                let found = names::ledger(&api, &ledger).await?;
                let genesis: Value = api.get(&format!("/v1/ledgers/{}/genesis", found.id)).await?;
                // A document for programs: there is no table of it.
                let form = match options.output {
                    output::Output::Yaml => output::Output::Yaml,
                    output::Output::Table | output::Output::Json | output::Output::Name => {
                        output::Output::Json
                    }
                };
                output::one(form, &genesis, &[])
            }
            Self::Incidents { ledger } => {
                let found = names::ledger(&api, &ledger).await?;
                let path = format!("/v1/ledgers/{}/incidents", found.id);
                let all: Vec<Incident> = api.list(&path).await?;
                output::many(options.output, &all, &INCIDENT_COLUMNS)
            }
        }
    }
}

/// Signs what was composed, after computing every digest again from the documents.
async fn approve(
    api: &Api,
    options: &Options,
    ledger: &LedgerReference,
    key: Option<PathBuf>,
) -> Outcome<()> {
    let key = options.signing_key(key.as_ref())?;
    let found = names::ledger(api, ledger).await?;
    let shown = charter(api, &found).await?;
    let malformed = |what: &str| Failure::failed(format!("do not sign this: {what}"));
    let charter: Charter = serde_json::from_value(shown.charter.clone())
        .map_err(|_| malformed("the charter is not of the form of this release"))?;
    if charter.digest().to_string() != shown.digest {
        return Err(malformed("the charter is not what its digest says"));
    }
    let own = key.public_key();
    let seat = charter.members.iter().position(|member| member.administrator == own);
    let seat = seat.ok_or_else(|| malformed("this key is no member's of the charter"))?;
    let mut endorsements = Vec::new();
    eprintln!("ledger {} ({:?}), members:", charter.name, charter.policy);
    for member in &charter.members {
        eprintln!("  {}  {}", member.name, member.administrator);
    }
    for draft in &shown.endorsements {
        let endorsement: Endorsement = serde_json::from_value(draft.endorsement.clone())
            .map_err(|_| malformed("a node is not of the form of this release"))?;
        let is_own = usize::from(endorsement.member) == seat;
        if !is_own || endorsement.digest(&charter).to_string() != draft.digest {
            return Err(malformed("a node in it is not this member's"));
        }
        eprintln!("your node {}  {}", endorsement.name, endorsement.consensus_key);
        let signature = endorsement.sign(&charter, &key).to_string();
        endorsements.push(json!({ "node_id": draft.node_id, "signature": signature }));
    }
    let charter_signature = charter.sign(&key).to_string();
    let body = json!({ "charter_signature": charter_signature, "endorsements": endorsements });
    let path = format!("/v1/ledgers/{}/approvals", found.id);
    let approved: Found = api.post(&path, &body).await?;
    output::one(options.output, &approved, &COLUMNS)
}

/// The charter, once all nodes have enrolled.
async fn charter(api: &Api, ledger: &Found) -> Outcome<Shown> {
    let began = std::time::Instant::now();
    loop {
        match api.get(&format!("/v1/ledgers/{}/charter", ledger.id)).await {
            Err(failure)
                if failure.has_code(Code::WrongPhase)
                    && ledger.phase == LedgerPhase::Launching
                    && began.elapsed() < CHARTER_TIME_MAX =>
            {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            answered => return answered,
        }
    }
}
