//! Where a dynamic loader finds the libraries that an object asks for: ld.so(8), as glibc's does it.
//!
//! The order is the loader's: a DT_RPATH of the object and of whoever loaded it, DT_RUNPATH, ld.so.cache, the default
//! directories; in each directory the subdirectories for this processor come first. LD_LIBRARY_PATH and LD_PRELOAD are
//! no property of a file and play no part. The legacy hwcaps directories (`tls`, `haswell`), gone since glibc 2.37, are
//! not looked into.

use std::{
    collections::{HashMap, HashSet},
    ffi::{OsStr, OsString},
    fs::{self, File},
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::MetadataExt,
    },
    path::{Path, PathBuf},
};

use jail::process::elf::{self, Abi, Object};

use crate::host;

/// The first bytes of the format that glibc has written since 2.2, and alone since 2.32.
const CACHE_MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const CACHE_HEADER: usize = 48;
const CACHE_ENTRY: usize = 24;
/// Marks an entry whose lower half counts in the table of hwcaps: `DL_CACHE_HWCAP_EXTENSION`.
const CACHE_HWCAPS: u64 = 1 << 62;
const CACHE_EXTENSION_MAGIC: u32 = 0xeaa4_2174;
const CACHE_EXTENSION_HWCAPS: u32 = 1;
/// More than any ld.so.cache has.
const LARGEST_CACHE: u64 = 64 * 1024 * 1024;
/// `FLAG_ELF_LIBC6`.
const CACHE_LIBC6: u32 = 3;

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
    /// Libraries by name: what each is for, which hwcaps it wants, and where it is.
    cache: HashMap<OsString, Vec<Cached>>,
    objects: HashMap<PathBuf, Option<Object>>,
}

#[derive(Debug)]
struct Cached {
    flags: u32,
    hwcaps: Option<OsString>,
    path: PathBuf,
}

/// One object in a chain of loading: who loaded it is needed for DT_RPATH.
#[derive(Debug)]
struct Link {
    loaded: Loaded,
    by: Option<usize>,
}

impl Loader {
    /// Reads the host's ld.so.cache. A host without one, or with a damaged one, has what the default directories have.
    #[must_use]
    pub fn of_host() -> Loader {
        let cache = File::open("/etc/ld.so.cache").ok().and_then(|file| {
            let mut bytes = Vec::new();
            let mut file = io_take(file);
            std::io::Read::read_to_end(&mut file, &mut bytes).ok()?;
            parse_cache(&bytes)
        });
        Loader {
            cache: cache.unwrap_or_default(),
            objects: HashMap::new(),
        }
    }

