//! The fuzzer around `bodies/sftp_line.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../bodies/sftp_line.rs"]
mod sftp_line;

fuzz_target!(|bytes: &[u8]| sftp_line::take(bytes));
