//! Tables with real data, and payments, each a transaction that alpha signs.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use ledger_client::{
    NodeClient, Signer,
    answer::{Progress, Rows, Submitted, Wait},
    read_key_file,
};
use ledger_types::{Outcome, Payload, Statement, Transaction, Value};

use super::{Walk, now_ms};
use crate::dev::tenants::key_path;

/// Payments, and how many are sent at once.
const PAYMENTS: i64 = 1_000;
const PAYMENTS_AT_ONCE: usize = 250;
/// Statements of one transaction.
const ROWS_AT_ONCE: usize = 50;
/// How long a batch may take to have its outcomes.
const OUTCOME_TIME_MAX: Duration = Duration::from_secs(30);

const TABLES: [&str; 3] = [
    "CREATE TABLE currency (code TEXT PRIMARY KEY, numeric_code TEXT NOT NULL, name TEXT NOT NULL)",
    "CREATE TABLE country (alpha_2 TEXT PRIMARY KEY, alpha_3 TEXT NOT NULL UNIQUE, \
     name TEXT NOT NULL)",
    "CREATE TABLE payment (id INTEGER PRIMARY KEY, \
     debtor TEXT NOT NULL REFERENCES country (alpha_2), \
     creditor TEXT NOT NULL REFERENCES country (alpha_2), \
     currency TEXT NOT NULL REFERENCES currency (code), \
     amount INTEGER NOT NULL CHECK (amount > 0), memo TEXT NOT NULL)",
];

impl Walk {
    /// Signs for the ledger with alpha's key.
    pub(super) fn signer(&self) -> Result<Signer> {
        let key = read_key_file(&key_path(&self.folder, self.alpha.name))?;
        Ok(Signer::new(self.genesis()?.ledger(), key))
    }

    /// A node by its name: it must hold the key that the genesis endorses.
    pub(super) async fn node(&self, name: &str) -> Result<NodeClient> {
        let genesis = self.genesis()?;
        let node = self.nodes.iter().find(|node| node.name == name).context("such a node")?;
        let validator = genesis.validators.iter().find(|v| v.identity.name == name);
        let key = validator.context("the genesis lists it")?.identity.tls_key;
        let ca = &genesis.charter.ca_certificate;
        Ok(NodeClient::connect(&node.http, ca, Some(key)).await?)
    }

    pub(super) async fn query(&self, node: &str, sql: &str) -> Result<Rows> {
        Ok(self.node(node).await?.query(&self.signer()?, sql, &[], now_ms()).await?)
    }

    async fn count(&self, table: &str) -> Result<Option<i64>> {
        let tables = format!("SELECT count(*) FROM sqlite_schema WHERE name = '{table}'");
        if first_number(&self.query("a1", &tables).await?) == Some(0) {
            return Ok(None);
        }
        Ok(first_number(&self.query("a1", &format!("SELECT count(*) FROM {table}")).await?))
    }
}

fn first_number(rows: &Rows) -> Option<i64> {
    match rows.rows.first()?.first()? {
        Value::Integer(number) => Some(*number),
        _ => None,
    }
}

/// Currencies (ISO 4217) and countries (ISO 3166-1) as Debian's iso-codes has them.
pub(super) async fn tables(walk: &mut Walk) -> Result<String> {
    let currencies = codes("iso_4217.json", "4217", ["alpha_3", "numeric", "name"])?;
    let countries = codes("iso_3166-1.json", "3166-1", ["alpha_2", "alpha_3", "name"])?;
    if walk.count("payment").await?.is_none() {
        let statements = TABLES.map(|sql| Statement { sql: sql.to_owned(), parameters: vec![] });
        submit(walk, vec![Payload::Sql(statements.to_vec())]).await?;
    }
    let mut transactions = Vec::new();
    for (table, rows) in [("currency", &currencies), ("country", &countries)] {
        if walk.count(table).await? == Some(i64::try_from(rows.len())?) {
            continue;
        }
        for rows in rows.chunks(ROWS_AT_ONCE) {
            let insert = |row: &[String; 3]| Statement {
                sql: format!("INSERT INTO {table} VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING"),
                parameters: row.iter().cloned().map(Value::Text).collect(),
            };
            transactions.push(Payload::Sql(rows.iter().map(insert).collect()));
        }
    }
    if !transactions.is_empty() {
        submit(walk, transactions).await?;
    }
    Ok(format!("{} currencies, {} countries", currencies.len(), countries.len()))
}

/// A thousand payments between countries, each a transaction of its own.
pub(super) async fn payments(walk: &mut Walk) -> Result<String> {
    let done = walk.count("payment").await?;
    if done != Some(PAYMENTS) {
        let countries = walk.query("a1", "SELECT alpha_2 FROM country ORDER BY alpha_2").await?;
        let country = |n: i64| {
            let place = usize::try_from(n).unwrap_or(0) % countries.rows.len().max(1);
            countries.rows.get(place).and_then(|row| row.first()).cloned().unwrap_or(Value::Null)
        };
        let payment = |id: i64| {
            let parameters = vec![
                Value::Integer(id),
                country(id * 7),
                country(id * 13 + 1),
                Value::Text(
                    ["EUR", "USD", "CNY", "JPY"][usize::try_from(id).unwrap_or(0) % 4].into(),
                ),
                Value::Integer(id * 37 % 9_973 + 1),
                Value::Text(format!("invoice {id}")),
            ];
            let sql = "INSERT INTO payment VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
            Payload::Sql(vec![Statement { sql: sql.to_owned(), parameters }])
        };
        submit(walk, (1..=PAYMENTS).map(payment).collect()).await?;
    }
    ensure!(walk.count("payment").await? == Some(PAYMENTS), "payments are missing");
    Ok(format!("{PAYMENTS} on the ledger"))
}

/// Submits and waits for every outcome; the last transaction.
pub(super) async fn submit(walk: &Walk, payloads: Vec<Payload>) -> Result<Vec<Transaction>> {
    let (node, signer) = (walk.node("a1").await?, walk.signer()?);
    let mut sent = Vec::new();
    for payloads in payloads.chunks(PAYMENTS_AT_ONCE) {
        let transactions: Vec<Transaction> = payloads
            .iter()
            .map(|payload| signer.transaction(payload.clone(), now_ms()))
            .collect::<Result<_, _>>()?;
        let outcomes = node.submit(&transactions, Wait::Executed, OUTCOME_TIME_MAX).await?;
        for Submitted { transaction, progress } in outcomes {
            match progress {
                Progress::Executed { outcome: Outcome::Applied { .. }, .. } => {}
                other => bail!("transaction {transaction} did not take effect: {other:?}"),
            }
        }
        sent.extend(transactions);
    }
    Ok(sent)
}

fn codes(file: &str, list: &str, fields: [&str; 3]) -> Result<Vec<[String; 3]>> {
    let path = format!("/usr/share/iso-codes/json/{file}");
    let text = fs::read(&path)
        .with_context(|| format!("{path}: install it with `apt-get install iso-codes`"))?;
    let document: serde_json::Value = serde_json::from_slice(&text)?;
    let entries = document[list].as_array().with_context(|| format!("{path} has no {list}"))?;
    let row = |entry: &serde_json::Value| {
        Some([
            entry[fields[0]].as_str()?.to_owned(),
            entry[fields[1]].as_str()?.to_owned(),
            entry[fields[2]].as_str()?.to_owned(),
        ])
    };
    Ok(entries.iter().filter_map(row).collect())
}
