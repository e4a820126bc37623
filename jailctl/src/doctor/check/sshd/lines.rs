//! What root adds to sshd's config: the commands that mend what sshd does for a jailed user.

use std::{fmt::Display, path::Path};

use crate::{accounts::account::Jailed, shell::quoted};

/// Where the mending lines go: read before the rest of Debian's sshd_config, and the first value of a keyword counts.
const OWN_LINES: &str = "/etc/ssh/sshd_config.d/10-login-jail.conf";

/// Gives the command that sets keywords for one user.
pub(super) fn in_match(jailed: &Jailed, keywords: &[impl Display], config: &Path) -> String {
    let user = jailed.identity.name.to_string_lossy();
    let lines: Vec<String> = std::iter::once(format!("Match User {user}"))
        .chain(keywords.iter().map(|line| format!("  {line}")))
        .collect();
    appended(&lines, OWN_LINES, config)
}

/// Gives the command that sets a keyword for all: what stands behind a Match is for that only.
pub(super) fn globally(line: &str, config: &Path) -> String {
    let file = "/etc/ssh/sshd_config.d/00-login-jail.conf";
    appended(&[line.to_owned()], file, config)
}

fn appended(lines: &[String], file: &str, config: &Path) -> String {
    let config = quoted(config);
    let lines = lines.iter().map(quoted).collect::<Vec<_>>().join(" ");
    // A last line that does not end would take the first one in.
    format!(
        "install -d /etc/ssh/sshd_config.d && {{ grep -qi '^Include /etc/ssh/sshd_config.d/\\*.conf' {config} || \
         sed -i '1i Include /etc/ssh/sshd_config.d/*.conf' {config}; }} && {{ [ ! -e {file} ] || sed -i '$a\\' {file}; }} && \
         printf '%s\\n' {lines} >>{file}{}",
        reload()
    )
}

/// Gives the end of a command that changes sshd's config: until it is reloaded, sshd goes by the old one.
pub(super) fn reload() -> &'static str {
    if Path::new("/run/systemd/system").exists() {
        " && sshd -t && systemctl reload ssh"
    } else if Path::new("/etc/init.d/ssh").exists() {
        " && { [ ! -e /run/sshd.pid ] || service ssh reload; }"
    } else {
        ""
    }
}
