//! A file of statements, sent in groups; an interrupted one goes on where it ended.
//!
//! What a group becomes is a function of the file, the ledger, the key and a time that is written
//! down before the first group is sent: the same group is always the same transaction, and a ledger
//! gives a transaction one effect. Only when its validity has ended and it is in no block is a group
//! signed anew.

use std::{
    fs,
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use ledger_client::answer::{Progress, ReceiptState, Wait};
use ledger_types::{Digest, Outcome as Result_, Payload, Reason, Statement, Transaction, limits};
use serde::{Deserialize, Serialize};

use super::{Session, now_ms, refused, split};
use crate::cli::failure::{Failure, Outcome};

/// Statements of one group, and bytes: a group is one transaction.
const GROUP_STATEMENTS_MAX: usize = 50;
const GROUP_BYTES_MAX: usize = 64 * 1024;
/// How long a group stays valid, and how long after that it surely cannot enter a block.
const VALIDITY_MS: u64 = 5 * 60 * 1000;
const SURELY_OVER_MS: u64 = VALIDITY_MS + 4 * limits::CLOCK_DRIFT_MS_MAX;
/// How long an outcome may take.
const OUTCOME_TIME_MAX: Duration = Duration::from_secs(30);
/// How often a group is sent while the node is away or busy.
const ATTEMPTS_MAX: u32 = 30;

/// What is remembered beside the file while it is being sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Journal {
    /// SHA-256 of the file.
    file: String,
    /// The ledger and the key: another one must not go on with this.
    ledger: String,
    signer: String,
    /// Groups that have their outcome.
    done: usize,
    /// Unix milliseconds that the next group is signed for.
    base_ms: u64,
}

/// Statements that are sent together, with the line of the first and of each.
struct Group {
    statements: Vec<Statement>,
    lines: Vec<usize>,
}

