//! The images that a cluster needs before it runs anything: made here, pulled from nowhere.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use image::{Config, Entry, Image, Layer};

use crate::parts;

/// Holds the namespaces of a pod.
pub const PAUSE: &str = "hansa.local/pause:1";
/// Prepares and removes volumes.
pub const HELPER: &str = "hansa.local/helper:1";

/// Ends zombies that it inherits, and itself when asked.
const PAUSE_PROGRAM: &str = "\
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void end(int signal) { (void)signal; _exit(0); }
static void reap(int signal) { (void)signal; while (waitpid(-1, 0, WNOHANG) > 0) {} }
int main(void) {
  signal(SIGINT, end); signal(SIGTERM, end); signal(SIGCHLD, reap);
  for (;;) pause();
}
";

/// The archives of both.
pub(crate) fn archives() -> [PathBuf; 2] {
    ["pause.tar", "helper.tar"].map(|name| parts::cache().folder().join("images").join(name))
}

/// Writes both archives, if they are not there. Whoever calls this holds the cache.
pub(crate) fn ensure() -> Result<()> {
    let [pause, helper] = archives();
    let folder = pause.parent().context("a folder of images")?;
    fs::create_dir_all(folder)?;
    if !pause.exists() {
        let program = compile(folder)?;
        let mut layer = Layer::default();
        layer.put("pause", Entry::File(0o755, program))?;
        write(PAUSE, &["/pause"], "65535:65535", layer, &pause)?;
    }
    if !helper.exists() {
        let busybox = fs::read("/usr/bin/busybox").context("busybox-static is missing")?;
        let mut layer = Layer::default();
        layer.put("bin/busybox", Entry::File(0o755, busybox))?;
        for name in ["sh", "mkdir", "rm", "chmod", "sleep", "cat", "wget", "nc", "nslookup", "ls"] {
            layer.put(&format!("bin/{name}"), Entry::Link("busybox".into()))?;
        }
        layer.put("tmp", Entry::Folder(0o1777))?;
        write(HELPER, &["/bin/sh"], "0:0", layer, &helper)?;
    }
    Ok(())
}

fn write(name: &str, entrypoint: &[&str], user: &str, layer: Layer, path: &Path) -> Result<()> {
    let entrypoint = entrypoint.iter().map(|&word| word.to_owned()).collect();
    let environment = vec!["PATH=/bin".to_owned()];
    let config = Config { entrypoint, user: user.to_owned(), environment, ..Config::default() };
    Image { name: name.to_owned(), config, layers: vec![layer] }.write(path).map(drop)
}

fn compile(folder: &Path) -> Result<Vec<u8>> {
    let (source, program) = (folder.join("pause.c"), folder.join("pause"));
    fs::write(&source, PAUSE_PROGRAM)?;
    let mut command = Command::new("cc");
    command.args(["-O2", "-static", "-s", "-o"]).arg(&program).arg(&source);
    let output = command.output().context("cc cannot be run")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(fs::read(program)?)
}
