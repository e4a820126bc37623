//! The fuzzer around `bodies/archive.rs`, which writes below the directory that FUZZ_PLACE names.

#![no_main]

use std::{env, path::Path};

use libfuzzer_sys::fuzz_target;

#[path = "../bodies/archive.rs"]
mod archive;

fuzz_target!(|bytes: &[u8]| {
    if let Some(place) = env::var_os("FUZZ_PLACE") {
        archive::take(bytes, Path::new(&place));
    }
});
