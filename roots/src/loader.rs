//! Where a dynamic loader finds the libraries that an object asks for: ld.so(8), as glibc's does it.
//!
//! The order is the loader's: a DT_RPATH of the object and of whoever loaded it, DT_RUNPATH, ld.so.cache, the default
//! directories; in each directory the subdirectories for this processor come first. LD_LIBRARY_PATH and LD_PRELOAD are
//! no property of a file and play no part. The legacy hwcaps directories (`tls`, `haswell`), gone since glibc 2.37, are
//! not looked into.

use std::{
    collections::{HashMap, HashSet},
    ffi::{OsStr, OsString},
    fs,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use jail::process::elf::{self, Abi, Object};

use crate::{
    host,
    library_cache::LibraryCache,
    library_directories::{default_directories, expand, hwcaps, is_default, run_path},
};

/// How many objects one program may load before something must be wrong with it.
const MOST_OBJECTS: usize = 4096;

/// An object that a program loads, and where from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Where the loader opens it.
    pub path: PathBuf,
    /// What it needs itself.
    pub object: Object,
}

/// A library that nothing has, and who asks for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Missing {
    /// The name asked for.
    pub library: OsString,
    /// Who asks.
    pub by: PathBuf,
}

/// What a program loads at start.
#[derive(Clone, Debug, Default)]
pub struct Loads {
    /// The libraries, in the order of loading, without the program itself.
    pub libraries: Vec<PathBuf>,
    /// What is asked for and not to be found.
    pub missing: Vec<Missing>,
}

/// The host's loader as seen through its files.
#[derive(Debug, Default)]
pub struct Loader {
    cache: LibraryCache,
    objects: HashMap<PathBuf, Option<Object>>,
}

/// One object in a chain of loading: who loaded it is needed for DT_RPATH.
#[derive(Debug)]
struct Link {
    loaded: Loaded,
    by: Option<usize>,
}

/// What was loaded so far, in its order, and by which names it is known.
#[derive(Debug)]
struct Search {
    chain: Vec<Link>,
    names: HashSet<OsString>,
    inodes: HashSet<(u64, u64)>,
    loads: Loads,
}

impl Search {
    fn of(path: &Path, object: Object) -> Search {
        let main = Link {
            loaded: Loaded {
                path: path.to_owned(),
                object,
            },
            by: None,
        };
        Search {
            chain: vec![main],
            names: HashSet::new(),
            inodes: HashSet::new(),
            loads: Loads::default(),
        }
    }

    /// The kernel has loaded the interpreter before anybody asks for it by its soname.
    fn begin_with(&mut self, interpreter: OsString, soname: Option<OsString>) {
        let path = PathBuf::from(&interpreter);
        self.names.extend(soname);
        self.names.insert(interpreter);
        self.inodes.extend(inode(&path));
        self.loads.libraries.push(path);
    }

    fn add(&mut self, name: OsString, found: Loaded, by: usize) {
        self.names.insert(name);
        self.names.extend(found.object.soname.clone());
        if inode(&found.path).is_some_and(|inode| !self.inodes.insert(inode)) {
            return;
        }
        self.loads.libraries.push(found.path.clone());
        self.chain.push(Link {
            loaded: found,
            by: Some(by),
        });
    }

    fn miss(&mut self, name: OsString, by: usize) {
        let by = self.chain.get(by).map(|link| link.loaded.path.clone());
        self.names.insert(name.clone());
        self.loads.missing.push(Missing {
            library: name,
            by: by.unwrap_or_default(),
        });
    }
}

impl Loader {
    /// Reads the host's ld.so.cache. A host without one, or with a damaged one, has what the default directories have.
    #[must_use]
    pub fn of_host() -> Loader {
        Loader {
            cache: LibraryCache::of_host(),
            objects: HashMap::new(),
        }
    }

