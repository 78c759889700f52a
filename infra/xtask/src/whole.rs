//! Tests of the whole product: the console by itself, and the main job from one command, by the
//! command line and in a browser.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    cargo::{root, target_folder},
    up,
};

/// A step: what it shows, and how.
pub(crate) type Step = (&'static str, fn(&Place) -> Result<()>);

/// The console by itself.
pub(crate) const WEB: &[Step] = &[
    ("the console's packages are installed", |_| npm(&["ci", "--no-audit", "--no-fund"])),
    ("the console is typed and builds", |_| npm(&["run", "build"])),
    ("the console's own tests pass", |_| npm(&["test"])),
];

/// The whole product.
pub(crate) const E2E: &[Step] = &[
    ("one command starts everything and walks the main job", up_from_nothing),
    ("a second one adopts what runs", up_again),
    ("the command line reads what the walk has made", command_line),
    ("two members walk the console in a browser", browser),
    ("everything ends on one command", down),
    ("it all comes back from its state", up_again),
    ("and ends again", down),
];

/// Where the product of one test run lives.
pub(crate) struct Place {
    state: PathBuf,
    port: String,
}

impl Place {
    fn new() -> Self {
        // PostgreSQL's own user must reach it, and its socket's path must be short.
        let state = env::temp_dir().join(format!("hansa-e2e-{}", std::process::id()));
        // A port that nobody else's run has, below the range of outgoing connections.
        let port = (18_000 + std::process::id() % 1_000).to_string();
        Self { state, port }
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let state = self.state.display().to_string();
        let words = more.iter().copied().chain(["--state", &state, "--port", &self.port]);
        words.map(str::to_owned).collect()
    }
}

/// Runs the steps until one fails; how many passed and failed.
pub(crate) fn run(steps: &[Step]) -> (u64, u64, bool) {
    let place = Place::new();
    let mut passed = 0;
    for (name, step) in steps {
        match step(&place) {
            Ok(()) => {
                println!("test {name} ... ok");
                passed += 1;
            }
            Err(error) => {
                println!("test {name} ... FAILED\n{error:#}");
                leave_nothing(&place);
                return (passed, 1, false);
            }
        }
    }
    leave_nothing(&place);
    (passed, 0, true)
}

/// A failed run may have left processes behind.
fn leave_nothing(place: &Place) {
    if place.state.exists() {
        let _ = down(place);
        let _ = fs::remove_dir_all(&place.state);
    }
}

fn npm(arguments: &[&str]) -> Result<()> {
    run_in(&root().join("web"), Command::new("npm").args(arguments))
}

fn run_in(folder: &Path, command: &mut Command) -> Result<()> {
    let status = command.current_dir(folder).status();
    let status = status.with_context(|| format!("{command:?} cannot be started"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

fn up_from_nothing(place: &Place) -> Result<()> {
    up::up(&place.arguments(&["--detach"]))
}

fn up_again(place: &Place) -> Result<()> {
    up::up(&place.arguments(&["--detach"]))
}

fn down(place: &Place) -> Result<()> {
    up::down(&place.arguments(&[]))
}

/// README's lines, with the files of this run.
fn command_line(place: &Place) -> Result<()> {
    let script = r#"
        set -eu
        dev() { node -p "JSON.parse(fs.readFileSync('$STATE/dev.json')).$1"; }
        export HANSA_API=$(dev api) HANSA_TOKEN=$(dev api_keys.alpha) HANSA_KEY=$(dev keys.alpha)
        hansa sql demo/main "CREATE TABLE IF_NEW (id INTEGER PRIMARY KEY)" >/dev/null
        hansa sql demo/main "INSERT INTO IF_NEW VALUES (1)" --receipt "$STATE/r.json" >/dev/null
        hansa ledger genesis demo/main > "$STATE/g.json"
        hansa-node verify "$STATE/r.json" --genesis "$STATE/g.json"
        for node in a1 a2 b1 b2; do
            hansa sql demo/main "SELECT count(*) AS n FROM payment" --node $node -o json
        done | grep -c '"n": 1000' | grep -qx 4
        i=0; while [ $i -lt 1000 ]; do echo "INSERT INTO IF_NEW VALUES (1000$i);"; i=$((i+1)); done > "$STATE/f.sql"
        timeout -s KILL 0.1 hansa sql demo/main -f "$STATE/f.sql" || true
        hansa sql demo/main -f "$STATE/f.sql" || test ! -e "$STATE/f.sql.hansa-journal"
        hansa sql demo/main "SELECT count(*) AS n FROM IF_NEW" -o json | grep -q 1001
        ! hansa sql demo/main "INSERT INTO IF_NEW VALUES (1)" 2>/dev/null
        hansa node list demo/main
    "#;
    let path = env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", target_folder().join("debug").display());
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).env("PATH", path).env("STATE", &place.state);
    run_in(&root(), &mut shell)
}

fn browser(place: &Place) -> Result<()> {
    let mut walk = Command::new("npx");
    walk.args(["playwright", "test"]).env("HANSA_DEV", place.state.join("dev.json"));
    run_in(&root().join("web"), &mut walk)
}
