//! A file of statements, sent in groups; an interrupted one goes on where it ended.
//!
//! What a group becomes is a function of its statements, the ledger, the key and what the journal
//! holds before the group is sent: the same group is always the same transaction, and a ledger
//! gives a transaction one effect. Only when its validity has ended and it is in no block is a group
//! signed anew. A group that was refused had no effect: it may be mended in the file, which then
//! goes on from there.

use std::{
    fs::{self, File},
    io::IsTerminal as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use hansa_core::Secret;
use ledger_client::answer::ReceiptState;
use ledger_types::{Digest, Outcome as Result_, Payload, Reason, Statement, Transaction, limits};
use serde_json::json;

use super::{
    Text,
    journal::{self, Journal},
    receipt,
    session::{LOOK_EVERY, Session, now_ms},
    split::Found,
};
use crate::cli::{
    failure::{Failure, Kind, Outcome},
    options::Options,
    output,
};

/// Bytes of a file.
const FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Statements of one group, and bytes: a group is one transaction.
const GROUP_STATEMENTS_MAX: usize = 50;
const GROUP_BYTES_MAX: usize = 64 * 1024;
/// How long a group stays valid, and how long after its signing it surely cannot enter a block.
const VALIDITY_MS: u64 = 2 * 60 * 1000;
const SURELY_OVER_MS: u64 = VALIDITY_MS + 4 * limits::CLOCK_DRIFT_MS_MAX;
/// How long it may take to learn what became of a group whose time is over.
const DOUBT_TIME_MAX: Duration = Duration::from_secs(60);

/// The text of a file.
pub(super) fn read(path: &Path) -> Outcome<String> {
    let named = |error: std::io::Error| Failure::failed(format!("{}: {error}", path.display()));
    let size = fs::metadata(path).map_err(named)?.len();
    if size > FILE_BYTES_MAX {
        let text = format!("{} has more than {FILE_BYTES_MAX} bytes: cut it", path.display());
        return Err(Failure::usage(text));
    }
    fs::read_to_string(path).map_err(named)
}

/// Statements that are sent together.
struct Group {
    found: Vec<Found>,
    digest: Digest,
    /// Statements of the file before it.
    before: usize,
}

/// One file being sent.
struct Sending<'s> {
    session: &'s mut Session,
    text: &'s Text,
    journal: Journal,
    journal_path: PathBuf,
}

pub(super) async fn send(
    session: &mut Session,
    path: &Path,
    text: &Text,
    found: Vec<Found>,
    receipts: Option<&Path>,
    options: &Options,
) -> Outcome<()> {
    let named = |error: std::io::Error| Failure::failed(format!("{}: {error}", path.display()));
    // Two that send one file at once would each do what the other does.
    let locked = File::open(path).map_err(named)?;
    if locked.try_lock().is_err() {
        let text = format!("{} is being sent by another process", path.display());
        return Err(Failure::new(Kind::Conflict, text));
    }
    let groups = grouped(found);
    let digests: Vec<Digest> = groups.iter().map(|group| group.digest).collect();
    let journal_path = journal::beside(path);
    let fresh = Journal {
        ledger: session.genesis.ledger().to_string(),
        signer: session.signer.public_key().to_string(),
        run: run()?,
        done: 0,
        done_digest: journal::over(&[]),
        open: None,
        base_ms: 0,
    };
    let journal = Journal::resume(&journal_path, fresh, &digests)?;
    if journal.done > 0 || journal.open.is_some() {
        eprintln!("going on after {} of {} transactions", journal.done, groups.len());
    }
    let bar = Bar::new(groups.iter().map(|group| group.found.len()).collect());
    let first = journal.done;
    let mut sending = Sending { session, text, journal, journal_path };
    for (place, group) in groups.iter().enumerate().skip(first) {
        let id = sending.bring(group, place).await?;
        if let Some(path) = receipts {
            let path = receipt::numbered(path, place, groups.len());
            receipt::write(sending.session, id, &path).await?;
        }
        sending.journal.done = place + 1;
        sending.journal.done_digest = journal::over(&digests[..=place]);
        sending.journal.open = None;
        bar.show(place + 1);
    }
    fs::remove_file(&sending.journal_path).map_err(named)?;
    let done = json!({ "statements": bar.all(), "transactions": groups.len() });
    let columns = [("STATEMENTS", "/statements"), ("TRANSACTIONS", "/transactions")];
    output::one(options.output, &done, &columns)
}

/// A word that no other sending has.
fn run() -> Outcome<String> {
    let word = Secret::random(16).map_err(|error| Failure::failed(error.to_string()))?.to_hex();
    Ok(word.expose_text().unwrap_or_default().to_owned())
}

