//! Keeps programs running inside.

use std::{
    fs::File,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::{components::Component, folder::Folder};

/// A program that ends is started again after so long: tests end programs on purpose.
const REST: Duration = Duration::from_secs(1);

/// Programs that run.
#[derive(Debug)]
pub(crate) struct Supervisor {
    folder: Folder,
    path: String,
    running: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    component: Component,
    child: Child,
    rests_since: Option<Instant>,
}

impl Supervisor {
    pub(crate) fn new(folder: Folder, path: String) -> Self {
        Self { folder, path, running: Vec::new() }
    }

    /// Starts a program; its log is `log/<name>.log`.
    pub(crate) fn start(&mut self, component: Component) -> Result<()> {
        let child = self.spawn(&component)?;
        self.running.push(Running { component, child, rests_since: None });
        Ok(())
    }

    fn spawn(&self, component: &Component) -> Result<Child> {
        let Component { name, program, arguments } = component;
        let log = self.folder.join(&format!("log/{name}.log"));
        let log = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| log.display().to_string())?;
        Command::new(program)
            .args(arguments)
            .env("PATH", &self.path)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))
    }

    /// Looks after all of them once.
    pub(crate) fn look(&mut self) -> Result<()> {
        for index in 0..self.running.len() {
            let running = &mut self.running[index];
            if running.rests_since.is_none() {
                if let Some(status) = running.child.try_wait()? {
                    eprintln!("{} ended: {status}", running.component.name);
                    running.rests_since = Some(Instant::now());
                }
            } else if running.rests_since.is_some_and(|since| since.elapsed() >= REST) {
                let component = running.component.clone();
                let child = self.spawn(&component)?;
                self.running[index] = Running { component, child, rests_since: None };
            }
        }
        Ok(())
    }
}
