//! The fuzzer around `bodies/shebang.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../bodies/shebang.rs"]
mod shebang;

fuzz_target!(|bytes: &[u8]| shebang::take(bytes));
