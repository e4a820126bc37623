//! What root adds to sshd's config: the commands that mend what sshd does for a jailed user.

use std::{
    fmt::{self, Display},
    path::{Path, PathBuf},
};

use crate::{accounts::account::Jailed, doctor::mend::Repair, shell::quoted};

/// Where the mending lines go: read before the rest of Debian's sshd_config, and the first value of a keyword counts.
const OWN_LINES: &str = "/etc/ssh/sshd_config.d/10-login-jail.conf";

/// Keywords that are set for some users only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MatchLines {
    user: String,
    keywords: Vec<String>,
    config: PathBuf,
    /// What jailctl has to do before.
    first: Option<Repair>,
}

impl MatchLines {
    /// Sets keywords for one user.
    pub(super) fn of(
        jailed: &Jailed,
        keywords: impl IntoIterator<Item = impl Display>,
        config: &Path,
    ) -> MatchLines {
        MatchLines {
            user: jailed.identity.name.to_string_lossy().into_owned(),
            keywords: keywords.into_iter().map(|it| it.to_string()).collect(),
            config: config.to_owned(),
            first: None,
        }
    }

    /// Lets jailctl do something before.
    pub(super) fn after(self, repair: Repair) -> MatchLines {
        MatchLines {
            first: Some(repair),
            ..self
        }
    }

    /// Gives the command that sets the same for all users of a group, or for these users.
    pub(crate) fn together<'a>(all: &[&'a MatchLines], group: Option<&str>) -> Option<String> {
        let first = all.first()?;
        let is_alike = |it: &&MatchLines| {
            let has_more = it.first.is_some() == first.first.is_some();
            (&it.keywords, &it.config) == (&first.keywords, &first.config) && has_more
        };
        if !all.iter().all(is_alike) {
            return None;
        }
        let users: Vec<&str> = all.iter().map(|it| it.user.as_str()).collect();
        let criterion = match group {
            Some(group) => format!("Group {group}"),
            None => format!("User {}", users.join(",")),
        };
        let lines = first.command(&criterion);
        let repair = |it: &&'a MatchLines| Some((it.user.as_str(), it.first.as_ref()?));
        let repairs: Vec<(&str, &Repair)> = all.iter().filter_map(repair).collect();
        match repairs.as_slice() {
            [] => Some(lines),
            repairs => Some(format!("{} && {lines}", Repair::together(repairs, group)?)),
        }
    }

    fn command(&self, criterion: &str) -> String {
        let lines: Vec<String> = std::iter::once(format!("Match {criterion}"))
            .chain(self.keywords.iter().map(|line| format!("  {line}")))
            .collect();
        appended(&lines, OWN_LINES, &self.config)
    }
}

impl Display for MatchLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&MatchLines::together(&[self], None).unwrap_or_default())
    }
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
