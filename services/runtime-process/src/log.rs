//! A node's log: appended to by the node, kept small here.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// Beyond this the log becomes `node.log.1`, which replaces an earlier one.
const BYTES_MAX: u64 = 8 << 20;
/// Bytes read from the end when lines are asked for.
const TAIL_BYTES_MAX: u64 = 256 << 10;

/// Opens the log for a process that starts.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// Moves a long log aside. Processes append, so they go on at the beginning of the emptied file.
pub(crate) fn trim(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.len() > BYTES_MAX => {}
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    fs::copy(path, path.with_extension("log.1"))?;
    OpenOptions::new().write(true).open(path)?.set_len(0)
}

/// The last lines of a log; empty when there is none.
pub(crate) fn tail(path: &Path, lines: usize) -> io::Result<String> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES_MAX)))?;
    let mut last = VecDeque::with_capacity(lines);
    for line in BufReader::new(file.take(TAIL_BYTES_MAX)).split(b'\n') {
        if last.len() == lines {
            last.pop_front();
        }
        last.push_back(String::from_utf8_lossy(&line?).into_owned());
    }
    Ok(last.into_iter().take(lines).map(|line| line + "\n").collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_long_log_is_moved_aside_under_a_process_that_appends() {
        // A node that logs for years must not fill its machine's disk.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.log");
        let mut appending = open(&path).unwrap();
        appending.write_all(&vec![b'x'; usize::try_from(BYTES_MAX).unwrap() + 1]).unwrap();
        trim(&path).unwrap();
        appending.write_all(b"goes on\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"goes on\n", "the log must begin anew");
        assert!(folder.path().join("node.log.1").exists(), "the long part must be kept once");
    }

    #[test]
    fn the_tail_has_the_last_lines_only() {
        // What a failure shows to the user must be its end, not its beginning.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.log");
        assert_eq!(tail(&path, 3).unwrap(), "", "no log is no error");
        fs::write(&path, "1\n2\n3\n4\n").unwrap();
        assert_eq!(tail(&path, 2).unwrap(), "3\n4\n");
        assert_eq!(tail(&path, 0).unwrap(), "");
    }
}
