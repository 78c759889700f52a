//! Help and wrong usage.

use crate::played::{Ran, bare};

fn run(words: &[&str]) -> Ran {
    Ran::of(&mut bare(&tempfile::tempdir().expect("a folder"), words))
}

/// The verbs that a help text lists.
fn verbs(help: &str) -> Vec<String> {
    let list = help.split("Commands:\n").nth(1).unwrap_or_default();
    list.lines()
        .take_while(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .map(str::to_owned)
        .collect()
}

/// Whoever is lost asks for help: every verb must answer, with what it does and how it is called.
#[test]
fn every_verb_explains_itself() {
    let mut open = vec![Vec::<String>::new()];
    let mut seen = 0;
    while let Some(path) = open.pop() {
        let mut words: Vec<&str> = path.iter().map(String::as_str).collect();
        words.push("--help");
        let ran = run(&words).code(0);
        assert!(ran.out.contains("Usage: hansa"), "{path:?} shows no usage:\n{}", ran.out);
        let first = ran.out.lines().next().unwrap_or_default();
        assert!(first.len() > 10 && !first.starts_with("Usage"), "{path:?} says not what it does");
        for verb in verbs(&ran.out) {
            open.push(path.iter().cloned().chain([verb]).collect());
        }
        seen += 1;
    }
    assert!(seen > 40, "only {seen} verbs were found: is the help text read rightly?");
}

/// The nouns and verbs that the documentation promises.
#[test]
fn what_is_promised_is_there() {
    for (noun, promised) in [
        ("consortium", &["list", "get", "create", "delete"][..]),
        ("invitation", &["list", "create", "accept", "decline"]),
        ("member", &["list", "key"]),
        ("ledger", &["list", "get", "create", "launch", "approve", "genesis", "incidents"]),
        ("tenant", &["list", "create"]),
        ("cluster", &["list", "get", "register", "update", "delete"]),
        (
            "node",
            &["list", "get", "create", "start", "stop", "restart", "resize", "delete", "logs"],
        ),
        ("operation", &["list", "get", "wait", "cancel"]),
        ("key", &["list", "create", "revoke"]),
    ] {
        let there = verbs(&run(&[noun, "--help"]).code(0).out);
        for verb in promised {
            assert!(there.iter().any(|one| one == verb), "hansa {noun} {verb} is missing");
        }
    }
    let help = run(&["--help"]).code(0).out;
    for part in ["Exit status", "130 interrupted", "HANSA_API"] {
        assert!(help.contains(part), "hansa --help should tell of {part:?}");
    }
}

/// A mistake in a script must not look like a refusal of the service.
#[test]
fn wrong_usage_has_its_own_exit_code() {
    for words in [
        &["frobnicate"][..],
        &["ledger", "get"],
        &["ledger", "get", "main"],
        &["ledger", "get", "Demo/main"],
        &["operation", "get", "not-an-id"],
        &["node", "logs", "demo/main/a1", "--lines", "0"],
        &["node", "stop", "demo/main/a1", "--timeout", "5"],
        &["node", "list", "demo/main", "-o", "xml"],
        &["sql", "demo/main"],
        &["sql", "demo/main", "SELECT 1", "-f", "x.sql"],
        &["sql", "demo/main", "SELECT ?", "-p", "1.5"],
        &["sql", "demo/main", "SELECT 1", "--receipt", "r.json"],
        &["sql", "demo/main", "  ; -- nothing"],
        &["sql", "demo/main", "INSERT INTO a VALUES ('x)"],
    ] {
        let ran = run(words);
        assert_eq!(ran.code, Some(2), "{words:?}: {ran:?}");
        assert!(!ran.err.is_empty() && ran.out.is_empty(), "{words:?} must say why: {ran:?}");
    }
    let nothing = tempfile::tempdir().expect("a folder");
    let mut open = bare(&nothing, &["--api", "http://hansa.example", "consortium", "list"]);
    Ran::of(open.env("HANSA_TOKEN", "x")).code(2).says(["in clear", "https"]);
    run(&["sql", "demo/main", "INSERT INTO a\nVALUES ('x)"]).code(2).says(["line 2, column 9"]);
}
