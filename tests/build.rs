//! Compiles the probes: small static C programs that misbehave on purpose, or tell what they see from inside.
#![allow(
    clippy::print_stdout,
    reason = "cargo takes its instructions from standard output"
)]

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn main() -> Result<(), Box<dyn Error>> {
    let sources = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("probes");
    let target = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed={}", sources.display());
    println!("cargo:rustc-env=PROBES={}", target.display());
    for entry in fs::read_dir(&sources)? {
        let source = entry?.path();
        println!("cargo:rerun-if-changed={}", source.display());
        if source.extension().is_some_and(|extension| extension == "c") {
            let name = source.file_stem().ok_or("a probe without a name")?;
            // What others load, or what loads others, can't be static.
            match name.to_str() {
                Some("nss_dead") => {
                    let library = target.join("libnss_dead.so.2");
                    compile(&source, &library, &["-shared", "-fPIC"], &[])?;
                    continue;
                }
                Some("cycles" | "edge") => {
                    compile(
                        &source,
                        &target.join(name),
                        &[],
                        &["-lpam", "-ldl", "-pthread"],
                    )?;
                    continue;
                }
                _ => {}
            }
            // Without position independence: inject knows the calls of probes by their address.
            compile(&source, &target.join(name), &["-static", "-no-pie"], &[])?;
        }
    }
    compile(
        &sources.join("floor.c"),
        &target.join("floor-dynamic"),
        &[],
        &[],
    )
}

fn compile(
    source: &Path,
    program: &Path,
    flags: &[&str],
    libraries: &[&str],
) -> Result<(), Box<dyn Error>> {
    let status = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-O2", "-Wall", "-Wextra"])
        .args(flags)
        .arg("-o")
        .args([program, source])
        .args(libraries)
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("cc {}: {status}", source.display()).into())
    }
}
