//! `hansa sql`: signs statements and submits them to a node, or asks for rows.

mod file;
mod journal;
mod receipt;
mod session;
mod split;

use std::path::PathBuf;

use clap::Args;
use hansa_types::Ledger;
use ledger_client::answer::Rows;
use ledger_types::{Outcome as Result_, Payload, Statement, Value, limits};
use serde_json::json;

use super::{
    api::Api,
    failure::{Failure, Outcome},
    interrupt::or_stopped,
    names::{self, LedgerReference, Reference},
    options::Options,
    output::{self, Output},
};
use session::{Session, now_ms};
use split::{Found, Place};

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
    /// A value for the next `?` of a single statement: a whole number, null, {"hex": "00ff"} for
    /// bytes; anything else is text ("12" in JSON's quotes is text too). Once for each `?`.
    #[arg(
        short,
        long = "parameter",
        value_name = "VALUE",
        value_parser = parameter,
        allow_hyphen_values = true,
        conflicts_with = "file"
    )]
    parameters: Vec<Value>,
    /// Ask this node (name or id); otherwise one that agrees, of your own if there is one.
    #[arg(long)]
    node: Option<Reference>,
    /// Ask for the rows as they were at this height, while it is kept; for queries only.
    #[arg(long, value_name = "HEIGHT", conflicts_with_all = ["file", "receipt"])]
    height: Option<u64>,
    /// The key that signs.
    #[arg(long, env = "HANSA_KEY", value_name = "FILE")]
    key: Option<PathBuf>,
    /// Wait for the receipt and write it here; `hansa-node verify` checks it offline. A file of
    /// several transactions gives NAME-1.json, NAME-2.json and so on.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
}

impl Sql {
    pub(crate) async fn run(self, options: &Options) -> Outcome<()> {
        // What is wrong with the text is said before anybody is asked.
        let (text, name) = match (&self.file, &self.statement) {
            (Some(path), _) => (file::read(path)?, Some(path.display().to_string())),
            (None, text) => (text.clone().unwrap_or_default(), None),
        };
        let text = Text { text, name };
        let found = text.statements()?;
        let query = split::only_reads(&found).cloned();
        if query.is_some() && self.receipt.is_some() {
            return Err(Failure::usage("a query changes nothing, so there is no receipt of it"));
        }
        if query.is_none() && self.height.is_some() {
            return Err(Failure::usage("--height is for queries: what is past does not change"));
        }
        if !self.parameters.is_empty() && found.len() > 1 {
            return Err(Failure::usage("parameters belong to a single statement"));
        }
        let key = options.signing_key(self.key.as_ref())?;
        let api = options.connect()?;
        let ledger = names::ledger(&api, &self.ledger).await?;
        let mut session = self.open(&api, &ledger, key).await?;
        match (query, &self.file) {
            (Some(query), _) => {
                let Session { node, signer, .. } = &session;
                let asked =
                    node.query_at(signer, self.height, &query.sql, &self.parameters, now_ms());
                show(options.output, &asked.await?)
            }
            (None, Some(path)) => {
                let again = "run the same command again: it goes on, and nothing is done twice";
                let sending =
                    file::send(&mut session, path, &text, found, self.receipt.as_deref(), options);
                or_stopped("interrupted", again, sending).await
            }
            (None, None) => self.apply(&mut session, &text, found, options).await,
        }
    }

    async fn open(
        &self,
        api: &Api,
        ledger: &Ledger,
        key: ledger_types::SigningKey,
    ) -> Outcome<Session> {
        Session::open(api, ledger, self.node.as_ref(), key).await
    }

    /// The statements as one transaction.
    async fn apply(
        &self,
        session: &mut Session,
        text: &Text,
        found: Vec<Found>,
        options: &Options,
    ) -> Outcome<()> {
        if found.len() > limits::STATEMENTS_MAX {
            let most = limits::STATEMENTS_MAX;
            return Err(Failure::usage(format!("a transaction has at most {most} statements"))
                .next("put them into a file and send it with -f"));
        }
        let statements = found
            .iter()
            .map(|one| Statement { sql: one.sql.clone(), parameters: self.parameters.clone() })
            .collect();
        let signed = session.signer.transaction(Payload::Sql(statements), now_ms());
        let transaction = signed.map_err(|error| Failure::failed(error.to_string()))?;
        let id = transaction.id();
        let waiting = session.outcome(&transaction);
        let next = "look at the rows before you repeat it: it may take effect";
        let (height, outcome) = or_stopped(&format!("gave up {id}"), next, waiting).await?;
        let changes = match &outcome {
            Result_::Applied { changes } => changes,
            Result_::Refused { .. } => return Err(text.refused(&outcome, &found, 0)),
        };
        if let Some(path) = &self.receipt {
            receipt::write(session, id, path).await?;
        }
        let done = json!({ "id": id, "height": height, "changes": changes });
        let columns = [("TRANSACTION", "/id"), ("HEIGHT", "/height"), ("ROWS", "/changes")];
        output::one(options.output, &done, &columns)
    }
}

/// The statements as they were given, and the name of their file.
pub(super) struct Text {
    text: String,
    name: Option<String>,
}

