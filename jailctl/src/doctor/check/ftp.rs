//! vsftpd: it asks PAM's session modules only where it is told to. See vsftpd.conf(5).

use std::{fs, io::ErrorKind, path::Path};

use crate::{
    doctor::check::{Finding, FindingKind, Report},
    pam,
    shell::{quoted, shown},
};

/// Where its config is, in Debian and elsewhere.
const CONFIGS: [&str; 2] = ["/etc/vsftpd.conf", "/etc/vsftpd/vsftpd.conf"];

/// The service whose stack has our lines, as they are installed.
const SERVICE: &str = "vsftpd";

/// The service that it asks for where its config names none.
const DEFAULT_SERVICE: &str = "ftp";

/// Checks that the stack which jails is the one that vsftpd asks, and that it asks for sessions.
pub(crate) fn check(report: &mut Report) {
    for config in CONFIGS.map(Path::new) {
        match fs::read(config) {
            Ok(text) => report.extend(judge(&String::from_utf8_lossy(&text), config)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => report.leave_unchecked(format!("read {}: {error}", config.display())),
        }
    }
}

fn judge(text: &str, config: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    if !is_yes(value(text, "local_enable")) {
        return found;
    }
    let service = value(text, "pam_service_name").unwrap_or(DEFAULT_SERVICE);
    let set = |keyword: &str, value: &str| {
        let config = quoted(config);
        format!("sed -i '/^{keyword}=/d' {config} && echo {keyword}={value} >>{config}")
    };
    let jails = pam::jails(service);
    if !jails && pam::jails(SERVICE) {
        let what = format!(
            "{}: vsftpd asks PAM for the service {}, and pam_jail.so is in that of {SERVICE}: FTP is outside of the jail",
            config.display(),
            shown(service)
        );
        found.push(
            Finding::error(FindingKind::Ftp, what).mended_by(set("pam_service_name", SERVICE)),
        );
    }
    if (jails || pam::jails(SERVICE)) && !is_yes(value(text, "session_support")) {
        let what = format!(
            "{}: without session_support=YES vsftpd opens no PAM session: pam_jail.so is never asked, and FTP is outside of \
             the jail",
            config.display()
        );
        found.push(Finding::error(FindingKind::Ftp, what).mended_by(set("session_support", "YES")));
    }
    found
}

/// Gives the value of a setting: the last line counts, and none has a space in it.
fn value<'a>(text: &'a str, keyword: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| *name == keyword)
        .map(|(_, value)| value)
        .next_back()
}

fn is_yes(value: Option<&str>) -> bool {
    value.is_some_and(|value| {
        ["yes", "true", "1"]
            .iter()
            .any(|yes| value.eq_ignore_ascii_case(yes))
    })
}

#[cfg(test)]
mod tests {
    use super::{is_yes, value};

    #[test]
    fn the_last_line_counts_and_a_comment_does_not() {
        let text = "#local_enable=YES\nsession_support=NO\nsession_support=true\npam_service_name=vsftpd\n";
        assert!(!is_yes(value(text, "local_enable")));
        assert!(is_yes(value(text, "session_support")));
        assert_eq!(value(text, "pam_service_name"), Some("vsftpd"));
    }
}
