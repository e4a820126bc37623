//! Any bytes as an ELF file: no panic, no answer that is longer than the file allows, and the same answer twice.

/// Takes one input.
pub(crate) fn take(bytes: &[u8]) {
    let read = jail::process::elf::read_bytes(bytes);
    assert_eq!(read, jail::process::elf::read_bytes(bytes));
    if let Ok(Some(object)) = read {
        // Each takes at least one entry of 8 bytes.
        let names = object.needed.len() + object.rpath.len();
        assert!(names <= bytes.len() / 8);
        for name in object.needed.iter().chain(&object.interpreter) {
            assert!(name.len() < 4096);
        }
    }
}