    /// Gives what a program or library loads, itself not counted. `path` should have no links in it, as the kernel
    /// resolves them before a loader sees the program.
    ///
    /// What is no ELF file loads nothing, and neither does a static program.
    pub fn loads(&mut self, path: &Path) -> Loads {
        let mut loads = Loads::default();
        let Some(object) = self.object(path) else {
            return loads;
        };
        let main = Loaded {
            path: path.to_owned(),
            object,
        };
        let interpreter = main.object.interpreter.clone();
        let mut chain = vec![Link {
            loaded: main,
            by: None,
        }];
        let mut names: HashSet<OsString> = HashSet::new();
        let mut inodes: HashSet<(u64, u64)> = HashSet::new();
        if let Some(interpreter) = interpreter {
            // The kernel has loaded it before anybody asks for it by its soname.
            let path = PathBuf::from(&interpreter);
            names.extend(self.object(&path).and_then(|object| object.soname));
            names.insert(interpreter);
            inodes.extend(inode(&path));
            loads.libraries.push(path);
        }
        let mut next = 0;
        while let Some(link) = chain.get(next) {
            for name in link.loaded.object.needed.clone() {
                if names.contains(&name) || chain.len() > MOST_OBJECTS {
                    continue;
                }
                match self.find(&name, &chain, next) {
                    Some(found) => {
                        names.insert(name);
                        names.extend(found.object.soname.clone());
                        if inode(&found.path).is_some_and(|inode| !inodes.insert(inode)) {
                            continue;
                        }
                        loads.libraries.push(found.path.clone());
                        chain.push(Link {
                            loaded: found,
                            by: Some(next),
                        });
                    }
                    None => {
                        let by = chain.get(next).map(|link| link.loaded.path.clone());
                        names.insert(name.clone());
                        loads.missing.push(Missing {
                            library: name,
                            by: by.unwrap_or_default(),
                        });
                    }
                }
            }
            next += 1;
        }
        loads
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

    fn in_cache(&mut self, name: &OsStr, abi: Abi) -> Option<PathBuf> {
        let flags = cache_flags(abi)?;
        let entries = self.cache.get(name)?;
        let fitting = || entries.iter().filter(|entry| entry.flags == flags);
        let better = hwcaps(abi).iter().find_map(|level| {
            fitting().find(|entry| entry.hwcaps.as_deref() == Some(OsStr::new(level)))
        });
        let found = better.or_else(|| fitting().find(|entry| entry.hwcaps.is_none()))?;
        let path = found.path.clone();
        self.object(&path).map(|_| path)
    }
}

fn io_take(file: File) -> std::io::Take<File> {
    std::io::Read::take(file, LARGEST_CACHE)
}

fn inode(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// The subdirectories of glibc-hwcaps that this processor can use, best first: ld.so(8).
fn hwcaps(abi: Abi) -> &'static [&'static str] {
    if abi.machine != elf::EM_X86_64 || !abi.wide {
        return &[];
    }
    match x86_64_level() {
        4 => &["x86-64-v4", "x86-64-v3", "x86-64-v2"],
        3 => &["x86-64-v3", "x86-64-v2"],
        2 => &["x86-64-v2"],
        _ => &[],
    }
}

/// The level of the x86-64 psABI that this processor has.
#[cfg(target_arch = "x86_64")]
fn x86_64_level() -> u8 {
    let second = is_x86_feature_detected!("sse3")
        && is_x86_feature_detected!("ssse3")
        && is_x86_feature_detected!("sse4.1")
        && is_x86_feature_detected!("sse4.2")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("cmpxchg16b");
    let third = second
        && is_x86_feature_detected!("avx")
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("f16c")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("movbe");
    let fourth = third
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512cd")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    1 + u8::from(second) + u8::from(third) + u8::from(fourth)
}

/// A processor of another kind has no level.
#[cfg(not(target_arch = "x86_64"))]
fn x86_64_level() -> u8 {
    0
}

/// What ldconfig marks libraries of this kind with: glibc's `cache.h`. `None` for kinds that aren't known here, which
/// then have the default directories only.
fn cache_flags(abi: Abi) -> Option<u32> {
    use jail::process::elf::{EM_386, EM_AARCH64, EM_ARM, EM_X86_64};
    let kind = match (abi.machine, abi.wide) {
        (EM_X86_64, true) => 0x0300,
        (EM_X86_64, false) => 0x0800,
        (EM_AARCH64, true) => 0x0a00,
        (EM_ARM, false) => 0x0900,
        (EM_386, false) => 0,
        _ => return None,
    };
    Some(kind | CACHE_LIBC6)
}

/// Debian's name for a kind of processor and convention.
#[must_use]
pub fn multiarch(abi: Abi) -> Option<&'static str> {
    use jail::process::elf::{EM_386, EM_AARCH64, EM_ARM, EM_RISCV, EM_X86_64};
    match (abi.machine, abi.wide) {
        (EM_X86_64, true) => Some("x86_64-linux-gnu"),
        (EM_X86_64, false) => Some("x86_64-linux-gnux32"),
        (EM_AARCH64, true) => Some("aarch64-linux-gnu"),
        (EM_RISCV, true) => Some("riscv64-linux-gnu"),
        (EM_ARM, false) => Some("arm-linux-gnueabihf"),
        (EM_386, false) => Some("i386-linux-gnu"),
        _ => None,
    }
}

