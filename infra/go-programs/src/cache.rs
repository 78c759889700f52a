//! Where the programs are kept: outside checkouts, for all of them.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::Module;

/// A folder with one folder for each module and state of its lock.
#[derive(Clone, Debug)]
pub struct Cache(PathBuf);

impl Cache {
    /// This user's cache of a name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let home = env::var_os("HOME").unwrap_or_else(|| "/root".into());
        Self(Path::new(&home).join(".cache/hansa").join(name))
    }

    /// A cache in a folder.
    #[must_use]
    pub const fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// Holds the cache until what is given is dropped: two that start on a new machine build once.
    /// `say` hears that another one has it.
    ///
    /// # Errors
    /// When the lock cannot be made.
    pub fn hold(&self, say: &dyn Fn(&str)) -> Result<File> {
        fs::create_dir_all(&self.0).with_context(|| self.0.display().to_string())?;
        let path = self.0.join("lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path)?;
        if file.try_lock().is_err() {
            say("another one builds; waiting for it");
            file.lock()?;
        }
        Ok(file)
    }

    /// The folder with a module's programs, built where they are not there yet; `say` hears what
    /// takes long. Whoever calls this holds the cache.
    ///
    /// # Errors
    /// When one cannot be built.
    pub fn programs(&self, module: &Module<'_>, say: &dyn Fn(&str)) -> Result<PathBuf> {
        let name = module.folder.file_name().context("a module's folder has a name")?;
        let built = self.0.join(format!("{}-{}", name.to_string_lossy(), module.lock()?));
        fs::create_dir_all(&built).with_context(|| built.display().to_string())?;
        for (name, package) in module.programs {
            let program = built.join(name);
            if !program.exists() {
                say(&format!("building {name} (the first time only)"));
                module.build(package, &program)?;
            }
        }
        Ok(built)
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, fs};

    use super::*;

    #[test]
    fn a_program_is_built_once_for_each_state_of_its_lock() {
        // A stale program would test what nobody has locked; a build too many takes minutes. No
        // package is built here: the program is put where a build would have put it.
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("thing");
        fs::create_dir(&source).unwrap();
        fs::write(source.join("go.mod"), "module thing\n").unwrap();
        fs::write(source.join("go.sum"), "").unwrap();
        let programs = [("thing", "nowhere.test/thing")];
        let module =
            Module { folder: &source, release: "1", programs: &programs, link: |_| String::new() };
        let cache = Cache::at(folder.path().join("cache"));
        let place = cache.folder().join(format!("thing-{}", module.lock().unwrap()));
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("thing"), "built").unwrap();

        let said = RefCell::new(Vec::new());
        let say = |text: &str| said.borrow_mut().push(text.to_owned());
        assert_eq!(cache.programs(&module, &say).unwrap(), place);
        assert!(said.borrow().is_empty(), "it was there, and was built again: {said:?}");

        let released = Module { release: "2", ..module };
        assert_ne!(released.lock().unwrap(), module.lock().unwrap(), "another release");
        fs::write(source.join("go.sum"), "a line\n").unwrap();
        assert!(!place.ends_with(format!("thing-{}", module.lock().unwrap())), "another lock");
        cache.programs(&module, &say).unwrap_err();
        assert_eq!(*said.borrow(), ["building thing (the first time only)"]);
    }
}
