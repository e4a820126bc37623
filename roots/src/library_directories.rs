//! The directories that a dynamic loader looks into for libraries: those that it knows, and those that an object names.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use jail::process::elf::{Abi, EM_386, EM_AARCH64, EM_ARM, EM_RISCV, EM_X86_64};

/// The subdirectories of glibc-hwcaps that this processor can use, best first: ld.so(8).
pub(crate) fn hwcaps(abi: Abi) -> &'static [&'static str] {
    if abi.machine != EM_X86_64 || !abi.wide {
        return &[];
    }
    match x86_64_level() {
        4 => &["x86-64-v4", "x86-64-v3", "x86-64-v2"],
        3 => &["x86-64-v3", "x86-64-v2"],
        2 => &["x86-64-v2"],
        _ => &[],
    }
}

/// The level of the x86-64 psABI that this processor has.
#[cfg(target_arch = "x86_64")]
fn x86_64_level() -> u8 {
    let second = is_x86_feature_detected!("sse3")
        && is_x86_feature_detected!("ssse3")
        && is_x86_feature_detected!("sse4.1")
        && is_x86_feature_detected!("sse4.2")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("cmpxchg16b");
    let third = second
        && is_x86_feature_detected!("avx")
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("f16c")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("movbe");
    let fourth = third
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512cd")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    1 + u8::from(second) + u8::from(third) + u8::from(fourth)
}

/// A processor of another kind has no level.
#[cfg(not(target_arch = "x86_64"))]
fn x86_64_level() -> u8 {
    0
}

/// Debian's name for a kind of processor and convention.
fn multiarch(abi: Abi) -> Option<&'static str> {
    match (abi.machine, abi.wide) {
        (EM_X86_64, true) => Some("x86_64-linux-gnu"),
        (EM_X86_64, false) => Some("x86_64-linux-gnux32"),
        (EM_AARCH64, true) => Some("aarch64-linux-gnu"),
        (EM_RISCV, true) => Some("riscv64-linux-gnu"),
        (EM_ARM, false) => Some("arm-linux-gnueabihf"),
        (EM_386, false) => Some("i386-linux-gnu"),
        _ => None,
    }
}

/// The directories that a loader knows without being told: Debian's, and everybody else's.
#[must_use]
pub(crate) fn default_directories(abi: Abi) -> Vec<PathBuf> {
    let own = multiarch(abi).into_iter();
    let own = own.flat_map(|name| {
        [
            Path::new("/lib").join(name),
            Path::new("/usr/lib").join(name),
        ]
    });
    let common: &[&str] = if abi.wide {
        &["/lib64", "/usr/lib64", "/lib", "/usr/lib"]
    } else {
        &["/lib", "/usr/lib"]
    };
    own.chain(common.iter().map(PathBuf::from)).collect()
}

pub(crate) fn is_default(path: &Path, abi: Abi) -> bool {
    let parent = path.parent();
    parent.is_some_and(|parent| default_directories(abi).iter().any(|known| known == parent))
}

/// Splits DT_RPATH or DT_RUNPATH of an object at `path` into directories.
pub(crate) fn run_path(lists: &[OsString], path: &Path, abi: Abi) -> Vec<PathBuf> {
    lists
        .iter()
        .flat_map(|list| list.as_bytes().split(|byte| *byte == b':'))
        .map(|entry| PathBuf::from(expand(OsStr::from_bytes(entry), path, abi)))
        // Relative ones, the empty one among them, mean the caller's directory: not of a jail's concern.
        .filter(|directory| directory.is_absolute())
        .collect()
}

/// Fills in $ORIGIN, $LIB and $PLATFORM for an object at `path`: ld.so(8).
pub(crate) fn expand(text: &OsStr, path: &Path, abi: Abi) -> OsString {
    let origin = path.parent().unwrap_or(Path::new("/"));
    let lib = multiarch(abi).map_or_else(
        || if abi.wide { "lib64" } else { "lib" }.to_owned(),
        |name| format!("lib/{name}"),
    );
    let tokens: [(&str, &[u8]); 3] = [
        ("ORIGIN", origin.as_os_str().as_bytes()),
        ("LIB", lib.as_bytes()),
        ("PLATFORM", b"x86_64"),
    ];
    let mut filled = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let token = tokens.iter().find_map(|(name, value)| {
            let bare = tail.strip_prefix(name.as_bytes());
            let braced = || {
                let inner = tail.strip_prefix(b"{")?;
                inner.strip_prefix(name.as_bytes())?.strip_prefix(b"}")
            };
            bare.or_else(braced).map(|after| (*value, after))
        });
        match token.filter(|_| *first == b'$') {
            Some((value, after)) => {
                filled.extend_from_slice(value);
                rest = after;
            }
            None => {
                filled.push(*first);
                rest = tail;
            }
        }
    }
    OsString::from_vec(filled)
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, path::Path};

    use super::{Abi, EM_X86_64, expand, run_path};

    const HERE: Abi = Abi {
        machine: EM_X86_64,
        wide: true,
        little: true,
    };

    #[test]
    fn fills_in_every_token_in_both_spellings() {
        let text = OsStr::new("$ORIGIN/../lib:${ORIGIN}:$LIB:/${PLATFORM}:$ORIGINAL:$X");
        assert_eq!(
            expand(text, Path::new("/opt/bin/tool"), HERE),
            "/opt/bin/../lib:/opt/bin:lib/x86_64-linux-gnu:/x86_64:/opt/binAL:$X"
        );
    }

    #[test]
    fn leaves_relative_directories_out() {
        let lists = ["lib::/a".into(), "$ORIGIN".into()];
        let directories = run_path(&lists, Path::new("/b/c"), HERE);
        assert_eq!(directories, [Path::new("/a"), Path::new("/b")]);
    }
}
