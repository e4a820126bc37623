//! What an ELF file says it needs to start: elf(5).
//!
//! Read from the file itself and never by running it or a loader on it. All sizes are bounded, so that a file made to
//! harm its reader costs little; what is damaged gives an error and not half an answer.

use std::{ffi::OsString, fs::File, os::unix::ffi::OsStringExt};

use object::{
    Endianness, FileKind, ReadCache, ReadRef, elf,
    read::elf::{Dyn, FileHeader, ProgramHeader},
};

/// PATH_MAX, the longest string that can be a path or a library's name.
const LONGEST_STRING: u64 = 4096;
/// What a dynamic section may have, in bytes; the largest of Debian's have some thousand.
const LARGEST_DYNAMIC: u64 = 256 * 1024;

/// What kind of processor and convention an object is for. A loader takes only its own kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Abi {
    /// `e_machine`.
    pub machine: u16,
    /// Whether it is of the 64-bit class.
    pub wide: bool,
}

impl Abi {
    /// The kind that this program itself is of.
    pub const NATIVE: Abi = Abi {
        machine: if cfg!(target_arch = "x86_64") {
            elf::EM_X86_64
        } else if cfg!(target_arch = "aarch64") {
            elf::EM_AARCH64
        } else if cfg!(target_arch = "riscv64") {
            elf::EM_RISCV
        } else {
            elf::EM_NONE
        },
        wide: cfg!(target_pointer_width = "64"),
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

/// Reads what a file needs. `None` for what is no ELF file.
///
/// # Errors
/// It has the magic, and is damaged or of unlikely size.
pub fn read_file(file: &File) -> Result<Option<Object>, Damaged> {
    read(&ReadCache::new(file))
}

/// Does what [`read_file`] does, from anywhere.
///
/// # Errors
/// As [`read_file`].
pub fn read<'data>(data: impl ReadRef<'data>) -> Result<Option<Object>, Damaged> {
    match FileKind::parse(data) {
        Ok(FileKind::Elf32) => {
            read_class::<elf::FileHeader32<Endianness>, _>(data, false).map(Some)
        }
        Ok(FileKind::Elf64) => read_class::<elf::FileHeader64<Endianness>, _>(data, true).map(Some),
        _ => Ok(None),
    }
}

/// One part of the dynamic section that is a string: its tag and where it is in the string table.
type Entry = (u32, u64);

fn read_class<'data, Header, Data>(data: Data, wide: bool) -> Result<Object, Damaged>
where
    Header: FileHeader<Endian = Endianness>,
    Data: ReadRef<'data>,
{
    let header = Header::parse(data).map_err(|_| Damaged("its header is damaged"))?;
    let endian = header
        .endian()
        .map_err(|_| Damaged("its byte order is unknown"))?;
    let segments = header
        .program_headers(endian, data)
        .map_err(|_| Damaged("its program headers are damaged"))?;
    let mut object = Object {
        abi: Abi {
            machine: header.e_machine(endian),
            wide,
        },
        interpreter: None,
        soname: None,
        needed: Vec::new(),
        rpath: Vec::new(),
        runpath: None,
        no_default_directories: false,
    };
    for segment in segments {
        if segment.p_type(endian) == elf::PT_INTERP {
            let start = segment.p_offset(endian).into();
            object.interpreter = Some(string(data, start)?);
        }
    }
    let dynamic = segments
        .iter()
        .find(|segment| segment.p_type(endian) == elf::PT_DYNAMIC);
    let Some(dynamic) = dynamic else {
        return Ok(object);
    };
    if dynamic.p_filesz(endian).into() > LARGEST_DYNAMIC {
        return Err(Damaged("its dynamic section is of unlikely size"));
    }
    let dynamic = dynamic
        .dynamic(endian, data)
        .map_err(|_| Damaged("its dynamic section is damaged"))?
        .unwrap_or_default();
    let (entries, table) = collect(dynamic, endian, &mut object);
    if entries.is_empty() {
        return Ok(object);
    }
    let table = table.ok_or(Damaged("its dynamic section has no string table"))?;
    let table = segments
        .iter()
        .filter(|segment| segment.p_type(endian) == elf::PT_LOAD)
        .find_map(|segment| {
            let inside = table.checked_sub(segment.p_vaddr(endian).into())?;
            let there = inside < segment.p_filesz(endian).into();
            there.then(|| segment.p_offset(endian).into().checked_add(inside))?
        })
        .ok_or(Damaged("its string table is in no segment"))?;
    for (tag, offset) in entries {
        let start = table.checked_add(offset);
        let text = string(
            data,
            start.ok_or(Damaged("a string of it is out of range"))?,
        )?;
        match tag {
            elf::DT_SONAME => object.soname = Some(text),
            elf::DT_NEEDED => object.needed.push(text),
            elf::DT_RPATH => object.rpath.push(text),
            _ => object.runpath.get_or_insert_default().push(text),
        }
    }
    if object.runpath.is_some() {
        object.rpath.clear();
    }
    Ok(object)
}

/// Picks what matters from a dynamic section, and the address of its string table.
fn collect<Entries: Dyn<Endian = Endianness>>(
    dynamic: &[Entries],
    endian: Endianness,
    object: &mut Object,
) -> (Vec<Entry>, Option<u64>) {
    let mut entries = Vec::new();
    let mut table = None;
    for entry in dynamic {
        let value = entry.d_val(endian).into();
        let Some(tag) = entry.tag32(endian) else {
            continue;
        };
        match tag {
            elf::DT_NULL => break,
            elf::DT_STRTAB => table = Some(value),
            elf::DT_FLAGS_1 => {
                object.no_default_directories = value & u64::from(elf::DF_1_NODEFLIB) != 0;
            }
            elf::DT_SONAME | elf::DT_NEEDED | elf::DT_RPATH | elf::DT_RUNPATH => {
                entries.push((tag, value));
            }
            _ => {}
        }
    }
    (entries, table)
}

/// Reads a NUL-terminated string.
fn string<'data>(data: impl ReadRef<'data>, start: u64) -> Result<OsString, Damaged> {
    const DAMAGED: Damaged = Damaged("a string of it is out of range");
    let length = data.len().map_err(|()| DAMAGED)?;
    let end = start.saturating_add(LONGEST_STRING).min(length);
    if start >= end {
        return Err(DAMAGED);
    }
    let text = data.read_bytes_at_until(start..end, 0);
    text.map(|text| OsString::from_vec(text.to_vec()))
        .map_err(|()| DAMAGED)
}

#[cfg(test)]
mod tests {
    use std::{fs, fs::File, path::Path};

    use super::{Damaged, read, read_file};

    #[test]
    fn reads_what_this_very_program_needs() {
        let own = File::open(std::env::current_exe().unwrap()).unwrap();
        let object = read_file(&own).unwrap().unwrap();
        assert!(Path::new(&object.interpreter.unwrap()).exists());
        assert!(object.needed.iter().any(|name| name == "libc.so.6"));
        assert_eq!(object.abi.wide, cfg!(target_pointer_width = "64"));
    }

    #[test]
    fn gives_nothing_for_what_is_no_elf_file() {
        assert_eq!(
            read_file(&File::open("/etc/passwd").unwrap()).unwrap(),
            None
        );
        assert_eq!(read(&b""[..]).unwrap(), None);
    }

    #[test]
    fn says_that_a_cut_off_file_is_damaged() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(
            read(&own[..100]),
            Err(Damaged("its program headers are damaged"))
        );
    }
}
