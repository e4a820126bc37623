//! The fuzzer around `bodies/words.rs`.

#![no_main]

use std::{path::Path, sync::Once};

use libfuzzer_sys::fuzz_target;

#[path = "../bodies/words.rs"]
mod words;

static ROOT: Once = Once::new();

fuzz_target!(|bytes: &[u8]| {
    let place = std::env::var("FUZZ_PLACE").unwrap();
    let root = Path::new(&place).join("words");
    ROOT.call_once(|| words::make_root(&root, Path::new("/bin/busybox")));
    words::take(bytes, &root);
});
