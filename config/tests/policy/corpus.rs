//! The seeds of the fuzzer, without the fuzzer.

use std::fs;
use std::path::{Path, PathBuf};

use jail_config::Policy;

fn seeds() -> std::io::Result<Vec<PathBuf>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/config");
    let entries = fs::read_dir(corpus)?.map(|entry| Ok(entry?.path()));
    let mut seeds = entries.collect::<std::io::Result<Vec<PathBuf>>>()?;
    // The fuzzer adds files with other names, thousands of them.
    seeds.retain(|seed| seed.extension().is_some_and(|ext| ext == "toml"));
    Ok(seeds)
}

#[test]
fn the_parser_survives_every_seed_cut_anywhere() {
    let seeds = seeds().expect("the corpus is there");
    assert!(seeds.len() >= 10, "{seeds:?}");
    for seed in seeds {
        let text = fs::read(&seed).expect("a readable seed");
        for end in 0..=text.len() {
            match Policy::parse(&seed, &text[..end]) {
                Ok(policy) => {
                    let printed = policy.to_string();
                    let again = Policy::parse(&seed, printed.as_bytes());
                    assert_eq!(again, Ok(policy), "{printed}");
                }
                Err(faults) => assert!(!faults.to_string().is_empty()),
            }
        }
    }
}

#[test]
fn the_seed_of_the_design_says_what_it_says_there() {
    let seed = include_str!("../../../fuzz/corpus/config/design.toml");
    let policy = crate::common::policy(seed);
    let expected = "jail web, config.toml:5 [users] alice";
    assert_eq!(
        crate::common::decided(&policy, "alice", &["users"]),
        expected
    );
    let expected = "jail dropbox, config.toml:10 [groups] sftponly";
    assert_eq!(
        crate::common::decided(&policy, "ann", &["sftponly"]),
        expected
    );
}

#[test]
fn the_seed_with_every_key_is_valid() {
    crate::common::policy(include_str!("../../../fuzz/corpus/config/every-key.toml"));
}
