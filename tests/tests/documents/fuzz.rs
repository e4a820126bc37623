//! The fuzz targets, for a short time: all inputs that were kept, and some thousands made of them by chance. What
//! cargo-fuzz does for hours (`make fuzz`), with the same bodies.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::indexing_slicing,
    unsafe_code,
    missing_docs,
    reason = "a test reports by panicking, and glibc is asked through its own functions"
)]

use std::{
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use login_jail_tests::skipped;

#[path = "../../../fuzz/bodies/accounts.rs"]
mod accounts;
#[path = "../../../fuzz/bodies/archive.rs"]
mod archive;
#[path = "../../../fuzz/bodies/bus.rs"]
mod bus;
#[path = "../../../fuzz/bodies/config.rs"]
mod config;
#[path = "../../../fuzz/bodies/elf.rs"]
mod elf;
#[path = "../../../fuzz/bodies/sftp_line.rs"]
mod sftp_line;
#[path = "../../../fuzz/bodies/shebang.rs"]
mod shebang;
#[path = "../../../fuzz/bodies/words.rs"]
mod words;

const TARGETS: [&str; 8] = [
    "accounts",
    "archive",
    "bus",
    "config",
    "elf",
    "sftp_line",
    "shebang",
    "words",
];

/// How long inputs are made up for each target.
const SHORT: Duration = Duration::from_secs(3);

/// How long cargo-fuzz runs each target in `make test-long`, in seconds.
const LONG: &str = "120";

/// The longest input that is made up, in bytes.
const LONGEST: usize = 64 * 1024;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = fs::read_dir(directory().join("corpus").join(target))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Numbers that look like chance and are the same each time: xorshift64* of Marsaglia and Vigna.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        usize::try_from(number).unwrap() % limit.max(1)
    }

    /// Changes an input a little: bits, bytes that mean something, pieces taken out, doubled or taken from another.
    fn change(&mut self, input: &[u8], other: &[u8]) -> Vec<u8> {
        const MEANT: &[u8] = b"\0\n\x0b :,+-#/.0\xff\x7f";
        let mut bytes = input.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = at + self.below(bytes.len() - at.min(bytes.len()) + 1);
            match self.below(6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 if at < bytes.len() => bytes[at] = MEANT[self.below(MEANT.len())],
                2 => bytes.insert(at, MEANT[self.below(MEANT.len())]),
                3 => drop(bytes.drain(at..end)),
                4 => {
                    let piece = bytes[at..end].to_vec();
                    bytes.splice(at..at, piece);
                }
                _ => {
                    let from = self.below(other.len() + 1);
                    let to = from + self.below(other.len() - from + 1);
                    bytes.splice(at..end, other[from..to].iter().copied());
                }
            }
        }
        bytes.truncate(LONGEST);
        bytes
    }
}

/// Gives a target the inputs that were kept, then others, and shows the one that it fails with.
fn run(target: &str, take: impl Fn(&[u8])) {
    let inputs = corpus(target);
    assert!(inputs.len() > 2, "{target} has no corpus");
    let attempt = |input: &[u8]| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| take(input))) {
            eprintln!("{target} fails with: {}", input.escape_ascii());
            std::panic::resume_unwind(panic);
        }
    };
    inputs.iter().for_each(|input| attempt(input));
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let started = Instant::now();
    let mut made = 0;
    while started.elapsed() < SHORT {
        let (one, other) = (chance.below(inputs.len()), chance.below(inputs.len()));
        attempt(&chance.change(&inputs[one], &inputs[other]));
        made += 1;
    }
    assert!(made > 100, "only {made} inputs of {target}");
}

#[test]
fn a_jails_accounts_are_read_as_glibc_reads_them() {
    run("accounts", accounts::take);
}

#[test]
fn no_archive_writes_beside_its_root() {
    let place = env::temp_dir().join(format!("login-jail-fuzz-{}", std::process::id()));
    fs::create_dir(&place).unwrap();
    run("archive", |bytes| archive::take(bytes, &place));
    fs::remove_dir_all(&place).unwrap();
}

#[test]
fn no_bytes_of_the_system_bus_are_a_message_of_more_than_they_hold() {
    run("bus", bus::take);
}

#[test]
fn every_config_is_a_policy_or_faults_that_can_be_shown() {
    run("config", config::take);
}

#[test]
fn no_bytes_are_an_elf_file_of_more_than_they_hold() {
    run("elf", elf::take);
}

#[test]
fn no_line_of_the_sftp_server_says_more_than_it_has() {
    run("sftp_line", sftp_line::take);
}

#[test]
fn no_bytes_are_a_script_of_another_interpreter_than_they_name() {
    run("shebang", shebang::take);
}

#[test]
fn no_line_is_split_otherwise_than_by_a_shell() {
    let root = env::temp_dir().join(format!("login-jail-words-{}", std::process::id()));
    words::make_root(&root, Path::new("/bin/busybox"));
    run("words", |bytes| words::take(bytes, &root));
    fs::remove_dir_all(&root).unwrap();
}

#[test]
fn every_target_of_the_fuzzer_is_among_these() {
    let mut targets: Vec<String> = fs::read_dir(directory().join("fuzz_targets"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    targets.sort();
    assert_eq!(targets, TARGETS);
}

#[test]
#[ignore = "long: make test-long"]
fn the_fuzzer_finds_nothing_in_minutes() {
    let tool = Command::new("cargo")
        .args(["+nightly", "fuzz", "--version"])
        .output();
    if !tool.is_ok_and(|tool| tool.status.success()) {
        skipped(
            "the fuzzer for some minutes",
            "cargo-fuzz or a nightly toolchain is not installed",
        );
        return;
    }
    for target in TARGETS {
        let status = Command::new(directory().join("run"))
            .args([target, LONG])
            .status();
        assert!(status.unwrap().success(), "{target}");
    }
}
