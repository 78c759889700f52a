//! Passwords: typed without being shown, or piped. Never arguments, which everybody on the machine
//! reads.

use std::io::{IsTerminal as _, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::{
    failure::{Failure, Outcome},
    interrupt::or_stopped,
};

/// Bytes of a password read from a pipe.
const BYTES_MAX: u64 = 4_096;

/// Reads one from the standard input, or asks at the terminal; `stopped` says what Ctrl-C gives up,
/// and how to go on.
pub(crate) async fn read(from_stdin: bool, stopped: (&str, &str)) -> Outcome<String> {
    if from_stdin { piped() } else { asked(stopped).await }
}

fn piped() -> Outcome<String> {
    let mut text = String::new();
    let read = std::io::stdin().take(BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| Failure::failed(format!("reading the password: {error}")))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks at the terminal; what is typed is not shown.
async fn asked((given_up, next): (&str, &str)) -> Outcome<String> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("there is no terminal to ask: use --password-stdin"));
    }
    // Shown again however this ends, Ctrl-C too.
    let hidden = Hidden::begin()?;
    let read = tokio::task::spawn_blocking(|| {
        let mut text = String::new();
        std::io::stdin().read_line(&mut text).map(|_| text)
    });
    let read = async { read.await.map_err(anyhow::Error::from)?.map_err(|e| terminal(&e)) };
    let text = or_stopped(given_up, next, read).await;
    drop(hidden);
    eprintln!();
    Ok(text?.trim_end_matches(['\r', '\n']).to_owned())
}

fn terminal(error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format!("the terminal: {error}"))
}

/// A terminal that does not show what is typed.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> Outcome<Self> {
        let stdin = std::io::stdin();
        eprint!("password: ");
        let _ = std::io::stderr().flush();
        let shown = tcgetattr(&stdin).map_err(|error| terminal(&error))?;
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Now, &hidden).map_err(|error| terminal(&error))?;
        Ok(Self(shown))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}
