//! `hansa sql`: signs statements and submits them to a node, or asks for rows.

mod file;
mod split;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use hansa_core::{Clock as _, SystemClock};
use hansa_types::{Ledger, Node, NodePhase};
use ledger_client::{
    NodeClient, Signer,
    answer::{Progress, ReceiptState, Rows, Wait},
};
use ledger_types::{Digest, Genesis, Outcome as Result_, Payload, Receipt, Statement, Value};
use serde_json::json;

use super::{
    api::Api,
    failure::{Failure, Outcome},
    names::{self, LedgerReference, Reference},
    options::Options,
    output::{self, Output},
};

/// How long an outcome or a receipt may take.
const OUTCOME_TIME_MAX: Duration = Duration::from_secs(30);
/// Between two looks for a receipt.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Sign statements and submit them to a node, or ask for rows.
///
/// A statement that only reads (SELECT, WITH, VALUES, EXPLAIN) is a query. Everything else is one
/// atomic transaction: several statements, separated by semicolons, take effect together or not at
/// all. With -f a file of any length is sent in groups of statements, each group one transaction;
/// an interrupted file goes on where it ended, and nothing is done twice.
#[derive(Debug, Args)]
pub(crate) struct Sql {
    /// CONSORTIUM/NAME or id.
    ledger: LedgerReference,
    /// The statements.
    #[arg(conflicts_with = "file", required_unless_present = "file")]
    statement: Option<String>,
    /// A file of statements.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Ask this node (name or id); otherwise one of your own.
    #[arg(long)]
    node: Option<Reference>,
    /// Ask for the rows as they were at this height, while it is kept; for queries only.
    #[arg(long, value_name = "HEIGHT", conflicts_with_all = ["file", "receipt"])]
    height: Option<u64>,
    /// The key that signs.
    #[arg(long, env = "HANSA_KEY", value_name = "FILE")]
    key: Option<PathBuf>,
    /// Wait for the receipt and write it here; `hansa-node verify` checks it offline.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
}

/// A ledger's node, and who signs.
pub(super) struct Session {
    pub(super) node: NodeClient,
    pub(super) signer: Signer,
    pub(super) genesis: Genesis,
}

pub(super) fn now_ms() -> u64 {
    u64::try_from(SystemClock.now().unix_micros() / 1_000).unwrap_or_default()
}

impl Sql {
    pub(crate) async fn run(self, options: &Options) -> Outcome<()> {
        let api = options.connect()?;
        let ledger = names::ledger(&api, &self.ledger).await?;
        let key = options.signing_key(self.key.as_ref())?;
        let session = open(&api, &ledger, self.node.as_ref(), key).await?;
        if let Some(file) = &self.file {
            return file::send(&session, file).await;
        }
        let text = self.statement.as_deref().unwrap_or_default();
        if split::only_reads(text) {
            let Session { node, signer, .. } = &session;
            let rows = node.query_at(signer, self.height, text, &[], now_ms()).await?;
            return show(options.output, &rows);
        }
        if self.height.is_some() {
            return Err(Failure::usage("--height is for queries: what is past does not change"));
        }
        let statements: Vec<Statement> = split::statements(text)
            .map_err(Failure::usage)?
            .into_iter()
            .map(|found| Statement { sql: found.sql, parameters: vec![] })
            .collect();
        if statements.is_empty() {
            return Err(Failure::usage("there is no statement"));
        }
        let (id, height, changes) = session.apply(Payload::Sql(statements)).await?;
        if let Some(path) = &self.receipt {
            write_receipt(&session, id, path).await?;
        }
        let done = json!({ "id": id, "height": height, "changes": changes });
        let columns = [("TRANSACTION", "/id"), ("HEIGHT", "/height"), ("ROWS", "/changes")];
        output::one(options.output, &done, &columns)
    }
}

impl Session {
    /// Signs, submits, and waits for the outcome.
    async fn apply(&self, payload: Payload) -> Outcome<(Digest, u64, Vec<u64>)> {
        let failed = |error: &dyn std::fmt::Display| Failure::failed(error.to_string());
        let transaction =
            self.signer.transaction(payload, now_ms()).map_err(|error| failed(&error))?;
        let id = transaction.id();
        let done = self.node.submit(&[transaction], Wait::Executed, OUTCOME_TIME_MAX).await?;
        match done.into_iter().next().map(|submitted| submitted.progress) {
            Some(Progress::Executed { height, outcome: Result_::Applied { changes } }) => {
                Ok((id, height, changes))
            }
            Some(Progress::Executed { outcome, .. }) => Err(refused(&outcome, None)),
            Some(Progress::Accepted | Progress::Committed { .. }) | None => {
                let text = format!("transaction {id} has no outcome yet; it may still take effect");
                Err(Failure::with_next(text, "look whether the ledger's nodes agree"))
            }
        }
    }
}

