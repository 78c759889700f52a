//! One layer: files, folders and links, in an order of their own.

use std::{collections::BTreeMap, io::Write as _};

use anyhow::{Context as _, Result, ensure};
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A folder and its mode.
    Folder(u32),
    /// A file, its mode and its bytes.
    File(u32, Vec<u8>),
    /// A symbolic link and where it points.
    Link(String),
}

/// Files by their paths, without a leading slash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    entries: BTreeMap<String, Entry>,
}

impl Layer {
    /// Puts something at a path, with the folders above it.
    ///
    /// # Errors
    /// For a path that is absolute or leaves the image.
    pub fn put(&mut self, path: &str, entry: Entry) -> Result<()> {
        let path = path.trim_end_matches('/');
        let leaves = path.split('/').any(|part| part.is_empty() || part == "." || part == "..");
        ensure!(!leaves, "{path:?} is no path of an image");
        for (slash, _) in path.match_indices('/') {
            self.entries.entry(path[..slash].to_owned()).or_insert(Entry::Folder(0o755));
        }
        self.entries.insert(path.to_owned(), entry);
        Ok(())
    }

    /// The tar of it: the same for the same entries.
    pub(crate) fn tar(&self) -> Result<Vec<u8>> {
        let mut builder = Builder::new(Vec::new());
        for (path, entry) in &self.entries {
            let mut header = Header::new_gnu();
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            let written = match entry {
                Entry::Folder(mode) => {
                    header.set_entry_type(EntryType::Directory);
                    header.set_mode(*mode);
                    header.set_size(0);
                    builder.append_data(&mut header, format!("{path}/"), std::io::empty())
                }
                Entry::File(mode, bytes) => {
                    header.set_entry_type(EntryType::Regular);
                    header.set_mode(*mode);
                    header.set_size(bytes.len() as u64);
                    builder.append_data(&mut header, path, bytes.as_slice())
                }
                Entry::Link(target) => {
                    header.set_entry_type(EntryType::Symlink);
                    header.set_mode(0o777);
                    header.set_size(0);
                    builder.append_link(&mut header, path, target)
                }
            };
            written.with_context(|| format!("writing {path}"))?;
        }
        builder.into_inner().context("ending a layer")
    }
}

/// Compresses without a time and a name.
pub(crate) fn compress(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::new(6));
    encoder.write_all(bytes)?;
    encoder.finish().context("compressing a layer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_give_the_same_bytes_in_any_order() {
        // A digest that changes by itself says that a program has changed which has not.
        let file = |text: &str| Entry::File(0o644, text.as_bytes().to_vec());
        let mut one = Layer::default();
        one.put("usr/bin/a", file("a")).unwrap();
        one.put("etc/b", file("b")).unwrap();
        let mut two = Layer::default();
        two.put("etc/b", file("b")).unwrap();
        two.put("usr/bin/a", file("a")).unwrap();
        assert_eq!(one.tar().unwrap(), two.tar().unwrap());
        two.put("etc/b", file("c")).unwrap();
        assert_ne!(one.tar().unwrap(), two.tar().unwrap());
    }

    #[test]
    fn paths_stay_in_the_image() {
        // Whoever unpacks an image trusts its paths.
        for bad in ["/etc/passwd", "../x", "a/../b", "", "a//b", "."] {
            assert!(Layer::default().put(bad, Entry::Folder(0o755)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn folders_above_are_there_and_keep_their_mode() {
        // A file without its folders is unpacked with the modes of whoever unpacks it.
        let mut layer = Layer::default();
        layer.put("tmp", Entry::Folder(0o1777)).unwrap();
        layer.put("tmp/x/y", Entry::File(0o600, Vec::new())).unwrap();
        assert_eq!(layer.entries["tmp"], Entry::Folder(0o1777));
        assert_eq!(layer.entries["tmp/x"], Entry::Folder(0o755));
    }
}
