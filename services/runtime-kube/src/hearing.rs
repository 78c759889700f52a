//! Whether the watches hear the cluster: what the caches say counts only then.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use kube::{Error, runtime::watcher};

/// How long watches may fail before somebody looks why: each is taken up again by itself.
const DEAF_TOLERATED: Duration = Duration::from_secs(10);
/// How long nothing may be heard before somebody asks: a server that hangs ends no watch.
const QUIET_TOLERATED: Duration = Duration::from_secs(10);

/// What the caches are worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// They say what is in the cluster.
    All,
    /// Some have not been listed yet: what is missing may only be unread.
    Filling,
    /// Nothing has been heard for a while, and a question was not answered either.
    Silent(String),
    /// Some have never been listed, for a while now.
    Deaf(Deaf),
}

/// A watch that fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deaf {
    /// It has never been listed to its end.
    pub(crate) is_unread: bool,
    /// The server answers, and refuses it.
    pub(crate) is_refused: bool,
    /// What it fails with.
    pub(crate) why: String,
    since: Instant,
}

impl Deaf {
    fn is_long(&self) -> bool {
        self.since.elapsed() >= DEAF_TOLERATED
    }
}

/// What the watches hear.
#[derive(Debug)]
pub(crate) struct Hearing(Mutex<Ears>);

#[derive(Debug)]
struct Ears {
    /// The watches that do not hear, by the kind of their objects.
    deaf: BTreeMap<String, Deaf>,
    /// When the server last said anything.
    last: Instant,
    /// What became of the last question, if it was not answered.
    silence: Option<String>,
}

impl Default for Hearing {
    fn default() -> Self {
        Self(Mutex::new(Ears { deaf: BTreeMap::new(), last: Instant::now(), silence: None }))
    }
}

impl Hearing {
    /// A watch begins.
    pub(crate) fn begin(&self, kind: &str) {
        let why = "no answer".to_owned();
        let deaf = Deaf { is_unread: true, is_refused: false, why, since: Instant::now() };
        self.ears().deaf.insert(kind.to_owned(), deaf);
    }

    /// A watch has heard something, or failed.
    pub(crate) fn heard<K>(&self, kind: &str, event: &watcher::Result<watcher::Event<K>>) {
        let Ears { deaf, last, silence } = &mut *self.ears();
        if event.is_ok() {
            *last = Instant::now();
            *silence = None;
        }
        match event {
            Err(error) => {
                let new = || Deaf {
                    is_unread: false,
                    is_refused: false,
                    why: String::new(),
                    since: Instant::now(),
                };
                let deaf = deaf.entry(kind.to_owned()).or_insert_with(new);
                deaf.is_refused = is_refused(error);
                deaf.why = format!("{kind}: {error}");
            }
            // A list is on its way: what it has not come to may be missing.
            Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => {}
            Ok(watcher::Event::InitDone | watcher::Event::Apply(_) | watcher::Event::Delete(_)) => {
                drop(deaf.remove(kind))
            }
        }
    }

    /// The server answers again. A watch that goes on says so only when something happens; lists
    /// that were never read stay unread.
    pub(crate) fn answered(&self) {
        let Ears { deaf, last, silence } = &mut *self.ears();
        deaf.retain(|_, deaf| deaf.is_unread);
        *last = Instant::now();
        *silence = None;
    }

    /// The server has not answered a question.
    pub(crate) fn unanswered(&self, why: String) {
        self.ears().silence = Some(why);
    }

    /// Whether the watches leave open that the server is there: then somebody asks.
    pub(crate) fn is_doubtful(&self) -> bool {
        let Ears { deaf, last, silence } = &*self.ears();
        silence.is_some() || last.elapsed() >= QUIET_TOLERATED || deaf.values().any(Deaf::is_long)
    }

    /// What the caches are worth now.
    pub(crate) fn state(&self) -> Heard {
        let Ears { deaf, silence, .. } = &*self.ears();
        let mut unread = deaf.values().filter(|deaf| deaf.is_unread).peekable();
        let is_filling = unread.peek().is_some();
        match (unread.find(|deaf| deaf.is_long()), silence) {
            (Some(deaf), _) => Heard::Deaf(deaf.clone()),
            (None, _) if is_filling => Heard::Filling,
            (None, Some(why)) => Heard::Silent(why.clone()),
            (None, None) => Heard::All,
        }
    }

    fn ears(&self) -> MutexGuard<'_, Ears> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_refused(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(error)
    | watcher::Error::WatchStartFailed(error)
    | watcher::Error::WatchFailed(error)) = error
    else {
        return false;
    };
    matches!(error, Error::Api(status) if status.code == 403)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Event = watcher::Result<watcher::Event<()>>;

    /// A cache that was never read to its end must not say that a node is gone.
    #[test]
    fn what_was_not_listed_to_its_end_is_unread() {
        let hearing = Hearing::default();
        hearing.begin("Pod");
        assert_eq!(hearing.state(), Heard::Filling);
        hearing.heard("Pod", &Event::Ok(watcher::Event::Init));
        hearing.heard("Pod", &Event::Ok(watcher::Event::InitApply(())));
        assert_eq!(hearing.state(), Heard::Filling, "the list is not complete");
        hearing.answered();
        assert_eq!(hearing.state(), Heard::Filling, "an answer to something else is no list");
        hearing.heard("Pod", &Event::Ok(watcher::Event::InitDone));
        assert_eq!(hearing.state(), Heard::All);
    }

    /// A watch is cut now and then: that is no outage, and one that goes on says nothing when the
    /// cluster is quiet.
    #[test]
    fn a_watch_that_fails_for_a_while_is_told_until_the_server_answers() {
        let hearing = Hearing::default();
        let cut = || Event::Err(watcher::Error::NoResourceVersion);
        hearing.heard("Pod", &cut());
        assert_eq!(hearing.state(), Heard::All, "a short cut is no outage");
        let long_ago = Instant::now().checked_sub(DEAF_TOLERATED).expect("a machine that has run");
        hearing.ears().deaf.get_mut("Pod").expect("it is deaf").since = long_ago;
        hearing.heard("Pod", &cut());
        assert!(hearing.is_doubtful(), "somebody must look why");
        hearing.unanswered("refused".to_owned());
        assert_eq!(hearing.state(), Heard::Silent("refused".to_owned()));
        hearing.answered();
        assert_eq!(hearing.state(), Heard::All);
        assert!(!hearing.is_doubtful());
    }

    /// A server that hangs keeps its connections: nothing fails, and nothing is true any more.
    #[test]
    fn silence_is_asked_about() {
        let hearing = Hearing::default();
        let long_ago = Instant::now().checked_sub(QUIET_TOLERATED).expect("a machine that has run");
        hearing.ears().last = long_ago;
        assert!(hearing.is_doubtful());
        assert_eq!(hearing.state(), Heard::All, "nobody waits for the answer");
        hearing.unanswered("late".to_owned());
        assert!(hearing.is_doubtful(), "it is asked until it answers");
        assert_eq!(hearing.state(), Heard::Silent("late".to_owned()));
        hearing.heard("Pod", &Event::Ok(watcher::Event::Apply(())));
        assert_eq!(hearing.state(), Heard::All);
    }
}