pub(super) async fn send(session: &Session, path: &Path) -> Outcome<()> {
    let named = |error: std::io::Error| Failure::failed(format!("{}: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(named)?;
    let found = split::statements(&text)
        .map_err(|why| Failure::failed(format!("{}: {why}", path.display())))?;
    let groups = grouped(found);
    let digest = Digest::of(text.as_bytes());
    let journal_path = beside(path);
    let fresh = Journal {
        file: digest.to_string(),
        ledger: session.genesis.ledger().to_string(),
        signer: session.signer.public_key().to_string(),
        done: 0,
        base_ms: now_ms(),
    };
    let mut journal = resume(&journal_path, fresh)?;
    if journal.done > 0 {
        eprintln!("going on after {} of {} groups", journal.done, groups.len());
    }
    let bar = Bar::new(groups.iter().map(|group| group.lines.len()).collect());
    write(&journal_path, &journal)?;
    for (place, group) in groups.iter().enumerate().skip(journal.done) {
        one(session, path, group, place, &digest, &mut journal, &journal_path).await?;
        journal.done = place + 1;
        write(&journal_path, &journal)?;
        bar.show(journal.done);
    }
    fs::remove_file(&journal_path).map_err(named)?;
    println!("{} statements in {} transactions", bar.all(), groups.len());
    Ok(())
}

/// Brings one group to its outcome.
async fn one(
    session: &Session,
    path: &Path,
    group: &Group,
    place: usize,
    file: &Digest,
    journal: &mut Journal,
    journal_path: &Path,
) -> Outcome<()> {
    let mut attempt = 0;
    loop {
        if now_ms() > journal.base_ms + SURELY_OVER_MS / 2 {
            let old = sign(session, group, place, file, journal.base_ms);
            match session.node.receipt(old.id()).await? {
                ReceiptState::Certified(receipt) => {
                    return judge(&receipt.outcome, path, group);
                }
                ReceiptState::NotCertified => {}
                ReceiptState::Unknown if now_ms() > journal.base_ms + SURELY_OVER_MS => {
                    // It can never enter a block any more: a new signature has the only effect.
                    journal.base_ms = now_ms();
                    write(journal_path, journal)?;
                }
                ReceiptState::Unknown => {}
            }
        }
        let transaction = sign(session, group, place, file, journal.base_ms);
        let id = transaction.id();
        let sent = session.node.submit(&[transaction], Wait::Executed, OUTCOME_TIME_MAX).await;
        match sent {
            Ok(done) => match done.into_iter().next().map(|submitted| submitted.progress) {
                // It had its effect before the interruption: what it was, its receipt says.
                Some(Progress::Executed {
                    outcome: Result_::Refused { reason: Reason::Duplicate, .. },
                    ..
                }) => match session.node.receipt(id).await? {
                    ReceiptState::Certified(receipt) => {
                        return judge(&receipt.outcome, path, group);
                    }
                    ReceiptState::NotCertified | ReceiptState::Unknown => {}
                },
                Some(Progress::Executed { outcome, .. }) => return judge(&outcome, path, group),
                Some(Progress::Accepted | Progress::Committed { .. }) | None => {}
            },
            Err(error) if error.is_transient() && attempt < ATTEMPTS_MAX => {}
            Err(error) => match error.problem() {
                // Not valid any more: the look at its receipt decides in the next turn.
                Some(problem) if problem.code == "expired" => {}
                _ => return Err(error.into()),
            },
        }
        attempt += 1;
        if attempt >= ATTEMPTS_MAX {
            let text = format!("{}: no outcome yet; run it again to go on", at(path, group, 0));
            return Err(Failure::failed(text));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn judge(outcome: &Result_, path: &Path, group: &Group) -> Outcome<()> {
    match outcome {
        Result_::Applied { .. } => Ok(()),
        Result_::Refused { statement, .. } => {
            let statement = usize::from(statement.unwrap_or(0));
            Err(refused(outcome, Some(&at(path, group, statement))))
        }
    }
}

/// `file:line` of a statement of a group.
fn at(path: &Path, group: &Group, statement: usize) -> String {
    let line = group.lines.get(statement).or(group.lines.first()).copied().unwrap_or(1);
    format!("{}:{line}", path.display())
}

/// The group as a transaction: the same arguments give the same one.
fn sign(
    session: &Session,
    group: &Group,
    place: usize,
    file: &Digest,
    base_ms: u64,
) -> Transaction {
    let mut seed = b"hansa/sql-file/v1".to_vec();
    seed.extend_from_slice(&file.0);
    seed.extend_from_slice(&(place as u64).to_be_bytes());
    let nonce = Digest::of(&seed).0;
    let nonce = u64::from_be_bytes(nonce[..8].try_into().expect("eight of 32 bytes"));
    session.signer.transaction_with(Payload::Sql(group.statements.clone()), nonce, base_ms)
}

fn grouped(found: Vec<split::Found>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut bytes = 0;
    for split::Found { sql, line } in found {
        let full = groups.last().is_none_or(|group| {
            group.lines.len() >= GROUP_STATEMENTS_MAX || bytes + sql.len() > GROUP_BYTES_MAX
        });
        if full {
            groups.push(Group { statements: Vec::new(), lines: Vec::new() });
            bytes = 0;
        }
        bytes += sql.len();
        if let Some(group) = groups.last_mut() {
            group.statements.push(Statement { sql, parameters: vec![] });
            group.lines.push(line);
        }
    }
    groups
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".hansa-journal");
    PathBuf::from(name)
}

/// What was remembered, if it is about the same file, ledger and key.
fn resume(path: &Path, fresh: Journal) -> Outcome<Journal> {
    let Ok(bytes) = fs::read(path) else { return Ok(fresh) };
    let kept: Journal = serde_json::from_slice(&bytes).map_err(|_| {
        Failure::with_next(
            format!("{} is no journal", path.display()),
            "remove it to begin anew; what took effect before would then take effect again",
        )
    })?;
    let same =
        (&kept.file, &kept.ledger, &kept.signer) == (&fresh.file, &fresh.ledger, &fresh.signer);
    if same {
        Ok(kept)
    } else {
        Err(Failure::with_next(
            format!("{} is of another file, ledger or key", path.display()),
            "finish that one first, or remove its journal",
        ))
    }
}

fn write(path: &Path, journal: &Journal) -> Outcome<()> {
    let written = (|| -> std::io::Result<()> {
        let temporary = path.with_extension("hansa-journal-new");
        let mut file = fs::File::create(&temporary)?;
        file.write_all(&serde_json::to_vec_pretty(journal)?)?;
        file.sync_all()?;
        fs::rename(temporary, path)
    })();
    written.map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
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

    fn journal(file: &str) -> Journal {
        let text = |text: &str| text.to_owned();
        Journal { file: text(file), ledger: text("l"), signer: text("s"), done: 0, base_ms: 7 }
    }

    /// Going on with another file's journal would leave statements out silently.
    #[test]
    fn a_journal_is_obeyed_only_for_its_own_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.sql.hansa-journal");
        let kept = Journal { done: 3, ..journal("a") };
        write(&path, &kept).expect("written");
        let fresh = Journal { base_ms: 99, ..journal("a") };
        assert_eq!(resume(&path, fresh).expect("the same file"), kept);
        assert!(resume(&path, journal("b")).is_err(), "the file has changed since");
        fs::write(&path, "{").expect("written");
        assert!(resume(&path, journal("a")).is_err(), "half a journal must not mean a new start");
    }

    /// A group is one transaction: it must fit, and keep the order.
    #[test]
    fn groups_keep_the_order_and_the_bounds() {
        let statement = |n: usize| split::Found { sql: format!("S{n}"), line: n };
        let groups = grouped((1..=120).map(statement).collect());
        let sizes: Vec<usize> = groups.iter().map(|group| group.lines.len()).collect();
        assert_eq!(sizes, [50, 50, 20]);
        assert_eq!(groups[1].lines[0], 51);
        let long = split::Found { sql: "x".repeat(GROUP_BYTES_MAX), line: 2 };
        let groups = grouped(vec![statement(1), long, statement(3)]);
        assert_eq!(groups.len(), 3, "a long statement stands alone");
    }
}
