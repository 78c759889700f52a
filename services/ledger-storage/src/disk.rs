//! One flat directory of files, as little of it as storage needs.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

/// A directory. Nothing is durable before [`Disk::sync`] (content) and [`Disk::sync_directory`]
/// (names) have returned.
pub trait Disk: Send {
    /// The names of all files, sorted.
    ///
    /// # Errors
    /// What the system says, as everywhere in this trait.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Makes an empty file; an error if the name is taken.
    ///
    /// # Errors
    /// `AlreadyExists`, or what the system says.
    fn create(&mut self, name: &str) -> io::Result<()>;
    /// Writes at the end of a file.
    ///
    /// # Errors
    /// After one, nothing is known about the file's end.
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// A file's length in bytes.
    ///
    /// # Errors
    /// `NotFound`, or what the system says.
    fn len(&self, name: &str) -> io::Result<u64>;
    /// Fills `buffer` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file is shorter.
    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// Makes a file's content durable.
    ///
    /// # Errors
    /// After one, nothing since the last success may be taken as durable.
    fn sync(&mut self, name: &str) -> io::Result<()>;
    /// Makes creations, renames and removals durable.
    ///
    /// # Errors
    /// What the system says.
    fn sync_directory(&mut self) -> io::Result<()>;
    /// Renames a file, replacing one that has the new name.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&mut self, name: &str) -> io::Result<()>;
    /// Cuts a file.
    ///
    /// # Errors
    /// What the system says.
    fn truncate(&mut self, name: &str, len: u64) -> io::Result<()>;
}

/// A whole file.
///
/// # Errors
/// What the disk says.
pub fn read_all(disk: &dyn Disk, name: &str) -> io::Result<Vec<u8>> {
    let len = usize::try_from(disk.len(name)?).map_err(io::Error::other)?;
    let mut bytes = vec![0; len];
    disk.read_at(name, 0, &mut bytes)?;
    Ok(bytes)
}

/// A real directory, created when missing; its files have mode 0600 by the process's umask or the
/// directory's own protection.
#[derive(Debug)]
pub struct FileDisk {
    directory: PathBuf,
    open: BTreeMap<String, File>,
}

impl FileDisk {
    /// Opens or creates the directory.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        Ok(Self { directory: directory.to_owned(), open: BTreeMap::new() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A handle for reading and appending, opened once.
    fn handle(&mut self, name: &str) -> io::Result<&mut File> {
        if !self.open.contains_key(name) {
            let file = OpenOptions::new().read(true).append(true).open(self.path(name))?;
            self.open.insert(name.to_owned(), file);
        }
        Ok(self.open.get_mut(name).expect("inserted above"))
    }
}

impl Disk for FileDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                let name = entry.file_name().into_string();
                names.push(name.map_err(|_| io::Error::other("a file name is not UTF-8"))?);
            }
        }
        names.sort();
        Ok(names)
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        let options = OpenOptions::new().read(true).append(true).create_new(true).to_owned();
        let file = options.open(self.path(name))?;
        self.open.insert(name.to_owned(), file);
        Ok(())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        io::Write::write_all(self.handle(name)?, bytes)
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.path(name))?.len())
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match self.open.get(name) {
            Some(file) => file.read_exact_at(buffer, offset),
            None => File::open(self.path(name))?.read_exact_at(buffer, offset),
        }
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.handle(name)?.sync_data()
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.open.remove(from);
        self.open.remove(to);
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.open.remove(name);
        fs::remove_file(self.path(name))
    }

    fn truncate(&mut self, name: &str, len: u64) -> io::Result<()> {
        self.handle(name)?.set_len(len)
    }
}
