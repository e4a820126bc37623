//! sshd: whether it takes its config, and its reload. No reload goes without the first.

use std::path::Path;

use crate::{
    accounts::{host_text, traces},
    door::SSHD_CONFIG,
    failure::Failure,
    sshd_config,
};

/// Where set-ups have their files.
pub(super) const DROP_INS: &str = "/etc/ssh/sshd_config.d";

/// Tells whether the host has an sshd.
pub(super) fn is_there() -> bool {
    Path::new(SSHD_CONFIG).is_file()
}

/// Asks sshd whether it takes its config.
pub(super) fn test() -> Result<(), Failure> {
    traces::sshd_takes_it()
}

/// Lets sshd read its config again, and says how.
pub(super) fn reload() -> Result<String, Failure> {
    traces::reload_sshd()
}

/// Insists on a config of sshd's that it takes, and that reads the files of set-ups.
pub(super) fn refuse_unready() -> Result<(), Failure> {
    test()?;
    let text = host_text::read(Path::new(SSHD_CONFIG))
        .map_err(|error| Failure::io("read", Path::new(SSHD_CONFIG), &error))?;
    let reads = |line: &str| {
        let words = sshd_config::words(line).unwrap_or_default();
        let (keyword, patterns) = match words.split_first() {
            Some((keyword, patterns)) => (keyword.as_str(), patterns),
            None => return false,
        };
        let names = |it: &String| {
            ["/etc/ssh/sshd_config.d/*.conf", "sshd_config.d/*.conf"].contains(&it.as_str())
        };
        keyword.eq_ignore_ascii_case("include") && patterns.iter().any(names)
    };
    let above_match = text.lines().take_while(|line| {
        let word = line.split_whitespace().next().unwrap_or_default();
        !word.eq_ignore_ascii_case("match")
    });
    if above_match.into_iter().any(reads) {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "{SSHD_CONFIG} does not read {DROP_INS}; write at its beginning: Include {DROP_INS}/*.conf"
    )))
}
