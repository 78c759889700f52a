//! Tests of the whole product: the console by itself, and the main job from one command and in a
//! browser. `tests/e2e` has those of faults and of the command line.

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
    ("the console's client is made from the API's document", |_| client()),
    ("the console is typed and builds", |_| npm(&["run", "build"])),
    ("the console's own tests pass", |_| npm(&["test"])),
];

/// The whole product.
pub(crate) const E2E: &[Step] = &[
    ("one command starts everything and walks the main job", up_from_nothing),
    ("a second one adopts what runs", up_again),
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

/// A client of another API than the one that is served compiles, and fails in people's hands.
fn client() -> Result<()> {
    let made = target_folder().join("console-client");
    let codegen = root().join("web/codegen");
    run_in(&codegen, Command::new("npm").args(["ci", "--no-audit", "--no-fund"]))?;
    run_in(&codegen, Command::new("npm").args(["run", "generate"]).env("HANSA_CLIENT", &made))?;
    let mut difference = Command::new("diff");
    difference.args(["--recursive", "--brief"]).arg(root().join("web/src/client")).arg(&made);
    run_in(&codegen, &mut difference).context("make it again: npm run generate, in web/")
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

fn browser(place: &Place) -> Result<()> {
    let mut walk = Command::new("npx");
    walk.args(["playwright", "test"]).env("HANSA_DEV", place.state.join("dev.json"));
    run_in(&root().join("web"), &mut walk)
}
