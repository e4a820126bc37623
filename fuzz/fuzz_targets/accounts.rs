//! The fuzzer around `bodies/accounts.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../bodies/accounts.rs"]
mod accounts;

fuzz_target!(|bytes: &[u8]| accounts::take(bytes));