    /// Gives what a program or library loads, itself not counted. `path` should have no links in it, as the kernel
    /// resolves them before a loader sees the program.
    ///
    /// What is no ELF file loads nothing, and neither does a static program.
    pub fn loads(&mut self, path: &Path) -> Loads {
        let Some(object) = self.object(path) else {
            return Loads::default();
        };
        let interpreter = object.interpreter.clone();
        let mut search = Search::of(path, object);
        if let Some(interpreter) = interpreter {
            let soname = self
                .object(Path::new(&interpreter))
                .and_then(|object| object.soname);
            search.begin_with(interpreter, soname);
        }
        let mut next = 0;
        while let Some(link) = search.chain.get(next) {
            for name in link.loaded.object.needed.clone() {
                if search.names.contains(&name) || search.chain.len() > MOST_OBJECTS {
                    continue;
                }
                match self.find(&name, &search.chain, next) {
                    Some(found) => search.add(name, found, next),
                    None => search.miss(name, next),
                }
            }
            next += 1;
        }
        search.loads
    }

    /// Finds a library by its name alone, as dlopen(3) would for a program of this kind without paths of its own.
    pub fn library(&mut self, name: &OsStr, abi: Abi) -> Option<PathBuf> {
        self.in_cache(name, abi)
            .or_else(|| self.in_directories(default_directories(abi), name, abi))
    }

    /// Reads an object once.
    fn object(&mut self, path: &Path) -> Option<Object> {
        if let Some(known) = self.objects.get(path) {
            return known.clone();
        }
        let object = host::look_at(path)
            .ok()
            .and_then(|file| elf::read_file(&file).ok().flatten());
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    fn in_cache(&mut self, name: &OsStr, abi: Abi) -> Option<PathBuf> {
        let path = self.cache.find(name, abi)?.to_owned();
        self.object(&path).map(|_| path)
    }

    fn find(&mut self, name: &OsStr, chain: &[Link], asking: usize) -> Option<Loaded> {
        let asker = chain.get(asking)?;
        let abi = asker.loaded.object.abi;
        if name.as_bytes().contains(&b'/') {
            let path = PathBuf::from(expand(name, &asker.loaded.path, abi));
            return self.loaded(path, abi);
        }
        let mut directories = Vec::new();
        if asker.loaded.object.runpath.is_none() {
            let mut link = Some(asker);
            while let Some(Link { loaded, by }) = link {
                directories.extend(run_path(&loaded.object.rpath, &loaded.path, abi));
                link = by.and_then(|by| chain.get(by));
            }
        }
        let own = asker.loaded.object.runpath.as_deref().unwrap_or_default();
        directories.extend(run_path(own, &asker.loaded.path, abi));
        let no_defaults = asker.loaded.object.no_default_directories;
        let path = self
            .in_directories(directories, name, abi)
            .or_else(|| {
                self.in_cache(name, abi)
                    .filter(|path| !no_defaults || !is_default(path, abi))
            })
            .or_else(|| {
                let defaults = if no_defaults {
                    Vec::new()
                } else {
                    default_directories(abi)
                };
                self.in_directories(defaults, name, abi)
            })?;
        self.loaded(path, abi)
    }

    fn loaded(&mut self, path: PathBuf, abi: Abi) -> Option<Loaded> {
        let object = self.object(&path).filter(|object| object.abi == abi)?;
        Some(Loaded { path, object })
    }

    /// Looks into directories, and first into what each has for this processor.
    fn in_directories(
        &mut self,
        directories: Vec<PathBuf>,
        name: &OsStr,
        abi: Abi,
    ) -> Option<PathBuf> {
        for directory in directories {
            let hwcaps = hwcaps(abi).iter();
            let better = hwcaps.map(|level| directory.join("glibc-hwcaps").join(level));
            for directory in better.chain([directory.clone()]) {
                let path = directory.join(name);
                // A file for another kind of processor is passed over, as the loader does.
                if self.object(&path).is_some_and(|object| object.abi == abi) {
                    return Some(path);
                }
            }
        }
        None
    }
}

fn inode(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::Loader;

    #[test]
    fn finds_the_libraries_of_a_program() {
        // Not of this very one, which may be where not everybody can read.
        let loads = Loader::of_host().loads(&std::fs::canonicalize("/bin/sh").unwrap());
        assert!(loads.missing.is_empty(), "{:?}", loads.missing);
        let libc = |path: &&std::path::PathBuf| path.ends_with("libc.so.6");
        assert_eq!(loads.libraries.iter().filter(libc).count(), 1);
    }
}
