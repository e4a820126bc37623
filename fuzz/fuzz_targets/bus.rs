//! The fuzzer around `bodies/bus.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../bodies/bus.rs"]
mod bus;

fuzz_target!(|bytes: &[u8]| bus::take(bytes));
