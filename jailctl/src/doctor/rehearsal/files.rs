//! Reads files of a jail from inside, as its user: no FIFO is waited for, and nothing is read without end.

use std::{
    env,
    fs::{self, OpenOptions},
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// How much of a file is read, in bytes, and how many entries of a directory.
const LARGEST: u64 = 1024 * 1024;
pub(super) const MOST_ENTRIES: usize = 100_000;

/// Reads the beginning of a text.
pub(super) fn read(path: &str) -> String {
    let text = start_of(Path::new(path), LARGEST).unwrap_or_default();
    String::from_utf8_lossy(&text).into_owned()
}

/// Reads the beginning of a regular file: a FIFO is not waited for, and a device not read without end.
pub(super) fn start_of(path: &Path, length: u64) -> Option<Vec<u8>> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY)
        .open(path);
    let file = opened.ok()?;
    let mut text = Vec::new();
    if file.metadata().is_ok_and(|it| it.is_file()) {
        // What could be read until then is looked at.
        drop(file.take(length).read_to_end(&mut text));
        return Some(text);
    }
    None
}

/// The names of the files where loaders look for libraries.
pub(super) struct Libraries(Vec<String>);

impl Libraries {
    pub(super) fn here() -> Libraries {
        let triplet = format!("{}-linux-gnu", env::consts::ARCH);
        let directories = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"]
            .into_iter()
            .flat_map(|directory| {
                [
                    PathBuf::from(directory),
                    Path::new(directory).join(&triplet),
                ]
            });
        let names = directories
            .filter_map(|directory| fs::read_dir(directory).ok())
            .flat_map(|files| files.flatten().take(MOST_ENTRIES))
            .filter_map(|file| file.file_name().into_string().ok());
        Libraries(names.collect())
    }

    pub(super) fn has(&self, prefix: &str) -> bool {
        self.0.iter().any(|name| name.starts_with(prefix))
    }
}

/// Lists the services of nsswitch.conf(5) for accounts and hosts that are libraries of their own: since glibc 2.34 `files`
/// and `dns` are not.
pub(super) fn nss_services(text: &str) -> Vec<String> {
    let mut services: Vec<String> = text
        .lines()
        .filter_map(|line| line.split('#').next()?.split_once(':'))
        .filter(|(database, _)| ["passwd", "group", "hosts"].contains(&database.trim()))
        .flat_map(|(_, services)| services.split_whitespace())
        .filter(|word| !word.starts_with('[') && !word.ends_with(']'))
        .filter(|service| !["files", "dns"].contains(service))
        .map(str::to_owned)
        .collect();
    services.sort();
    services.dedup();
    services
}

#[cfg(test)]
mod tests {
    use super::nss_services;

    #[test]
    fn finds_the_services_that_are_libraries() {
        let text = "passwd: files systemd # x\ngroup:files  systemd\nshadow: db\nhosts: files mdns4_minimal [NOTFOUND=return] dns\n";
        assert_eq!(nss_services(text), ["mdns4_minimal", "systemd"]);
    }
}