/// The directories that a loader knows without being told: Debian's, and everybody else's.
#[must_use]
pub fn default_directories(abi: Abi) -> Vec<PathBuf> {
    let own = multiarch(abi).into_iter();
    let own = own.flat_map(|name| {
        [
            Path::new("/lib").join(name),
            Path::new("/usr/lib").join(name),
        ]
    });
    let common: &[&str] = if abi.wide {
        &["/lib64", "/usr/lib64", "/lib", "/usr/lib"]
    } else {
        &["/lib", "/usr/lib"]
    };
    own.chain(common.iter().map(PathBuf::from)).collect()
}

fn is_default(path: &Path, abi: Abi) -> bool {
    let parent = path.parent();
    parent.is_some_and(|parent| default_directories(abi).iter().any(|known| known == parent))
}

/// Splits DT_RPATH or DT_RUNPATH of an object at `path` into directories.
fn run_path(lists: &[OsString], path: &Path, abi: Abi) -> Vec<PathBuf> {
    lists
        .iter()
        .flat_map(|list| list.as_bytes().split(|byte| *byte == b':'))
        .map(|entry| PathBuf::from(expand(OsStr::from_bytes(entry), path, abi)))
        // Relative ones, the empty one among them, mean the caller's directory: not of a jail's concern.
        .filter(|directory| directory.is_absolute())
        .collect()
}

/// Fills in $ORIGIN, $LIB and $PLATFORM for an object at `path`: ld.so(8).
fn expand(text: &OsStr, path: &Path, abi: Abi) -> OsString {
    let origin = path.parent().unwrap_or(Path::new("/"));
    let lib = multiarch(abi).map_or_else(
        || if abi.wide { "lib64" } else { "lib" }.to_owned(),
        |name| format!("lib/{name}"),
    );
    let tokens: [(&str, &[u8]); 3] = [
        ("ORIGIN", origin.as_os_str().as_bytes()),
        ("LIB", lib.as_bytes()),
        ("PLATFORM", b"x86_64"),
    ];
    let mut filled = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let token = tokens.iter().find_map(|(name, value)| {
            let bare = tail.strip_prefix(name.as_bytes());
            let braced = || {
                let inner = tail.strip_prefix(b"{")?;
                inner.strip_prefix(name.as_bytes())?.strip_prefix(b"}")
            };
            bare.or_else(braced).map(|after| (*value, after))
        });
        match token.filter(|_| *first == b'$') {
            Some((value, after)) => {
                filled.extend_from_slice(value);
                rest = after;
            }
            None => {
                filled.push(*first);
                rest = tail;
            }
        }
    }
    OsString::from_vec(filled)
}

/// Reads ld.so.cache: glibc's `dl-cache.h`. `None` for what is none.
fn parse_cache(bytes: &[u8]) -> Option<HashMap<OsString, Vec<Cached>>> {
    // Older versions of ldconfig put an older table before it.
    let start = bytes
        .windows(CACHE_MAGIC.len())
        .position(|window| window == CACHE_MAGIC)?;
    let bytes = bytes.get(start..)?;
    let count = usize::try_from(word32(bytes, 20)?).ok()?;
    let hwcaps = cache_hwcaps(bytes).unwrap_or_default();
    let end = count.checked_mul(CACHE_ENTRY)?.checked_add(CACHE_HEADER)?;
    let mut cache: HashMap<OsString, Vec<Cached>> = HashMap::new();
    for entry in bytes.get(CACHE_HEADER..end)?.chunks_exact(CACHE_ENTRY) {
        let wanted = u64::from_ne_bytes(array(entry, 16)?);
        let hwcaps = match wanted {
            0 => None,
            wanted if wanted & CACHE_HWCAPS != 0 => {
                let index = usize::try_from(wanted & 0xffff_ffff).ok()?;
                // One that can't be named fits no processor.
                Some(hwcaps.get(index).cloned().unwrap_or_default())
            }
            // The legacy bits.
            _ => Some(OsString::new()),
        };
        cache
            .entry(text(bytes, word32(entry, 4)?)?)
            .or_default()
            .push(Cached {
                flags: word32(entry, 0)?,
                hwcaps,
                path: text(bytes, word32(entry, 8)?)?.into(),
            });
    }
    Some(cache)
}

