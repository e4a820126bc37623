//! Where the loader of a program looks for libraries: ld.so(8), and musl's.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs::File,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::root::{Root, regular};
use crate::process::elf::{self, Object};

/// Where loaders look without being told: ld.so(8), and musl's.
const LIBRARY_DIRECTORIES: [&str; 7] = [
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    "/usr/local/lib",
    "/lib32",
    "/usr/lib32",
];

/// Where Debian's loaders look first.
const MULTIARCH: [&str; 6] = [
    "x86_64-linux-gnu",
    "aarch64-linux-gnu",
    "riscv64-linux-gnu",
    "powerpc64le-linux-gnu",
    "s390x-linux-gnu",
    "loongarch64-linux-gnu",
];

/// Below each directory, where glibc looks first on a processor that has more than the least: ld.so(8), glibc-hwcaps.
const HARDWARE: [&str; 3] = [
    "glibc-hwcaps/x86-64-v4",
    "glibc-hwcaps/x86-64-v3",
    "glibc-hwcaps/x86-64-v2",
];

/// How many libraries are looked at before the rest is left to the loader.
const MOST_LIBRARIES: usize = 512;

/// What the libraries of a program and theirs are in a root.
#[derive(Debug, Default)]
pub(super) struct Libraries {
    /// Those that are nowhere.
    pub(super) missing: Vec<OsString>,
    /// Where the others are.
    pub(super) found: Vec<PathBuf>,
}

/// How many of the places are of interest where a library is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Places {
    /// That it is somewhere.
    One,
    /// Each from which the loader may take it: which one that is depends on the processor and on the loader's cache.
    All,
}

/// Looks for the libraries of a program, and for theirs.
pub(super) fn search(
    root: &Root,
    interpreter: &Path,
    file: &Path,
    object: &Object,
    places: Places,
) -> Libraries {
    let loader = Loader::of(root, interpreter, file, object);
    let mut libraries = Libraries::default();
    let mut seen: BTreeSet<OsString> = BTreeSet::new();
    let mut waiting: Vec<(OsString, Vec<PathBuf>)> = loader.wanted(file, object);
    while let Some((name, own_path)) = waiting.pop() {
        if loader.has_built_in(&name) || seen.len() == MOST_LIBRARIES || !seen.insert(name.clone())
        {
            continue;
        }
        let found = loader.find(&name, &own_path, places);
        if found.is_empty() {
            libraries.missing.push(name);
        }
        for (path, found) in found {
            if let Some(object) = elf::read_native(&found) {
                waiting.extend(loader.wanted(&path, &object));
            }
            libraries.found.push(path);
        }
    }
    libraries.missing.sort();
    libraries
}

/// How the loader of one program looks for libraries.
#[derive(Debug)]
struct Loader<'a> {
    root: &'a Root,
    musl: bool,
    /// Where it looks for every library: LD_LIBRARY_PATH, the program's own DT_RPATH and DT_RUNPATH, the defaults.
    directories: Vec<PathBuf>,
}

impl<'a> Loader<'a> {
    fn of(root: &'a Root, interpreter: &Path, program: &Path, object: &Object) -> Loader<'a> {
        let mut directories = root.library_path.clone();
        directories.extend(object.search_path(program));
        let here = std::env::consts::ARCH;
        for triplet in MULTIARCH.iter().filter(|triplet| triplet.starts_with(here)) {
            directories.push(Path::new("/lib").join(triplet));
            directories.push(Path::new("/usr/lib").join(triplet));
        }
        directories.extend(LIBRARY_DIRECTORIES.map(PathBuf::from));
        let musl = interpreter
            .file_name()
            .is_some_and(|name| name.as_bytes().starts_with(b"ld-musl-"));
        Loader {
            root,
            musl,
            directories,
        }
    }

    /// Lists what an object wants, each with the search path of that object itself.
    fn wanted(&self, path: &Path, object: &Object) -> Vec<(OsString, Vec<PathBuf>)> {
        let own_path = object.search_path(path);
        object
            .needed
            .iter()
            .map(|name| (name.clone(), own_path.clone()))
            .collect()
    }

    /// musl's loader is libc itself, under these names: ldso/dynlink.c reserves them.
    fn has_built_in(&self, name: &OsStr) -> bool {
        const RESERVED: [&[u8]; 7] = [
            b"libc.",
            b"libpthread.",
            b"librt.",
            b"libm.",
            b"libdl.",
            b"libutil.",
            b"libxnet.",
        ];
        self.musl
            && RESERVED
                .iter()
                .any(|prefix| name.as_bytes().starts_with(prefix))
    }

    fn find(&self, name: &OsStr, own_path: &[PathBuf], places: Places) -> Vec<(PathBuf, File)> {
        if name.as_bytes().contains(&b'/') {
            return self.open(Path::new(name)).into_iter().collect();
        }
        let most = match places {
            Places::One => 1,
            Places::All => usize::MAX,
        };
        let directories = own_path.iter().chain(&self.directories);
        let usual = directories.flat_map(|directory| {
            let special: &[&str] = match places {
                Places::One => &[],
                Places::All => &HARDWARE,
            };
            let special = special.iter().map(|below| directory.join(below));
            special
                .chain([directory.clone()])
                .map(|directory| directory.join(name))
        });
        let usual = usual.filter_map(|path| self.open(&path));
        let mut found: Vec<(PathBuf, File)> = usual.take(most).collect();
        if found.len() < most {
            let configured = self.configured(name);
            let more = configured.iter().filter_map(|path| self.open(path));
            found.extend(more.take(most));
        }
        found
    }

    fn open(&self, path: &Path) -> Option<(PathBuf, File)> {
        let file = regular(self.root.open(path).ok()?).ok()??;
        Some((path.to_owned(), file))
    }

    /// Lists where the root's own ld.so.cache, ld.so.conf or musl's path file would have the loader look.
    ///
    /// Read only once the usual places had nothing, so the usual login never gets here.
    fn configured(&self, name: &OsStr) -> Vec<PathBuf> {
        let mut places = Vec::new();
        if let Some(cache) = self.root.read(Path::new("/etc/ld.so.cache")) {
            // The cache ends in a table of NUL-terminated paths: ldconfig(8).
            let paths = cache
                .split(|byte| *byte == 0)
                .map(|text| Path::new(OsStr::from_bytes(text)));
            places.extend(
                paths
                    .filter(|path| path.is_absolute() && path.file_name() == Some(name))
                    .map(Path::to_owned),
            );
        }
        let musl = format!("/etc/ld-musl-{}.path", std::env::consts::ARCH);
        for list in [musl.as_str(), "/etc/ld.so.conf"] {
            let text = self.root.read(Path::new(list)).unwrap_or_default();
            let words = text.split(|byte| byte.is_ascii_whitespace() || *byte == b':');
            places.extend(
                words
                    .filter(|word| word.starts_with(b"/"))
                    .map(|word| Path::new(OsStr::from_bytes(word)).join(name)),
            );
        }
        places
    }
}
