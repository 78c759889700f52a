//! Accounts, keys, and transfers between the accounts.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail, ensure};
use ledger_client::{
    NodeClient, Signer,
    answer::{Progress, Submitted, Wait},
};
use ledger_types::{
    Digest, Outcome, Payload, Roles, SigningKey, Statement, Transaction, Value,
    transaction::AccessChange,
};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::network::Network;

/// What each account begins with.
pub(crate) const BALANCE: i64 = 1_000_000;
/// Rows of one statement, statements of one transaction, while accounts are made.
const ROWS: u64 = 500;
const STATEMENTS: usize = 20;
/// Submissions in a second.
const SUBMISSIONS_A_SECOND: u64 = 50;
/// Submissions that may wait at once: a ledger that cannot keep up is not buried.
const WAITING_MAX: usize = 512;
/// How long an outcome may take.
const OUTCOME_TIME_MAX: Duration = Duration::from_secs(30);
/// Validity of signed transfers: the whole run is signed before it begins.
const VALIDITY_MS: u64 = 9 * 60 * 1000;

/// Whoever signs transfers.
pub(crate) struct Bank {
    signers: Vec<Arc<Signer>>,
    pub(crate) accounts: u64,
}

/// A transfer with its number, signed.
pub(crate) struct Transfer {
    pub(crate) number: u64,
    transaction: Transaction,
}

/// What became of a run.
pub(crate) struct Run {
    /// Numbers of the transfers that were acknowledged as applied, with their transaction's id.
    pub(crate) applied: Vec<(u64, Digest)>,
    /// Latency of each acknowledged transfer, milliseconds, ascending.
    pub(crate) latencies_ms: Vec<f64>,
    /// From the first submission to the last acknowledgement.
    pub(crate) time: Duration,
    /// Transfers that were not taken, because too much waited.
    pub(crate) turned_away: usize,
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn statement(sql: String, parameters: Vec<Value>) -> Statement {
    Statement { sql, parameters }
}

impl Bank {
    /// Makes tables, accounts and keys.
    pub(crate) async fn open(network: &Network, signers: usize, accounts: u64) -> Result<Self> {
        let (administrator, node) = (network.administrator()?, &network.nodes[0]);
        let tables = [
            "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)",
            "CREATE TABLE transfer (id INTEGER PRIMARY KEY, debtor INTEGER NOT NULL, \
             creditor INTEGER NOT NULL, amount INTEGER NOT NULL)",
        ];
        let tables = tables.map(|sql| statement(sql.to_owned(), vec![]));
        apply(node, &administrator, Payload::Sql(tables.to_vec())).await?;
        let keys: Vec<SigningKey> =
            (0..signers).map(|_| SigningKey::generate()).collect::<Result<_, _>>()?;
        for keys in keys.chunks(ledger_types::limits::ACCESS_CHANGES_MAX) {
            let grant = |key: &SigningKey| AccessChange {
                key: key.public_key(),
                roles: Roles(Roles::READ.0 | Roles::WRITE.0),
            };
            apply(node, &administrator, Payload::Access(keys.iter().map(grant).collect())).await?;
        }
        let mut statements = Vec::new();
        let mut first = 1;
        while first <= accounts {
            let last = (first + ROWS - 1).min(accounts);
            let rows: Vec<String> = (first..=last).map(|id| format!("({id},{BALANCE})")).collect();
            statements
                .push(statement(format!("INSERT INTO account VALUES {}", rows.join(",")), vec![]));
            first = last + 1;
        }
        for statements in statements.chunks(STATEMENTS) {
            apply(node, &administrator, Payload::Sql(statements.to_vec())).await?;
        }
        let ledger = network.genesis.ledger();
        let signer = |key| Arc::new(Signer::new(ledger, key).valid_for_ms(VALIDITY_MS));
        Ok(Self { signers: keys.into_iter().map(signer).collect(), accounts })
    }

    /// Signs `count` transfers, on all cores.
    pub(crate) fn sign(&self, count: u64) -> Result<Vec<Transfer>> {
        let cores = thread::available_parallelism()?.get() as u64;
        let now = now_ms();
        let share = count.div_ceil(cores);
        thread::scope(|scope| {
            let ranges = (0..cores).map(|core| core * share..((core + 1) * share).min(count));
            let parts: Vec<_> = ranges
                .map(|range| {
                    scope.spawn(move || {
                        range.map(|number| self.transfer(number, now)).collect::<Vec<_>>()
                    })
                })
                .collect();
            let mut all = Vec::new();
            for part in parts {
                all.extend(part.join().map_err(|_| anyhow::anyhow!("signing panicked"))?);
            }
            Ok(all)
        })
    }

