//! What an ELF file says it needs to start: elf(5). Nothing of it is believed further than to look for a file.
//!
//! Both word sizes and byte orders are read, from the file itself and never by running it or a loader on it. All sizes are
//! bounded, so that a file made to harm its reader costs little; what is damaged gives an error and not half an answer.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    os::unix::{ffi::OsStrExt, ffi::OsStringExt, fs::FileExt},
    path::{Path, PathBuf},
};

const MAGIC: &[u8] = b"\x7fELF";
const WIDE: u8 = 2;
const NARROW: u8 = 1;
const LITTLE: u8 = 1;
const BIG: u8 = 2;

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;

const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_SONAME: u64 = 14;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;
const DT_FLAGS_1: u64 = 0x6fff_fffb;
const DF_1_NODEFLIB: u64 = 0x800;

/// Processors, as `e_machine` has them.
pub const EM_386: u16 = 3;
/// As above.
pub const EM_ARM: u16 = 40;
/// As above.
pub const EM_X86_64: u16 = 62;
/// As above.
pub const EM_AARCH64: u16 = 183;
/// As above.
pub const EM_RISCV: u16 = 243;

/// PATH_MAX, the longest string that can be a path or a library's name.
const LONGEST_STRING: usize = 4096;
const MOST_PROGRAM_HEADERS: u64 = 128;
/// What a dynamic section may have, in bytes; the largest of Debian's have some thousand.
const LARGEST_DYNAMIC: u64 = 256 * 1024;

/// What kind of processor and convention an object is for. A loader takes only its own kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Abi {
    /// `e_machine`.
    pub machine: u16,
    /// Whether it is of the 64-bit class.
    pub wide: bool,
    /// Whether the lowest byte of a number comes first.
    pub little: bool,
}

impl Abi {
    /// The kind that this program itself is of.
    pub const NATIVE: Abi = Abi {
        machine: if cfg!(target_arch = "x86_64") {
            EM_X86_64
        } else {
            EM_AARCH64
        },
        wide: true,
        little: cfg!(target_endian = "little"),
    };
}

/// The part of an ELF file that matters for starting it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The kind of processor it is for.
    pub abi: Abi,
    /// PT_INTERP.
    pub interpreter: Option<OsString>,
    /// DT_SONAME.
    pub soname: Option<OsString>,
    /// DT_NEEDED, in order.
    pub needed: Vec<OsString>,
    /// DT_RPATH, unexpanded. Empty where there is a DT_RUNPATH, which puts it out of force.
    pub rpath: Vec<OsString>,
    /// DT_RUNPATH, unexpanded; `None` where there is none, which is not the same as an empty one.
    pub runpath: Option<Vec<OsString>>,
    /// DF_1_NODEFLIB: the default directories are not for it.
    pub no_default_directories: bool,
}

/// Why a file with the magic of ELF could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged(pub &'static str);

