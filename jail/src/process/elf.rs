//! What an ELF file says it needs to start: elf(5). Nothing of it is believed further than to look for a file.
//!
//! Only what the kernel of this machine would run natively is read; any other file gives nothing, and is left to
//! execve(2). All sizes are bounded, so that a file made to harm its reader costs little.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    os::unix::{ffi::OsStrExt, fs::FileExt},
    path::{Path, PathBuf},
};

const IDENT: [u8; 6] = [
    0x7f,
    b'E',
    b'L',
    b'F',
    2,
    if cfg!(target_endian = "little") { 1 } else { 2 },
];
const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const DYNAMIC_ENTRY: usize = 16;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;

const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;

/// PATH_MAX, the longest string that can be a path or a library's name.
const LONGEST_STRING: usize = 4096;
const MOST_PROGRAM_HEADERS: usize = 128;
const LARGEST_DYNAMIC: usize = 64 * 1024;

/// The dynamic section's part that matters for starting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dynamic {
    /// PT_INTERP.
    pub(crate) interpreter: Option<OsString>,
    /// DT_NEEDED, in order.
    pub(crate) needed: Vec<OsString>,
    /// DT_RPATH and DT_RUNPATH, unexpanded.
    run_paths: Vec<OsString>,
}

impl Dynamic {
    /// Gives DT_RPATH and DT_RUNPATH for an object at `path`, with $ORIGIN filled in: ld.so(8).
    pub(crate) fn search_path(&self, path: &Path) -> Vec<PathBuf> {
        let origin = path.parent().unwrap_or(Path::new("/")).as_os_str();
        self.run_paths
            .iter()
            .flat_map(|list| search_path(&fill_origin(list, origin)))
            .collect()
    }
}

fn fill_origin(list: &OsStr, origin: &OsStr) -> OsString {
    let mut filled = Vec::new();
    let mut rest = list.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let after = rest
            .strip_prefix(b"$ORIGIN")
            .or_else(|| rest.strip_prefix(b"${ORIGIN}"));
        if let Some(after) = after {
            filled.extend_from_slice(origin.as_bytes());
            rest = after;
        } else {
            filled.push(*first);
            rest = tail;
        }
    }
    OsString::from(OsStr::from_bytes(&filled))
}

/// A segment of the file, from its program header.
#[derive(Clone, Copy, Debug)]
struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    size: u64,
}

/// Reads what `file` needs. `None` for what is no native ELF file, or a damaged one.
pub(crate) fn read(file: &File) -> Option<Dynamic> {
    let segments = segments(file)?;
    let mut dynamic = Dynamic::default();
    if let Some(interpreter) = segments.iter().find(|segment| segment.kind == PT_INTERP) {
        dynamic.interpreter = string(file, interpreter.offset);
    }
    let Some(section) = segments.iter().find(|segment| segment.kind == PT_DYNAMIC) else {
        return Some(dynamic);
    };
    let size = usize::try_from(section.size).ok()?.min(LARGEST_DYNAMIC);
    let table = bytes(file, section.offset, size)?;
    let entries: Vec<(u64, u64)> = table
        .chunks_exact(DYNAMIC_ENTRY)
        .filter_map(|entry| Some((word64(entry, 0)?, word64(entry, 8)?)))
        .take_while(|(tag, _)| *tag != DT_NULL)
        .collect();
    let address = entries.iter().find(|(tag, _)| *tag == DT_STRTAB)?.1;
    let strings = segments
        .iter()
        .filter(|segment| segment.kind == PT_LOAD && segment.address <= address)
        .find(|segment| address - segment.address < segment.size)
        .and_then(|segment| segment.offset.checked_add(address - segment.address))?;
    for (tag, value) in entries {
        let list = match tag {
            DT_NEEDED => &mut dynamic.needed,
            DT_RPATH | DT_RUNPATH => &mut dynamic.run_paths,
            _ => continue,
        };
        list.push(string(file, strings.checked_add(value)?)?);
    }
    Some(dynamic)
}

fn segments(file: &File) -> Option<Vec<Segment>> {
    let header = bytes(file, 0, HEADER)?;
    if !header.starts_with(&IDENT) {
        return None;
    }
    let table = word64(&header, 32)?;
    let count = usize::from(u16::from_ne_bytes(array(&header, 56)?)).min(MOST_PROGRAM_HEADERS);
    let entry_size = u16::from_ne_bytes(array(&header, 54)?);
    if usize::from(entry_size) != PROGRAM_HEADER {
        return None;
    }
    let headers = bytes(file, table, count * PROGRAM_HEADER)?;
    headers
        .chunks_exact(PROGRAM_HEADER)
        .map(|header| {
            Some(Segment {
                kind: u32::from_ne_bytes(array(header, 0)?),
                offset: word64(header, 8)?,
                address: word64(header, 16)?,
                size: word64(header, 32)?,
            })
        })
        .collect()
}

/// Reads a NUL-terminated string.
fn string(file: &File, offset: u64) -> Option<OsString> {
    let mut text = [0_u8; LONGEST_STRING];
    let length = file.read_at(&mut text, offset).ok()?;
    let end = text.get(..length)?.iter().position(|byte| *byte == 0)?;
    Some(OsStr::from_bytes(text.get(..end)?).to_owned())
}

fn bytes(file: &File, offset: u64, size: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; size];
    file.read_exact_at(&mut bytes, offset).ok()?;
    Some(bytes)
}

fn word64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(array(bytes, at)?))
}

fn array<const SIZE: usize>(bytes: &[u8], at: usize) -> Option<[u8; SIZE]> {
    bytes.get(at..at.checked_add(SIZE)?)?.try_into().ok()
}

/// Splits a list of directories at its colons.
pub(crate) fn search_path(list: &OsStr) -> Vec<PathBuf> {
    list.as_bytes()
        .split(|byte| *byte == b':' || *byte == b';')
        .filter(|directory| directory.starts_with(b"/"))
        .map(|directory| PathBuf::from(OsStr::from_bytes(directory)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, fs::File, path::Path};

    use super::{fill_origin, read};

    #[test]
    fn reads_what_this_very_program_needs() {
        let own = File::open(std::env::current_exe().unwrap()).unwrap();
        let dynamic = read(&own).unwrap();
        assert!(Path::new(&dynamic.interpreter.unwrap()).exists());
        assert!(
            dynamic.needed.iter().any(|name| name == "libc.so.6"),
            "{:?}",
            dynamic.needed
        );
    }

    #[test]
    fn fills_origin_in_both_spellings() {
        let filled = fill_origin(
            OsStr::new("$ORIGIN/../lib:${ORIGIN}:/x"),
            OsStr::new("/opt/bin"),
        );
        assert_eq!(filled, "/opt/bin/../lib:/opt/bin:/x");
    }

    #[test]
    fn gives_nothing_for_what_is_no_elf_file() {
        assert_eq!(read(&File::open("/etc/passwd").unwrap()), None);
    }
}
