//! Starting: what is on disk, is it whole, and from where does the replica go on?

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context as _, Result};
use ledger_consensus::{
    Config, Replica, ReplicaConfig, Restored, Timing,
    replica::{Entry, Tail},
};
use ledger_state::State;
use ledger_storage::{
    BlockLog, BlockLogOptions, FileDisk, Found, Mark, RebuildReason, StatePlan, VoteLog,
    VoteLogState, is_trustworthy, recover,
};
use ledger_types::{Genesis, SigningKey, codec};

use crate::{config::NodeConfig, distrusted::put_aside, finding::Finding, state_keeper::open};

/// A node ready to run.
pub struct Booted {
    /// The checked genesis.
    pub genesis: Arc<Genesis>,
    /// The replica, before it has heard of any peer.
    pub replica: Replica,
    pub(crate) stored: Stored,
    pub(crate) votes: VoteLog<FileDisk>,
}

/// What is on disk: blocks, and a state that may be behind them.
pub(crate) struct Stored {
    pub(crate) blocks: BlockLog<FileDisk>,
    pub(crate) state: State,
    /// What was wrong with the state's file.
    pub(crate) found: Option<Finding>,
}

/// Reads and checks a genesis.
///
/// # Errors
/// When it cannot be read or does not hold.
pub fn read_genesis(path: &Path) -> Result<Genesis> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("reading the genesis {}", path.display()))?;
    let genesis: Genesis =
        serde_json::from_str(&text).with_context(|| format!("{} is no genesis", path.display()))?;
    genesis.check().with_context(|| format!("the genesis {}", path.display()))?;
    Ok(genesis)
}

/// Opens everything, recovers, and builds the replica.
///
/// # Errors
/// When the genesis does not list this node's key, or what is on disk cannot be used.
pub fn boot(config: &NodeConfig, now_ms: u64) -> Result<Booted> {
    let genesis = read_genesis(&config.genesis)?;
    let key = Arc::new(ledger_client::read_key_file(&config.consensus_key)?);
    let ledger = genesis.ledger();
    let blocks_disk = FileDisk::open(&config.data.join("blocks"))?;
    let blocks = BlockLog::open(blocks_disk, ledger, BlockLogOptions::default())?;
    let (mut votes, vote_state) =
        VoteLog::open(FileDisk::open(&config.data.join("votes"))?, ledger)?;
    let state_path = config.data.join("state.db");
    let mark = read_mark(&config.data)?;
    let opened = if state_path.exists() { open(&state_path, &genesis).ok() } else { None };
    let found = Found {
        whole_to: blocks.whole_to(),
        last: blocks.head(),
        votes: (&vote_state).into(),
        executed: opened.as_ref().map(|state| state.executed().height),
        trustworthy: is_trustworthy(mark.as_ref(), &boot_id()?),
        ran_before: mark.is_some(),
    };
    let plan = recover(&found);
    if !plan.votes_intact {
        votes.distrust()?;
    }
    if let Some((from, to)) = plan.fetch {
        tracing::error!(
            "blocks {from} to {to} are broken on disk: silent until peers have sent them"
        );
    }
    let known = opened.as_ref().map_or(0, |state| state.executed().height);
    let (state, found) = match (plan.state, opened) {
        (StatePlan::Rebuild(reason), opened) => {
            tracing::warn!("the state is built again from the blocks: {reason:?}");
            drop(opened);
            let existed = state_path.exists();
            let kept = put_aside(&state_path, known)?;
            let found = existed.then(|| Finding::State {
                table: None,
                height: known,
                detail: format!("the file is not what this node left: {reason:?}"),
                kept: Some(kept),
            });
            // A power cut is nobody's doing.
            let found = found.filter(|_| reason != RebuildReason::PowerLoss);
            (open(&state_path, &genesis)?, found)
        }
        (StatePlan::Keep | StatePlan::Replay { .. }, Some(state)) => (state, None),
        (StatePlan::Keep | StatePlan::Replay { .. }, None) => (open(&state_path, &genesis)?, None),
    };
    write_mark(&config.data, false)?;
    let stored = Stored { blocks, state, found };
    let replica = replica(&genesis, key, &stored, vote_state, plan.votes_intact, now_ms)?;
    Ok(Booted { genesis: Arc::new(genesis), replica, stored, votes })
}

fn read_mark(data: &Path) -> Result<Option<Mark>> {
    let path = data.join("mark");
    if !path.exists() {
        return Ok(None);
    }
    // Whoever wrote this did not finish, or was not this node: nothing speaks for the state's file.
    let unknown = Mark { boot_id: String::new(), clean: false };
    Ok(Some(codec::decode(&fs::read(path)?).unwrap_or(unknown)))
}

/// Names this boot of the machine.
fn boot_id() -> Result<String> {
    let path = "/proc/sys/kernel/random/boot_id";
    let text = fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    Ok(text.trim().to_owned())
}

/// Writes the mark of this run, whether it goes on or has ended in order; atomic.
pub(crate) fn write_mark(data: &Path, clean: bool) -> Result<()> {
    let temporary = data.join("mark.tmp");
    fs::write(&temporary, codec::encode(&Mark { boot_id: boot_id()?, clean }))?;
    fs::File::open(&temporary)?.sync_all()?;
    fs::rename(temporary, data.join("mark"))?;
    fs::File::open(data)?.sync_all()?;
    Ok(())
}

fn replica(
    genesis: &Genesis,
    key: Arc<SigningKey>,
    stored: &Stored,
    votes: VoteLogState,
    log_intact: bool,
    now_ms: u64,
) -> Result<Replica> {
    let Stored { blocks, state, .. } = stored;
    let head = blocks.head();
    let entries = match votes {
        VoteLogState::Intact(entries) | VoteLogState::Resumed { records: entries, .. } => entries,
        VoteLogState::Fresh => Vec::new(),
        VoteLogState::Damaged(reason) => {
            tracing::warn!("the vote log is damaged ({reason}): silent until it cannot matter");
            Vec::new()
        }
    };
    let entries = entries.iter().map(|(_, bytes)| codec::decode(bytes));
    let (records, payloads) = Entry::split(entries.collect::<Result<_, _>>()?, head + 1);
    let mut restored = Restored { records, log_intact, ..Restored::fresh(genesis.digest()) };
    // The first block is empty: it certifies the state that the genesis gives, and shows that the
    // validators agree before anybody relies on them.
    let mut tail =
        Tail { executed: state.executed(), time_ms: genesis.created_at_ms, open: head == 0 };
    if head > 0 {
        let last = blocks.read(head)?;
        let header = &last.block.header;
        restored.height = head + 1;
        restored.parent = header.digest(genesis.ledger());
        restored.last_proposer = header.proposer;
        restored.decision = Some(last.certificate.clone());
        tail.time_ms = header.time_ms;
        tail.open = header.transaction_count > 0;
    }
    let consensus = Config::from_genesis(genesis, key, Timing::default())
        .context("the genesis does not list this node's consensus key")?;
    // The commit thread executes what the state does not have yet.
    Ok(Replica::new(ReplicaConfig::default(), consensus, restored, payloads, tail, now_ms))
}