impl Text {
    fn statements(&self) -> Outcome<Vec<Found>> {
        let named = |what: String| match &self.name {
            Some(name) => format!("{name}: {what}"),
            None => what,
        };
        let found = split::statements(&self.text).map_err(|why| Failure::usage(named(why)))?;
        if found.is_empty() {
            return Err(Failure::usage(named("there is no statement".to_owned())));
        }
        if let Some(long) = found.iter().find(|f| f.sql.len() > limits::STATEMENT_BYTES_MAX) {
            let most = limits::STATEMENT_BYTES_MAX;
            let text = format!("{}a statement has at most {most} bytes", self.at(long.offset));
            return Err(Failure::usage(text));
        }
        Ok(found)
    }

    /// `file:line:column: `, or in words when there is no file.
    fn at(&self, offset: usize) -> String {
        let place = Place::of(&self.text, offset);
        match &self.name {
            Some(name) => format!("{name}:{}:{}: ", place.line, place.column),
            None => format!("{place}: "),
        }
    }

    /// A refusal in words, with the statement and its place. `found` are the transaction's
    /// statements, `before` how many the text has before them.
    fn refused(&self, outcome: &Result_, found: &[Found], before: usize) -> Failure {
        let Result_::Refused { reason, statement, position, detail } = outcome else {
            return Failure::failed("it took effect");
        };
        let reason = serde_json::to_value(reason).unwrap_or_default();
        let reason = reason.as_str().unwrap_or("refused");
        let at = statement.map(usize::from).and_then(|n| Some((n, found.get(n)?)));
        let at = at.map(|(n, one)| {
            let offset = one.offset + position.map_or(0, |p| usize::try_from(p).unwrap_or(0));
            format!("{}statement {}: ", self.at(offset), before + n + 1)
        });
        Failure::failed(format!("{}refused ({reason}): {detail}", at.unwrap_or_default()))
    }
}

/// A parameter as it is written at the command line.
fn parameter(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(serde_json::Value::Null) => Ok(Value::Null),
        Ok(serde_json::Value::String(text)) => Ok(Value::Text(text)),
        Ok(serde_json::Value::Number(number)) => number
            .as_i64()
            .map(Value::Integer)
            .ok_or_else(|| "a ledger has whole numbers of 64 bits only".to_owned()),
        Ok(serde_json::Value::Bool(_)) => Err("write 1 or 0; or \"true\" for text".to_owned()),
        Ok(object @ serde_json::Value::Object(_)) => serde_json::from_value(object)
            .map_err(|_| "bytes are written {\"hex\": \"00ff\"}".to_owned()),
        Ok(serde_json::Value::Array(_)) => Err("a list is no value".to_owned()),
        Err(_) => Ok(Value::Text(text.to_owned())),
    }
}

fn show(output: Output, rows: &Rows) -> Outcome<()> {
    let cell = |value: &Value| match value {
        Value::Null => serde_json::Value::Null,
        Value::Integer(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Blob { hex } => json!(format!("x'{}'", hex::encode(hex))),
    };
    if rows.truncated {
        eprintln!("hansa: more rows were left out: use LIMIT and a condition to page");
    }
    let cells = |row: &Vec<Value>| row.iter().map(|v| output::text(&cell(v))).collect::<Vec<_>>();
    match output {
        Output::Table => {
            let all = std::iter::once(rows.columns.clone()).chain(rows.rows.iter().map(cells));
            output::print(&output::aligned(all.collect()))
        }
        Output::Name => {
            let first = |row: &Vec<Value>| cells(row).into_iter().next().unwrap_or_default() + "\n";
            output::print(&rows.rows.iter().map(first).collect::<String>())
        }
        Output::Json | Output::Yaml => {
            let object = |row: &Vec<Value>| {
                let fields = rows.columns.iter().cloned().zip(row.iter().map(cell));
                serde_json::Value::Object(fields.collect())
            };
            let all: Vec<serde_json::Value> = rows.rows.iter().map(object).collect();
            output::many(output, &all, &[])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger_types::Reason;

    /// An amount that became text, or a text that became a number, would be signed as such.
    #[test]
    fn parameters_are_read_as_they_are_written() {
        let text = |text: &str| Ok(Value::Text(text.to_owned()));
        assert_eq!(parameter("-12"), Ok(Value::Integer(-12)));
        assert_eq!(parameter("null"), Ok(Value::Null));
        assert_eq!(parameter("007"), text("007"));
        assert_eq!(parameter("\"12\""), text("12"));
        assert_eq!(parameter("rent; May"), text("rent; May"));
        assert_eq!(parameter("{\"hex\":\"00ff\"}"), Ok(Value::Blob { hex: vec![0, 255] }));
        for bad in ["1.5", "9223372036854775808", "true", "[1]", "{\"a\":1}"] {
            assert!(parameter(bad).is_err(), "{bad} is no value of a ledger");
        }
    }

    /// Whoever reads the error opens the file at that place.
    #[test]
    fn a_refusal_names_statement_line_and_column() {
        let text = Text {
            text: "INSERT INTO a VALUES (1);\n\n  INSERT INTO b VALUES (1);".to_owned(),
            name: Some("f.sql".to_owned()),
        };
        let found = text.statements().expect("two statements");
        let outcome = Result_::Refused {
            reason: Reason::NotNull,
            statement: Some(1),
            position: Some(12),
            detail: "why".to_owned(),
        };
        let shown = text.refused(&outcome, &found, 50).to_string();
        assert_eq!(shown, "f.sql:3:15: statement 52: refused (not_null): why");
    }
}
