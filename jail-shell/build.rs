//! Links the unwinder of GCC into the program, where there is one to link.
//!
//! Otherwise the program loads libgcc_s.so.1 at each start, only to be able to unwind, which it never does: a tenth of a
//! whole login. Without the archive it is built as usual.

#![allow(clippy::print_stdout, reason = "this is how a build script speaks")]

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let found = Command::new(compiler)
        .arg("-print-file-name=libgcc_eh.a")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok());
    // A compiler that has none prints the bare name.
    let directory = found
        .as_deref()
        .and_then(|path| Path::new(path.trim()).parent());
    if let Some(directory) = directory.filter(|directory| directory.is_absolute()) {
        println!("cargo::rustc-link-search=native={}", directory.display());
        println!("cargo::rustc-link-lib=static=gcc_eh");
    }
}