    fn transfer(&self, number: u64, now_ms: u64) -> Transfer {
        // Spread over the accounts; the same number is the same transfer.
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let debtor = mixed % self.accounts + 1;
        let creditor = (mixed >> 20) % self.accounts + 1;
        let amount = Value::Integer((number % 97 + 1) as i64);
        let integer = |value: u64| Value::Integer(value as i64);
        let statements = vec![
            statement(
                "UPDATE account SET balance = balance - ?1 WHERE id = ?2".to_owned(),
                vec![amount.clone(), integer(debtor)],
            ),
            statement(
                "UPDATE account SET balance = balance + ?1 WHERE id = ?2".to_owned(),
                vec![amount.clone(), integer(creditor)],
            ),
            statement(
                "INSERT INTO transfer VALUES (?1, ?2, ?3, ?4)".to_owned(),
                vec![integer(number), integer(debtor), integer(creditor), amount],
            ),
        ];
        let signer = &self.signers[(number % self.signers.len() as u64) as usize];
        let transaction = signer.transaction_with(Payload::Sql(statements), number, now_ms);
        Transfer { number, transaction }
    }
}

async fn apply(node: &NodeClient, signer: &Signer, payload: Payload) -> Result<()> {
    let transaction = signer.transaction(payload, now_ms())?;
    let done = node.submit(&[transaction], Wait::Executed, OUTCOME_TIME_MAX).await?;
    match done.into_iter().next().map(|submitted| submitted.progress) {
        Some(Progress::Executed { outcome: Outcome::Applied { .. }, .. }) => Ok(()),
        other => bail!("a preparing transaction did not take effect: {other:?}"),
    }
}

/// Latencies of transfers sent one after the other on an idle ledger, milliseconds, ascending.
pub(crate) async fn lone(network: &Network, bank: &Bank, count: usize) -> Result<Vec<f64>> {
    let node = &network.nodes[0];
    let mut latencies = Vec::with_capacity(count);
    for n in 0..count {
        // Numbers that no run reaches.
        let transfer = bank.transfer(u64::from(u32::MAX) + n as u64, now_ms());
        let began = Instant::now();
        let done = node.submit(&[transfer.transaction], Wait::Executed, OUTCOME_TIME_MAX).await?;
        let executed = matches!(done[0].progress, Progress::Executed { .. });
        ensure!(executed, "a lone transfer was not executed: {done:?}");
        latencies.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    latencies.sort_by(f64::total_cmp);
    Ok(latencies)
}

/// Offers the transfers at an even rate to all nodes in turn, and waits for every outcome.
pub(crate) async fn drive(
    network: &Network,
    transfers: Vec<Transfer>,
    rate: u64,
    time: Duration,
) -> Result<Run> {
    let together = (rate / SUBMISSIONS_A_SECOND).max(1) as usize;
    let room = Arc::new(Semaphore::new(WAITING_MAX));
    let mut waiting = JoinSet::new();
    let mut tick = tokio::time::interval(time / transfers.len().div_ceil(together) as u32);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let began = Instant::now();
    let mut turned_away = 0;
    let mut transfers = transfers.into_iter();
    for turn in 0.. {
        tick.tick().await;
        let batch: Vec<Transfer> = transfers.by_ref().take(together).collect();
        if batch.is_empty() {
            break;
        }
        let Ok(place) = room.clone().try_acquire_owned() else {
            turned_away += batch.len();
            continue;
        };
        let node = network.nodes[turn % network.nodes.len()].clone();
        waiting.spawn(async move {
            let done = submit(&node, batch).await;
            drop(place);
            done
        });
    }
    let mut run =
        Run { applied: Vec::new(), latencies_ms: Vec::new(), time: Duration::ZERO, turned_away };
    while let Some(done) = waiting.join_next().await {
        let done = done.context("a submission panicked")?;
        match done {
            Ok((applied, latency_ms, at)) => {
                run.latencies_ms.extend(applied.iter().map(|_| latency_ms));
                run.applied.extend(applied);
                run.time = run.time.max(at.duration_since(began));
            }
            // A node that is full says so; what it did not take was not promised.
            Err((count, error)) => {
                eprintln!("not taken: {error:#}");
                run.turned_away += count;
            }
        }
    }
    ensure!(!run.applied.is_empty(), "nothing was acknowledged");
    run.latencies_ms.sort_by(f64::total_cmp);
    Ok(run)
}

type Applied = (Vec<(u64, Digest)>, f64, Instant);

async fn submit(
    node: &NodeClient,
    batch: Vec<Transfer>,
) -> Result<Applied, (usize, anyhow::Error)> {
    let (numbers, transactions): (Vec<u64>, Vec<Transaction>) =
        batch.into_iter().map(|transfer| (transfer.number, transfer.transaction)).unzip();
    let began = Instant::now();
    let done = node.submit(&transactions, Wait::Executed, OUTCOME_TIME_MAX).await;
    let done = done.map_err(|error| (numbers.len(), error.into()))?;
    let at = Instant::now();
    let latency_ms = at.duration_since(began).as_secs_f64() * 1_000.0;
    let mut applied = Vec::with_capacity(done.len());
    for (number, Submitted { transaction, progress }) in numbers.into_iter().zip(done) {
        match progress {
            Progress::Executed { outcome: Outcome::Applied { .. }, .. } => {
                applied.push((number, transaction));
            }
            other => eprintln!("transfer {number}: {other:?}"),
        }
    }
    Ok((applied, latency_ms, at))
}
