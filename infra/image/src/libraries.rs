//! What a program needs beside itself.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::layer::{Entry, Layer};

/// A shared library or the loader: where the program looks for it, and the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// The path in the image, as the loader asks for it.
    pub path: String,
    /// The file on this machine, links followed.
    pub file: PathBuf,
}

/// The libraries that a program is linked with and the loader that starts it, as `ldd` tells.
///
/// # Errors
/// When one is missing on this machine, or the program is none.
pub fn shared_libraries(program: &Path) -> Result<Vec<Library>> {
    let output = Command::new("ldd").arg(program).output().context("ldd cannot be run")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ldd {}: {complaint}{text}", program.display());
    let mut found = Vec::new();
    for path in read(&text)? {
        let file = fs::canonicalize(&path).with_context(|| path.clone())?;
        found.push(Library { path: path.trim_start_matches('/').to_owned(), file });
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// The paths in `ldd`'s answer: `libssl.so.3 => /lib/…/libssl.so.3 (0x…)` or `/lib64/ld-… (0x…)`.
fn read(text: &str) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for line in text.lines().map(str::trim) {
        ensure!(!line.ends_with("not found"), "a library is missing: {line}");
        let named = line.split_once("=> ").map_or(line, |(_, path)| path);
        let path = named.split_whitespace().next().unwrap_or_default();
        if path.starts_with('/') {
            paths.push(path.to_owned());
        }
    }
    Ok(paths)
}

impl Layer {
    /// Puts libraries where programs look for them.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn put_libraries(&mut self, libraries: &[Library]) -> Result<()> {
        for Library { path, file } in libraries {
            let bytes = fs::read(file).with_context(|| file.display().to_string())?;
            self.put(path, Entry::File(0o755, bytes))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn libraries_are_read_and_a_missing_one_is_an_error() {
        // An image without a library starts nowhere.
        let told = "\tlinux-vdso.so.1 (0x00007f)\n\
                    \tlibssl.so.3 => /lib/x86_64-linux-gnu/libssl.so.3 (0x00007f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let found = read(told).unwrap();
        assert_eq!(found, ["/lib/x86_64-linux-gnu/libssl.so.3", "/lib64/ld-linux-x86-64.so.2"]);
        assert!(read("\tlibx.so => not found\n").is_err());
    }
}
