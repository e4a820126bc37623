//! The fuzzer around `bodies/elf.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../bodies/elf.rs"]
mod elf;

fuzz_target!(|bytes: &[u8]| elf::take(bytes));
