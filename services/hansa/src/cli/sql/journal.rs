//! What is remembered beside a file of statements while it is being sent.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use ledger_types::Digest;
use serde::{Deserialize, Serialize};

use crate::cli::failure::{Failure, Kind, Outcome};

/// How far a file has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Journal {
    /// The ledger and the key: another one must not go on with this.
    pub(super) ledger: String,
    pub(super) signer: String,
    /// Of this sending: what is sent again later on purpose is another transaction.
    pub(super) run: String,
    /// Groups that took effect, and the digest over them.
    pub(super) done: usize,
    pub(super) done_digest: String,
    /// Digest of the group that may have been sent and whose outcome is not known.
    pub(super) open: Option<String>,
    /// Unix milliseconds that the open group is signed for.
    pub(super) base_ms: u64,
}

/// `FILE.hansa-journal`.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".hansa-journal");
    PathBuf::from(name)
}

impl Journal {
    /// What was remembered, if it is about the same ledger and key and this file still begins with
    /// what took effect; otherwise `fresh`, if nothing was remembered. `groups` are the digests of
    /// the file's groups.
    pub(super) fn resume(path: &Path, fresh: Self, groups: &[Digest]) -> Outcome<Self> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(fresh),
            Err(error) => {
                return Err(Failure::failed(format!("{}: {error}", path.display())));
            }
        };
        let not_so = |what: &str, next: &str| {
            let text = format!("{} {what}", path.display());
            Err(Failure::new(Kind::Conflict, text).next(next))
        };
        let Ok(kept) = serde_json::from_slice::<Self>(&bytes) else {
            return not_so(
                "is no journal of this release",
                "remove it to begin anew; what took effect before would then take effect again",
            );
        };
        if (&kept.ledger, &kept.signer) != (&fresh.ledger, &fresh.signer) {
            return not_so(
                "is of another ledger or key",
                "finish with the ledger and key it was begun with, or remove the journal",
            );
        }
        let done = groups.get(..kept.done).map(over);
        if done.as_ref() != Some(&kept.done_digest) {
            return not_so(
                "tells of statements that took effect and do not begin this file",
                "give the file its beginning back, or remove the journal to begin anew",
            );
        }
        let next = groups.get(kept.done).map(ToString::to_string);
        if kept.open.is_some() && kept.open != next {
            return not_so(
                "tells of statements that may have taken effect and were changed since",
                "change them back, run it once, and change them then",
            );
        }
        Ok(kept)
    }

    /// Written as a whole: a crash leaves the old one or the new one.
    pub(super) fn write(&self, path: &Path) -> Outcome<()> {
        let written = (|| -> std::io::Result<()> {
            let mut unfinished = path.as_os_str().to_owned();
            unfinished.push("-new");
            let mut file = fs::File::create(&unfinished)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            fs::rename(unfinished, path)
        })();
        written.map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
    }
}

/// The digest over groups in their order.
pub(super) fn over(groups: &[Digest]) -> String {
    Digest::of(&groups.iter().flat_map(|digest| digest.0).collect::<Vec<u8>>()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(texts: &[&str]) -> Vec<Digest> {
        texts.iter().map(|text| Digest::of(text.as_bytes())).collect()
    }

    fn fresh() -> Journal {
        let text = |text: &str| text.to_owned();
        Journal {
            ledger: text("l"),
            signer: text("s"),
            run: text("r"),
            done: 0,
            done_digest: over(&[]),
            open: None,
            base_ms: 7,
        }
    }

    /// Going on with what belongs to other statements would leave some out, or do some twice.
    #[test]
    fn a_journal_is_obeyed_only_for_what_it_tells_of() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.sql.hansa-journal");
        let file = digests(&["a", "b", "c"]);
        let resume = |journal: Journal, groups: &[Digest]| Journal::resume(&path, journal, groups);
        assert_eq!(resume(fresh(), &file).expect("nothing is remembered"), fresh());
        let kept = Journal {
            done: 1,
            done_digest: over(&file[..1]),
            open: Some(file[1].to_string()),
            ..fresh()
        };
        kept.write(&path).expect("written");
        assert_eq!(resume(fresh(), &file).expect("the same file"), kept);
        for (what, groups) in [
            ("the beginning has changed", digests(&["x", "b", "c"])),
            ("what may be on its way has changed", digests(&["a", "x", "c"])),
            ("the file is shorter", digests(&[])),
        ] {
            assert!(resume(fresh(), &groups).is_err(), "{what}");
        }
        assert!(resume(fresh(), &digests(&["a", "b", "x"])).is_ok(), "the rest may change");
        assert!(resume(Journal { signer: "other".into(), ..fresh() }, &file).is_err());
        let refused = Journal { open: None, ..kept };
        refused.write(&path).expect("written");
        assert!(resume(fresh(), &digests(&["a", "mended", "c"])).is_ok(), "a refusal is mended");
        fs::write(&path, "{").expect("written");
        assert!(resume(fresh(), &file).is_err(), "half a journal must not mean a new start");
    }
}
