//! The fuzzer around `bodies/config.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../bodies/config.rs"]
mod config;

fuzz_target!(|bytes: &[u8]| config::take(bytes));
