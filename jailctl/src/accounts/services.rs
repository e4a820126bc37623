//! Where this host's accounts and groups come from: nsswitch.conf(5).

use std::{collections::BTreeSet, fs, path::Path};

use crate::failure::Failure;

/// Services of nsswitch.conf(5) that know no more than the files do.
const OF_FILES: [&str; 3] = ["files", "compat", "cache"];

/// The service that knows more where it has records.
const RECORDED: &str = "systemd";

/// Where systemd has records of users: nss-systemd(8).
const RECORDS: [&str; 3] = ["/etc/userdb", "/run/userdb", "/usr/lib/userdb"];

/// Tells whether all accounts and groups are in files of this host.
///
/// # Errors
/// As [`others`].
pub(crate) fn are_in_files_alone() -> Result<bool, Failure> {
    Ok(others()?.is_empty())
}

/// Lists the services of nsswitch.conf(5) that may have accounts and groups that are not in files of this host.
///
/// # Errors
/// nsswitch.conf(5) can't be read.
pub(super) fn others() -> Result<Vec<String>, Failure> {
    let path = Path::new("/etc/nsswitch.conf");
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        other => other.map_err(|error| Failure::io("read", path, &error))?,
    };
    let has_records = RECORDS
        .iter()
        .any(|directory| fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some()));
    let knows_more = |service: &&str| match *service {
        RECORDED => has_records,
        service => !service.starts_with('[') && !OF_FILES.contains(&service),
    };
    let services: BTreeSet<String> = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| ["passwd", "group", "initgroups"].contains(&name.trim()))
        .flat_map(|(_, services)| services.split_whitespace())
        .filter(knows_more)
        .map(str::to_owned)
        .collect();
    Ok(services.into_iter().collect())
}