/// Reads the names of the hwcaps that entries of a cache refer to.
fn cache_hwcaps(bytes: &[u8]) -> Option<Vec<OsString>> {
    let extension = usize::try_from(word32(bytes, 32)?)
        .ok()
        .filter(|at| *at != 0)?;
    if word32(bytes, extension)? != CACHE_EXTENSION_MAGIC {
        return None;
    }
    let count = usize::try_from(word32(bytes, extension.checked_add(4)?)?).ok()?;
    let sections = bytes.get(extension.checked_add(8)?..)?;
    let section = sections
        .chunks_exact(16)
        .take(count)
        .find(|section| word32(section, 0) == Some(CACHE_EXTENSION_HWCAPS))?;
    let start = usize::try_from(word32(section, 8)?).ok()?;
    let end = start.checked_add(usize::try_from(word32(section, 12)?).ok()?)?;
    let names = bytes.get(start..end)?.chunks_exact(4);
    names.map(|name| text(bytes, word32(name, 0)?)).collect()
}

fn text(bytes: &[u8], offset: u32) -> Option<OsString> {
    let text = bytes.get(usize::try_from(offset).ok()?..)?;
    let end = text.iter().position(|byte| *byte == 0)?;
    Some(OsStr::from_bytes(text.get(..end)?).to_owned())
}

fn word32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(array(bytes, at)?))
}

fn array<const SIZE: usize>(bytes: &[u8], at: usize) -> Option<[u8; SIZE]> {
    bytes.get(at..at.checked_add(SIZE)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, path::Path};

    use super::{Abi, CACHE_MAGIC, Loader, elf, expand, parse_cache, run_path};

    const HERE: Abi = Abi {
        machine: elf::EM_X86_64,
        wide: true,
        little: true,
    };

    #[test]
    fn finds_the_libraries_of_a_program() {
        // Not of this very one, which may be where not everybody can read.
        let loads = Loader::of_host().loads(&std::fs::canonicalize("/bin/sh").unwrap());
        assert!(loads.missing.is_empty(), "{:?}", loads.missing);
        let libc = |path: &&std::path::PathBuf| path.ends_with("libc.so.6");
        assert_eq!(loads.libraries.iter().filter(libc).count(), 1);
    }

    #[test]
    fn fills_in_every_token_in_both_spellings() {
        let text = OsStr::new("$ORIGIN/../lib:${ORIGIN}:$LIB:/${PLATFORM}:$ORIGINAL:$X");
        assert_eq!(
            expand(text, Path::new("/opt/bin/tool"), HERE),
            "/opt/bin/../lib:/opt/bin:lib/x86_64-linux-gnu:/x86_64:/opt/binAL:$X"
        );
    }

    #[test]
    fn leaves_relative_directories_out() {
        let lists = ["lib::/a".into(), "$ORIGIN".into()];
        let directories = run_path(&lists, Path::new("/b/c"), HERE);
        assert_eq!(directories, [Path::new("/a"), Path::new("/b")]);
    }

    #[test]
    fn survives_a_cache_that_is_cut_off_anywhere() {
        let cache = std::fs::read("/etc/ld.so.cache").unwrap();
        assert!(
            parse_cache(&cache)
                .unwrap()
                .contains_key(OsStr::new("libc.so.6"))
        );
        for length in (0..cache.len()).step_by(997).chain(0..200) {
            drop(parse_cache(&cache[..length]));
        }
        drop(parse_cache(&[CACHE_MAGIC, &[0xff; 64]].concat()));
    }
}
