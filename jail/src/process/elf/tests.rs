use std::{ffi::OsStr, fs, fs::File, path::Path};

use super::{Abi, Damaged, EM_386, fill_origin, read_bytes, read_file, read_native};

#[test]
fn reads_what_this_very_program_needs() {
    let own = File::open(std::env::current_exe().unwrap()).unwrap();
    let object = read_native(&own).unwrap();
    assert!(Path::new(&object.interpreter.unwrap()).exists());
    let needed = object.needed;
    assert!(needed.iter().any(|name| name == "libc.so.6"), "{needed:?}");
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
    assert_eq!(read_file(&File::open("/etc/passwd").unwrap()), Ok(None));
    assert_eq!(read_bytes(b""), Ok(None));
    assert_eq!(read_bytes(b"\x7fELF"), Ok(None));
}

#[test]
fn says_that_a_cut_off_file_is_damaged() {
    let own = fs::read(std::env::current_exe().unwrap()).unwrap();
    let damaged = |length: usize| read_bytes(&own[..length]).unwrap_err();
    assert_eq!(damaged(40), Damaged("its header is damaged"));
    assert_eq!(damaged(100), Damaged("its program headers are damaged"));
}

/// A file of 32 bits with an interpreter and one library, in either byte order.
fn narrow(little: bool) -> Vec<u8> {
    let mut file = Vec::new();
    let half = |file: &mut Vec<u8>, number: u16| {
        file.extend(if little {
            number.to_le_bytes()
        } else {
            number.to_be_bytes()
        });
    };
    let word = |file: &mut Vec<u8>, number: u32| {
        file.extend(if little {
            number.to_le_bytes()
        } else {
            number.to_be_bytes()
        });
    };
    file.extend(b"\x7fELF\x01");
    file.push(if little { 1 } else { 2 });
    file.resize(16, 0);
    half(&mut file, 2);
    half(&mut file, EM_386);
    for number in [1, 0, 52, 0, 0] {
        word(&mut file, number);
    }
    for number in [52, 32, 3, 0, 0, 0] {
        half(&mut file, number);
    }
    // Offset, address and size of what is loaded, of the dynamic section, of the interpreter.
    for (kind, offset, address, size) in [
        (1, 0, 0x1000, 256),
        (2, 148, 0x1094, 24),
        (3, 172, 0x10ac, 6),
    ] {
        for number in [kind, offset, address, address, size, size, 4, 4] {
            word(&mut file, number);
        }
    }
    assert_eq!(file.len(), 148);
    for number in [5, 0x10ac, 1, 7, 0, 0] {
        word(&mut file, number);
    }
    file.extend(b"/ld.so\0libx.so\0");
    file
}

#[test]
fn reads_the_other_word_size_and_both_byte_orders() {
    for little in [true, false] {
        let object = read_bytes(&narrow(little)).unwrap().unwrap();
        let abi = Abi {
            machine: EM_386,
            wide: false,
            little,
        };
        assert_eq!(object.abi, abi);
        assert_eq!(object.interpreter.unwrap(), "/ld.so");
        assert_eq!(object.needed, ["libx.so"]);
    }
}
