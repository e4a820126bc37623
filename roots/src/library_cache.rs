//! ld.so.cache: where the host's libraries are, by name, as ldconfig(8) has written it.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs::File,
    io::Read,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use jail::process::elf::{Abi, EM_386, EM_AARCH64, EM_ARM, EM_X86_64};

use crate::library_directories::hwcaps;

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

/// Libraries by name: what each is for, which hwcaps it wants, and where it is.
#[derive(Debug, Default)]
pub(crate) struct LibraryCache(HashMap<OsString, Vec<Cached>>);

#[derive(Debug)]
struct Cached {
    flags: u32,
    hwcaps: Option<OsString>,
    path: PathBuf,
}

impl LibraryCache {
    /// Reads the host's. Without one, or with a damaged one, there is nothing in it.
    pub(crate) fn of_host() -> LibraryCache {
        let mut bytes = Vec::new();
        let read = File::open("/etc/ld.so.cache")
            .and_then(|file| file.take(LARGEST_CACHE).read_to_end(&mut bytes));
        let parsed = read.ok().and_then(|_| parse(&bytes));
        LibraryCache(parsed.unwrap_or_default())
    }

    /// Says where a library of this name and kind is, the best for this processor.
    pub(crate) fn find(&self, name: &OsStr, abi: Abi) -> Option<&Path> {
        let flags = flags(abi)?;
        let entries = self.0.get(name)?;
        let fitting = || entries.iter().filter(|entry| entry.flags == flags);
        let better = hwcaps(abi).iter().find_map(|level| {
            fitting().find(|entry| entry.hwcaps.as_deref() == Some(OsStr::new(level)))
        });
        let found = better.or_else(|| fitting().find(|entry| entry.hwcaps.is_none()))?;
        Some(&found.path)
    }
}

/// What ldconfig marks libraries of this kind with: glibc's `cache.h`. `None` for kinds that aren't known here, which
/// then have the default directories only.
fn flags(abi: Abi) -> Option<u32> {
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

/// Reads ld.so.cache: glibc's `dl-cache.h`. `None` for what is none.
fn parse(bytes: &[u8]) -> Option<HashMap<OsString, Vec<Cached>>> {
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
    use std::ffi::OsStr;

    use super::{CACHE_MAGIC, parse};

    #[test]
    fn survives_a_cache_that_is_cut_off_anywhere() {
        let cache = std::fs::read("/etc/ld.so.cache").unwrap();
        assert!(parse(&cache).unwrap().contains_key(OsStr::new("libc.so.6")));
        for length in (0..cache.len()).step_by(997).chain(0..200) {
            drop(parse(&cache[..length]));
        }
        drop(parse(&[CACHE_MAGIC, &[0xff; 64]].concat()));
    }
}
