//! Ledger nodes and operations.

use clap::{Args, Subcommand};
use hansa_core::{Name, Uuid};
use hansa_types::{Node as Found, NodeSize, Operation as Done, OperationState};
use serde_json::{Value, json};

use super::{
    consortium::operation_of,
    failure::{Failure, Outcome},
    follow::{self, Patience, Wait},
    names::{self, LedgerReference, NodeReference},
    options::Options,
    output,
};

const COLUMNS: [output::Column; 9] = [
    ("NAME", "/name"),
    ("PHASE", "/phase"),
    ("HEALTH", "/health"),
    ("HEIGHT", "/observation/height"),
    ("ROOT", "/observation/root"),
    ("RUNTIME", "/private/runtime"),
    ("HTTP", "/http_address"),
    ("REASON", "/reason"),
    ("ID", "/id"),
];

/// A node: CONSORTIUM/LEDGER/NAME, an id, or a name beside --ledger.
#[derive(Clone, Debug, Args)]
pub(crate) struct Which {
    /// CONSORTIUM/LEDGER/NAME, an id, or a name beside --ledger.
    node: NodeReference,
    /// CONSORTIUM/NAME or id.
    #[arg(long)]
    ledger: Option<LedgerReference>,
}

/// Ledger nodes.
#[derive(Debug, Subcommand)]
pub(crate) enum Node {
    /// List a ledger's nodes, of all members.
    List {
        /// CONSORTIUM/NAME or id.
        ledger: LedgerReference,
    },
    /// Show one node.
    Get(Which),
    /// Add one to a ledger that has no genesis yet.
    Create {
        /// Unique in the ledger.
        name: Name,
        /// CONSORTIUM/NAME or id.
        #[arg(long)]
        ledger: LedgerReference,
        /// Where it runs: process, or a cluster's name.
        #[arg(long, value_name = "NAME", default_value = hansa_types::PROCESS)]
        runtime: Name,
        #[command(flatten)]
        size: Size,
        #[command(flatten)]
        wait: Wait,
    },
    /// Start a node.
    Start(Asked),
    /// Stop a node.
    Stop(Asked),
    /// Stop a node and start it again.
    Restart(Asked),
    /// Give a node in a cluster another size. Its pod starts anew in its turn.
    Resize {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        size: Size,
    },
    /// End a node. Its volume is kept for a week.
    Delete(Asked),
    /// Print the last lines of the log of a node of your own.
    Logs {
        #[command(flatten)]
        which: Which,
        /// How many lines, at most 1000.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
        lines: u16,
    },
}

/// What a node in a cluster may use.
#[derive(Debug, Args)]
pub(crate) struct Size {
    /// small: a quarter of a processor, 1 GiB of memory; medium: 1 and 4 GiB; large: 4 and 16 GiB.
    #[arg(long, value_name = "CLASS", value_parser = size)]
    size: Option<NodeSize>,
    /// Gibibytes of its volume, which grows and never shrinks.
    #[arg(long, value_name = "N")]
    volume_gib: Option<u32>,
}

impl Size {
    /// Puts what was said into a body.
    fn put(&self, body: &mut Value) {
        if let Some(size) = self.size {
            body["size"] = json!(size);
        }
        if let Some(gib) = self.volume_gib {
            body["volume_gib"] = json!(gib);
        }
    }
}

fn size(text: &str) -> Result<NodeSize, String> {
    let known = || NodeSize::ALL.iter().map(|size| size.as_str()).collect::<Vec<_>>().join(", ");
    NodeSize::try_from(text.to_owned()).map_err(|_| format!("one of {}", known()))
}

/// A node, and whether to wait.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    wait: Wait,
}

impl Node {
    pub(crate) async fn run(self, options: &Options) -> Outcome<()> {
        let api = options.connect()?;
        let mut body = json!({});
        let (asked, verb) = match self {
            Self::List { ledger } => {
                let found = names::ledger(&api, &ledger).await?;
                return output::many(options.output, &names::nodes(&api, &found).await?, &COLUMNS);
            }
            Self::Get(Which { node, ledger }) => {
                let found = names::node(&api, &node, ledger.as_ref()).await?;
                return output::one(options.output, &found, &COLUMNS);
            }
            Self::Create { name, ledger, runtime, size, wait } => {
                let found = names::ledger(&api, &ledger).await?;
                let path = format!("/v1/ledgers/{}/nodes", found.id);
                let mut new = json!({ "name": name, "runtime": runtime });
                size.put(&mut new);
                let operation: Done = api.post(&path, &new).await?;
                return wait.finish(&api, options, operation).await;
            }
            Self::Logs { which: Which { node, ledger }, lines } => {
                let found = names::node(&api, &node, ledger.as_ref()).await?;
                let path = format!("/v1/nodes/{}/logs?lines={lines}", found.id);
                return output::print(&api.text(&path).await?);
            }
            Self::Start(asked) => (asked, "start"),
            Self::Stop(asked) => (asked, "stop"),
            Self::Restart(asked) => (asked, "restart"),
            Self::Resize { asked, size } => {
                size.put(&mut body);
                (asked, "resize")
            }
            Self::Delete(asked) => (asked, "delete"),
        };
        let Asked { which: Which { node, ledger }, wait } = asked;
        let found: Found = names::node(&api, &node, ledger.as_ref()).await?;
        let path = format!("/v1/nodes/{}", found.id);
        let operation = if verb == "delete" {
            operation_of(api.delete(&path, Some(found.revision)).await?)?
        } else {
            api.post(&format!("{path}/{verb}"), &body).await?
        };
        wait.finish(&api, options, operation).await
    }
}

/// Operations: the progress of what takes long.
#[derive(Debug, Subcommand)]
pub(crate) enum Operation {
    /// List your tenant's operations, newest first.
    List {
        /// Only those in this state.
        #[arg(long)]
        state: Option<String>,
    },
    /// Show one with its steps.
    Get {
        /// Its id.
        id: Uuid,
    },
    /// Wait for its end; fail when it fails.
    Wait {
        /// Its id.
        id: Uuid,
        #[command(flatten)]
        patience: Patience,
    },
    /// Ask to end it.
    Cancel {
        /// Its id.
        id: Uuid,
    },
}

impl Operation {
    pub(crate) async fn run(self, options: &Options) -> Outcome<()> {
        let api = options.connect()?;
        let found: Done = match self {
            Self::List { state } => {
                let filter = match state {
                    Some(state) => {
                        let known = OperationState::try_from(state.clone());
                        known.map_err(|_| Failure::usage(format!("there is no state {state}")))?;
                        format!("?state={state}")
                    }
                    None => String::new(),
                };
                let all: Vec<Done> = api.list(&format!("/v1/operations{filter}")).await?;
                return output::many(options.output, &all, &follow::COLUMNS);
            }
            Self::Get { id } => api.get(&format!("/v1/operations/{id}")).await?,
            Self::Wait { id, patience } => {
                let found = api.get(&format!("/v1/operations/{id}")).await?;
                patience.until_ended(&api, found).await?
            }
            Self::Cancel { id } => {
                api.post(&format!("/v1/operations/{id}/cancel"), &json!({})).await?
            }
        };
        follow::show(options, &found)
    }
}
