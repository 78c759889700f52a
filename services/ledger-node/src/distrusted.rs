//! What is kept of states that are not trusted any more.

use std::{fs, io, path::Path};

use crate::net::now_ms;

/// States that are kept though they are not trusted any more, so that somebody can look at them. The
/// oldest make room: whoever edits again and again must not fill the volume.
const DISTRUSTED_KEPT_MAX: usize = 8;

/// Names what is kept of a state that is not trusted any more, and moves it there.
pub(crate) fn put_aside(path: &Path, height: u64) -> io::Result<String> {
    forget_oldest(path.parent().unwrap_or(Path::new(".")))?;
    let kept = format!("distrusted-{height}-{}-state.db", now_ms());
    for suffix in ["", "-wal", "-shm"] {
        let from = path.with_file_name(format!("state.db{suffix}"));
        if from.exists() {
            fs::rename(&from, path.with_file_name(format!("{kept}{suffix}")))?;
        }
    }
    Ok(kept)
}

/// Makes room for one more distrusted state.
fn forget_oldest(folder: &Path) -> io::Result<()> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(folder)? {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        let parts =
            name.strip_prefix("distrusted-").and_then(|rest| rest.strip_suffix("-state.db"));
        let at_ms: Option<u64> = parts.and_then(|rest| rest.split_once('-')?.1.parse().ok());
        kept.extend(at_ms.map(|at_ms| (at_ms, name)));
    }
    kept.sort_unstable();
    // One place is for the state that is about to come.
    for (_, name) in kept.iter().rev().skip(DISTRUSTED_KEPT_MAX - 1) {
        // The file that names the others goes last: after a crash in between they are found again.
        for suffix in ["-wal", "-shm", ""] {
            match fs::remove_file(folder.join(format!("{name}{suffix}"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_originals_are_kept_and_no_more_than_fit() {
        // Whoever edits a state again and again must not fill the volume with what is kept of it.
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| fs::write(folder.path().join(name), b"rows").unwrap();
        for at_ms in 1..=20 {
            write(&format!("distrusted-7-{at_ms}-state.db"));
            write(&format!("distrusted-7-{at_ms}-state.db-wal"));
        }
        for name in ["state.db", "state.db-wal", "incidents.json", "distrusted-notes.txt"] {
            write(name);
        }
        let kept = put_aside(&folder.path().join("state.db"), 9).unwrap();
        let mut names: Vec<String> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let newest = (14..=20).flat_map(|at_ms| {
            ["", "-wal"].map(|suffix| format!("distrusted-7-{at_ms}-state.db{suffix}"))
        });
        let mut expected: Vec<String> =
            newest.chain([kept.clone(), format!("{kept}-wal")]).collect();
        expected.extend(["incidents.json", "distrusted-notes.txt"].map(str::to_owned));
        expected.sort();
        assert_eq!(names, expected);
    }
}