impl Sending<'_> {
    /// Brings one group to its effect; its transaction's id.
    async fn bring(&mut self, group: &Group, place: usize) -> Outcome<Digest> {
        let begun_before = self.journal.open.is_some();
        if !begun_before {
            self.open(group)?;
        }
        let mut doubtful = begun_before && now_ms() > self.journal.base_ms + VALIDITY_MS / 2;
        loop {
            let transaction = self.sign(group, place);
            let id = transaction.id();
            let known = if doubtful { self.look_back(group, id).await? } else { None };
            doubtful = false;
            let outcome = match known {
                Some(outcome) => outcome,
                // Signed anew, when what was sent before can have no effect any more.
                None => match self.session.outcome(&self.sign(group, place)).await {
                    Ok((_, outcome)) => outcome,
                    // Its time ended meanwhile: what became of it decides.
                    Err(Failure::Node(error))
                        if error.problem().is_some_and(|problem| problem.code == "expired") =>
                    {
                        doubtful = true;
                        tokio::time::sleep(LOOK_EVERY).await;
                        continue;
                    }
                    Err(failure) => return Err(failure),
                },
            };
            match outcome {
                Result_::Applied { .. } => return Ok(self.sign(group, place).id()),
                Result_::Refused { reason: Reason::NotInWindow, .. } => self.open(group)?,
                Result_::Refused { .. } => {
                    // It had no effect, so it may be mended before the next run.
                    self.journal.open = None;
                    self.journal.write(&self.journal_path)?;
                    return Err(self.text.refused(&outcome, &group.found, group.before).next(
                        "mend it in the file and run the same command again: it goes on from there",
                    ));
                }
            }
        }
    }

    /// Remembers that a group is on its way from now on, before it is.
    fn open(&mut self, group: &Group) -> Outcome<()> {
        self.journal.open = Some(group.digest.to_string());
        self.journal.base_ms = now_ms();
        self.journal.write(&self.journal_path)
    }

    /// What became of a group whose time is nearly over or over. Nothing when it is in no block:
    /// then it is signed for now, if it can enter none any more.
    async fn look_back(&mut self, group: &Group, id: Digest) -> Outcome<Option<Result_>> {
        let began = Instant::now();
        while began.elapsed() < DOUBT_TIME_MAX {
            match self.session.node.receipt(id).await? {
                ReceiptState::Certified(receipt) => return Ok(Some(receipt.outcome)),
                ReceiptState::NotCertified => {}
                ReceiptState::Unknown if now_ms() < self.journal.base_ms + VALIDITY_MS => {
                    return Ok(None);
                }
                ReceiptState::Unknown => {
                    // A node that is behind does not know what is in the blocks that it lacks.
                    let status = self.session.node.status().await?;
                    let knows = status.may_vote
                        && status.quorum_reachable
                        && status.executed_height == status.height;
                    if knows && now_ms() > self.journal.base_ms + SURELY_OVER_MS {
                        self.open(group)?;
                        return Ok(None);
                    }
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let text = "what became of an interrupted transaction could not be learnt in time";
        Err(Failure::new(Kind::Timeout, text).next("run the same command again to go on"))
    }

    /// The group as a transaction: the same journal gives the same one.
    fn sign(&self, group: &Group, place: usize) -> Transaction {
        let statement = |one: &Found| Statement { sql: one.sql.clone(), parameters: vec![] };
        let payload = Payload::Sql(group.found.iter().map(statement).collect());
        let Journal { run, base_ms, .. } = &self.journal;
        let nonce = Digest::of(format!("hansa/sql-file/v2 {run} {place}").as_bytes()).0;
        let nonce = u64::from_be_bytes(nonce[..8].try_into().expect("eight of 32 bytes"));
        self.session.signer.transaction_with(payload, nonce, *base_ms)
    }
}

fn grouped(found: Vec<Found>) -> Vec<Group> {
    let mut groups: Vec<Vec<Found>> = Vec::new();
    let mut bytes = 0;
    for one in found {
        let full = groups.last().is_none_or(|group| {
            group.len() >= GROUP_STATEMENTS_MAX || bytes + one.sql.len() > GROUP_BYTES_MAX
        });
        if full {
            groups.push(Vec::new());
            bytes = 0;
        }
        bytes += one.sql.len();
        if let Some(group) = groups.last_mut() {
            group.push(one);
        }
    }
    let mut before = 0;
    let group = |found: Vec<Found>| {
        let texts: Vec<&str> = found.iter().map(|one| one.sql.as_str()).collect();
        let digest = Digest::of(&ledger_types::encode(&texts));
        before += found.len();
        Group { before: before - found.len(), found, digest }
    };
    groups.into_iter().map(group).collect()
}

/// Progress on the standard error, for people only.
struct Bar {
    counts: Vec<usize>,
    shown: bool,
}

impl Bar {
    fn new(counts: Vec<usize>) -> Self {
        Self { counts, shown: std::io::stderr().is_terminal() }
    }

    fn all(&self) -> usize {
        self.counts.iter().sum()
    }

    fn show(&self, groups: usize) {
        if self.shown {
            let done: usize = self.counts.iter().take(groups).sum();
            let filled = done * 40 / self.all().max(1);
            let end = if groups == self.counts.len() { "\n" } else { "" };
            eprint!("\r[{:<40}] {done} of {}{end}", "#".repeat(filled), self.all());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A group is one transaction: it must fit, and keep the order.
    #[test]
    fn groups_keep_the_order_and_the_bounds() {
        let statement = |n: usize| Found { sql: format!("S{n}"), offset: n };
        let groups = grouped((1..=120).map(statement).collect());
        let sizes: Vec<usize> = groups.iter().map(|group| group.found.len()).collect();
        assert_eq!(sizes, [50, 50, 20]);
        assert_eq!((groups[1].found[0].offset, groups[1].before), (51, 50));
        let long = Found { sql: "x".repeat(GROUP_BYTES_MAX), offset: 2 };
        let groups = grouped(vec![statement(1), long, statement(3)]);
        assert_eq!(groups.len(), 3, "a long statement stands alone");
        assert_ne!(groups[0].digest, groups[2].digest);
    }
}
