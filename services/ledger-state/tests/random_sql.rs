//! Random SQL on two ledgers: equal roots live, reopened, and rebuilt from rows alone. The tree's
//! shape must be a function of the rows, not of their history.

use ledger_types::{Outcome, Payload, Statement};

use crate::fixture::{Ledger, sql};

pub(crate) struct Luck(pub(crate) u64);

impl Luck {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    fn id(&mut self) -> i64 {
        let spread = self.pick(&["9", "60", "4000"]).parse().unwrap();
        i64::try_from(self.below(spread)).unwrap() - 3
    }

    fn text(&mut self) -> String {
        let words = ["a", "ab", "abc", "", "zz", "abcdefgh", "\u{1f600}", "a b"];
        format!("{}{}", self.pick(&words), self.below(30))
    }

    fn statement(&mut self) -> String {
        let (id, other, text) = (self.id(), self.id(), self.text());
        let n = self.below(100);
        match self.below(24) {
            0..=5 => format!("INSERT INTO a (id, t, n) VALUES ({id}, '{text}', {n})"),
            6..=7 => format!("INSERT OR REPLACE INTO a (id, t, n) VALUES ({id}, '{text}', {n})"),
            8 => format!(
                "INSERT INTO a (id, t, n) VALUES ({id}, '{text}', {n}) ON CONFLICT (id) DO UPDATE SET n = a.n + 1"
            ),
            9 => format!("UPDATE a SET n = n + 1 WHERE id BETWEEN {id} AND {}", id + 50),
            10 => format!("UPDATE a SET id = {other} WHERE id = {id}"),
            11 => format!("DELETE FROM a WHERE id BETWEEN {id} AND {}", id + 10),
            12..=14 => format!("INSERT INTO b (k, i, v) VALUES ('{text}', {id}, x'{n:02x}')"),
            15 => format!("INSERT OR REPLACE INTO b (k, i, v) VALUES ('{text}', {id}, NULL)"),
            16 => format!("DELETE FROM b WHERE k > '{text}'"),
            17..=18 => format!("INSERT INTO c (id, a) VALUES ({id}, {other})"),
            19 => format!(
                "INSERT INTO c (id, a) SELECT id + {n}, id FROM a WHERE n > {n} ORDER BY id LIMIT 20"
            ),
            20 => "DELETE FROM c".to_owned(),
            21 => format!("UPDATE b SET k = k || 'x' WHERE i = {id}"),
            22 => format!(
                "INSERT INTO b (k, i, v) SELECT t, id, NULL FROM a WHERE id > {id} ORDER BY id"
            ),
            _ => "DELETE FROM a WHERE n > 97".to_owned(),
        }
    }

    fn schema_change(&mut self, round: u64) -> String {
        let n = self.below(50);
        match self.below(6) {
            0 => format!("ALTER TABLE a ADD COLUMN x{round} INTEGER DEFAULT {n}"),
            1 => format!("ALTER TABLE b ADD COLUMN x{round} TEXT NOT NULL DEFAULT 'd{n}'"),
            2 => format!("ALTER TABLE a DROP COLUMN x{n}"),
            3 => format!("CREATE TABLE extra{round} (id INTEGER PRIMARY KEY, v TEXT)"),
            4 => format!("DROP TABLE extra{n}"),
            _ => format!("CREATE INDEX ix{round} ON a (n, t)"),
        }
    }

    pub(crate) fn transaction(&mut self, round: u64) -> Payload {
        let mut statements = Vec::new();
        for _ in 0..=self.below(4) {
            let sql =
                if self.below(40) == 0 { self.schema_change(round) } else { self.statement() };
            statements.push(Statement { sql, parameters: vec![] });
        }
        Payload::Sql(statements)
    }

    /// A transaction that leaves the schema as it is.
    pub(crate) fn rows_only(&mut self) -> Payload {
        let one = |sql| Statement { sql, parameters: vec![] };
        Payload::Sql((0..=self.below(4)).map(|_| one(self.statement())).collect())
    }
}

pub(crate) fn prepared() -> Ledger {
    let mut ledger = Ledger::new();
    for text in [
        "CREATE TABLE a (id INTEGER PRIMARY KEY, t TEXT UNIQUE, n INTEGER)",
        "CREATE TABLE b (k TEXT, i INTEGER, v BLOB, PRIMARY KEY (k, i))",
        "CREATE TABLE c (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a (id) ON DELETE CASCADE ON UPDATE CASCADE)",
    ] {
        ledger.apply(text);
    }
    ledger
}

#[test]
fn roots_agree_live_reopened_and_rebuilt() {
    let (mut applied, mut refused) = (0, 0);
    for seed in 1..=6u64 {
        let (mut one, mut two) = (prepared(), prepared());
        let mut luck = Luck(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for round in 0..60 {
            let payloads: Vec<Payload> = (0..12).map(|_| luck.transaction(round)).collect();
            let transactions: Vec<_> = payloads.into_iter().map(|p| one.sign(1, p)).collect();
            let first = one.block(&transactions);
            let second = two.block(&transactions);
            assert_eq!(first, second, "seed {seed} round {round}: two nodes differ");
            for outcome in &first.outcomes {
                match outcome {
                    Outcome::Applied { .. } => applied += 1,
                    Outcome::Refused { .. } => refused += 1,
                }
            }
            if round % 10 == 9 {
                one = one.assert_roots();
            }
        }
        // The other ledger has never been reopened.
        assert_eq!(two.state.root_from_rows().unwrap(), one.state.state_root(), "seed {seed}");
    }
    assert!(applied > 500 && refused > 500, "too tame: {applied} applied, {refused} refused");
}

#[test]
fn the_root_depends_on_the_rows_alone() {
    // The same rows by another way: inserted in another order, with others come and gone.
    let mut straight = prepared();
    let mut crooked = prepared();
    for id in 0..200 {
        straight.apply(&format!("INSERT INTO a VALUES ({id}, 't{id}', 1)"));
    }
    for id in (0..400).rev() {
        crooked.apply(&format!("INSERT INTO a VALUES ({id}, 't{id}', 7)"));
    }
    crooked.apply("DELETE FROM a WHERE id >= 200");
    crooked.apply("UPDATE a SET n = 1");
    assert_eq!(straight.state.state_root(), crooked.state.state_root());
    let _ = sql(&[]);
}