/// A refusal in words, with the place in a file where there is one.
fn refused(outcome: &Result_, place: Option<&str>) -> Failure {
    let Result_::Refused { reason, statement, position, detail } = outcome else {
        return Failure::failed("it took effect");
    };
    let at = match (place, statement, position) {
        (Some(place), _, _) => format!("{place}: "),
        (None, Some(statement), Some(position)) => {
            format!("statement {} at byte {position}: ", statement + 1)
        }
        (None, Some(statement), None) => format!("statement {}: ", statement + 1),
        (None, None, _) => String::new(),
    };
    Failure::failed(format!("{at}refused ({reason:?}): {detail}"))
}

/// Connects to a node of the ledger, which must hold the key that the genesis endorses.
async fn open(
    api: &Api,
    ledger: &Ledger,
    wanted: Option<&Reference>,
    key: ledger_types::SigningKey,
) -> Outcome<Session> {
    let genesis: Genesis = api.get(&format!("/v1/ledgers/{}/genesis", ledger.id)).await?;
    genesis.check().map_err(|error| Failure::failed(format!("the genesis: {error}")))?;
    let nodes = names::nodes(api, ledger).await?;
    let node = match wanted {
        Some(wanted) => names::node_of(&nodes, wanted)?,
        None => {
            preferred(&nodes).ok_or_else(|| Failure::failed("the ledger has no running node"))?
        }
    };
    let address = node.http_address.as_deref();
    let address =
        address.ok_or_else(|| Failure::failed(format!("node {} is nowhere", node.name)))?;
    let id = ledger_types::NodeId(*node.id.uuid().as_bytes());
    let validator = genesis.validators.iter().find(|validator| validator.identity.node == id);
    let endorsed = validator.map(|validator| validator.identity.tls_key);
    let endorsed = endorsed
        .ok_or_else(|| Failure::failed(format!("the genesis does not list node {}", node.name)))?;
    let ca = &genesis.charter.ca_certificate;
    let client = NodeClient::connect(address, ca, Some(endorsed)).await?;
    let signer = Signer::new(genesis.ledger(), key);
    Ok(Session { node: client, signer, genesis })
}

/// One of the own member's that runs, or any that does.
fn preferred(nodes: &[Node]) -> Option<&Node> {
    let running = |node: &&Node| node.phase == NodePhase::Running && node.http_address.is_some();
    let own = nodes.iter().filter(running).find(|node| node.private.is_some());
    own.or_else(|| nodes.iter().find(running))
}

async fn write_receipt(session: &Session, id: Digest, path: &Path) -> Outcome<()> {
    let began = std::time::Instant::now();
    let receipt: Box<Receipt> = loop {
        match session.node.receipt(id).await? {
            ReceiptState::Certified(receipt) => break receipt,
            ReceiptState::Unknown | ReceiptState::NotCertified
                if began.elapsed() < OUTCOME_TIME_MAX =>
            {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            ReceiptState::Unknown | ReceiptState::NotCertified => {
                return Err(Failure::failed("the result was not certified in time"));
            }
        }
    };
    let verified = receipt.verify(&session.genesis);
    verified.map_err(|error| Failure::failed(format!("the receipt does not hold: {error}")))?;
    let text = serde_json::to_vec_pretty(&receipt).map_err(anyhow::Error::from)?;
    fs::write(path, text)
        .map_err(|error| Failure::failed(format!("writing {}: {error}", path.display())))
}

fn show(output: Output, rows: &Rows) -> Outcome<()> {
    let cell = |value: &Value| match value {
        Value::Null => serde_json::Value::Null,
        Value::Integer(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Blob { hex } => json!(format!("x'{}'", hex::encode(hex))),
    };
    if output == Output::Table {
        let shown = |row: &Vec<Value>| row.iter().map(|v| output::text(&cell(v))).collect();
        let all = std::iter::once(rows.columns.clone()).chain(rows.rows.iter().map(shown));
        print!("{}", output::aligned(all.collect()));
        if rows.truncated {
            eprintln!("more rows were left out: use LIMIT and a condition to page");
        }
        return Ok(());
    }
    let object = |row: &Vec<Value>| {
        let fields = rows.columns.iter().cloned().zip(row.iter().map(cell));
        serde_json::Value::Object(fields.collect())
    };
    let all: Vec<serde_json::Value> = rows.rows.iter().map(object).collect();
    output::many(output, &all, &[])
}