impl Object {
    /// Gives DT_RPATH or DT_RUNPATH for an object at `path`, with $ORIGIN filled in: ld.so(8).
    pub(crate) fn search_path(&self, path: &Path) -> Vec<PathBuf> {
        let origin = path.parent().unwrap_or(Path::new("/")).as_os_str();
        self.rpath
            .iter()
            .chain(self.runpath.iter().flatten())
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

/// Splits a list of directories at its colons.
pub(crate) fn search_path(list: &OsStr) -> Vec<PathBuf> {
    list.as_bytes()
        .split(|byte| *byte == b':' || *byte == b';')
        .filter(|directory| directory.starts_with(b"/"))
        .map(|directory| PathBuf::from(OsStr::from_bytes(directory)))
        .collect()
}

/// Reads what a file needs that the kernel of this machine would run natively. Any other file gives nothing, a damaged one
/// too, and is left to execve(2).
pub(crate) fn read_native(file: &File) -> Option<Object> {
    let object = read_file(file).ok().flatten()?;
    (object.abi == Abi::NATIVE).then_some(object)
}

/// Reads what a file needs. `None` for what is no ELF file.
///
/// # Errors
/// It has the magic, and is damaged or of unlikely size.
pub fn read_file(file: &File) -> Result<Option<Object>, Damaged> {
    read(&|start, size| {
        let mut bytes = vec![0; size];
        let length = file.read_at(&mut bytes, start).ok()?;
        bytes.truncate(length);
        Some(bytes)
    })
}

/// Does what [`read_file`] does, of a file in memory.
///
/// # Errors
/// As [`read_file`].
pub fn read_bytes(file: &[u8]) -> Result<Option<Object>, Damaged> {
    read(&|start, size| {
        let rest = file.get(usize::try_from(start).ok()?..)?;
        Some(rest.get(..size).unwrap_or(rest).to_vec())
    })
}

/// Gives as much of a file as there is of so many bytes at an offset.
type Source<'a> = &'a dyn Fn(u64, usize) -> Option<Vec<u8>>;

fn exactly(source: Source<'_>, start: u64, size: u64) -> Option<Vec<u8>> {
    let size = usize::try_from(size).ok()?;
    source(start, size).filter(|bytes| bytes.len() == size)
}

/// How numbers stand in one file.
#[derive(Clone, Copy, Debug)]
struct Format {
    wide: bool,
    little: bool,
}

impl Format {
    fn of(ident: &[u8]) -> Option<Format> {
        let wide = match *ident.get(4)? {
            WIDE => true,
            NARROW => false,
            _ => return None,
        };
        let little = match *ident.get(5)? {
            LITTLE => true,
            BIG => false,
            _ => return None,
        };
        ident.starts_with(MAGIC).then_some(Format { wide, little })
    }

    /// Reads a number of `size` bytes.
    fn number(self, bytes: &[u8], at: usize, size: usize) -> Option<u64> {
        let bytes = bytes.get(at..at.checked_add(size)?)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.little {
            bytes.iter().rev().fold(0, add)
        } else {
            bytes.iter().fold(0, add)
        })
    }

    /// Picks what is right for the word size.
    fn pick<T>(self, wide: T, narrow: T) -> T {
        if self.wide { wide } else { narrow }
    }

    fn word(self) -> usize {
        self.pick(8, 4)
    }
}

/// A segment of the file, from its program header.
#[derive(Clone, Copy, Debug)]
struct Segment {
    kind: u64,
    offset: u64,
    address: u64,
    size: u64,
}

fn read(source: Source<'_>) -> Result<Option<Object>, Damaged> {
    let ident = source(0, 16).unwrap_or_default();
    let Some(format) = Format::of(&ident).filter(|_| ident.len() == 16) else {
        return Ok(None);
    };
    let header = exactly(source, 0, format.pick(64, 52)).ok_or(Damaged("its header is damaged"))?;
    let segments = segments(source, format, &header)?;
    let machine = format.number(&header, 18, 2).unwrap_or_default();
    let mut object = Object {
        abi: Abi {
            machine: u16::try_from(machine).unwrap_or_default(),
            wide: format.wide,
            little: format.little,
        },
        interpreter: None,
        soname: None,
        needed: Vec::new(),
        rpath: Vec::new(),
        runpath: None,
        no_default_directories: false,
    };
    if let Some(interpreter) = segments.iter().find(|it| it.kind == PT_INTERP) {
        object.interpreter = Some(string(source, Some(interpreter.offset))?);
    }
    if let Some(section) = segments.iter().find(|it| it.kind == PT_DYNAMIC) {
        read_dynamic(source, format, &segments, *section, &mut object)?;
    }
    Ok(Some(object))
}

fn segments(source: Source<'_>, format: Format, header: &[u8]) -> Result<Vec<Segment>, Damaged> {
    const DAMAGED: Damaged = Damaged("its program headers are damaged");
    let of_header = |wide, narrow, size| format.number(header, format.pick(wide, narrow), size);
    let table = of_header(32, 28, format.word()).ok_or(DAMAGED)?;
    let each = of_header(54, 42, 2).ok_or(DAMAGED)?;
    let count = of_header(56, 44, 2).ok_or(DAMAGED)?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let expected = format.pick(56, 32);
    if each != expected || count > MOST_PROGRAM_HEADERS {
        return Err(DAMAGED);
    }
    let headers = exactly(source, table, count * each).ok_or(DAMAGED)?;
    let read = |header: &[u8]| {
        let number = |wide, narrow| format.number(header, format.pick(wide, narrow), format.word());
        Some(Segment {
            kind: format.number(header, 0, 4)?,
            offset: number(8, 4)?,
            address: number(16, 8)?,
            size: number(32, 16)?,
        })
    };
    headers
        .chunks_exact(format.pick(56, 32))
        .map(|header| read(header).ok_or(DAMAGED))
        .collect()
}

/// Reads the dynamic section: what is needed, and where it is looked for.
fn read_dynamic(
    source: Source<'_>,
    format: Format,
    segments: &[Segment],
    section: Segment,
    object: &mut Object,
) -> Result<(), Damaged> {
    if section.size > LARGEST_DYNAMIC {
        return Err(Damaged("its dynamic section is of unlikely size"));
    }
    let bytes = exactly(source, section.offset, section.size)
        .ok_or(Damaged("its dynamic section is damaged"))?;
    let word = format.word();
    let entries: Vec<(u64, u64)> = bytes
        .chunks_exact(2 * word)
        .filter_map(|it| Some((format.number(it, 0, word)?, format.number(it, word, word)?)))
        .take_while(|(tag, _)| *tag != DT_NULL)
        .collect();
    let value = |wanted| {
        entries
            .iter()
            .find(|(tag, _)| *tag == wanted)
            .map(|it| it.1)
    };
    let flags = value(DT_FLAGS_1).unwrap_or_default();
    object.no_default_directories = flags & DF_1_NODEFLIB != 0;
    let is_string = |tag| [DT_SONAME, DT_NEEDED, DT_RPATH, DT_RUNPATH].contains(&tag);
    let strings: Vec<(u64, u64)> = entries
        .iter()
        .copied()
        .filter(|(tag, _)| is_string(*tag))
        .collect();
    if strings.is_empty() {
        return Ok(());
    }
    let address = value(DT_STRTAB).ok_or(Damaged("its dynamic section has no string table"))?;
    let table = segments
        .iter()
        .filter(|it| it.kind == PT_LOAD)
        .find_map(|it| {
            let inside = address.checked_sub(it.address)?;
            (inside < it.size).then(|| it.offset.checked_add(inside))?
        })
        .ok_or(Damaged("its string table is in no segment"))?;
    for (tag, offset) in strings {
        let text = string(source, table.checked_add(offset))?;
        match tag {
            DT_SONAME => object.soname = Some(text),
            DT_NEEDED => object.needed.push(text),
            DT_RPATH => object.rpath.push(text),
            _ => object.runpath.get_or_insert_default().push(text),
        }
    }
    if object.runpath.is_some() {
        object.rpath.clear();
    }
    Ok(())
}

/// Reads a NUL-terminated string.
fn string(source: Source<'_>, start: Option<u64>) -> Result<OsString, Damaged> {
    const DAMAGED: Damaged = Damaged("a string of it is out of range");
    let mut text = start
        .and_then(|start| source(start, LONGEST_STRING))
        .ok_or(DAMAGED)?;
    let end = text.iter().position(|byte| *byte == 0).ok_or(DAMAGED)?;
    text.truncate(end);
    Ok(OsString::from_vec(text))
}

#[cfg(test)]
mod tests;
