//! What a jail with `base = "host"` lacks of the host's /etc: what its /usr has links to, and what `etc` names in vain.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

use jail::world::host_etc::shown_of_host;
use jail_config::{Base, Isolation, shows_of_etc};

use crate::{
    accounts::account::Jailed,
    doctor::check::{Finding, FindingKind, Report, config::edit},
    shell::shown,
};

/// Below /usr, what nobody runs or loads.
const NOT_SEARCHED: [&str; 6] = [
    "/usr/include",
    "/usr/share/doc",
    "/usr/share/info",
    "/usr/share/locale",
    "/usr/share/man",
    "/usr/src",
];

/// A link of /usr into /etc.
#[derive(Debug)]
struct Link {
    at: PathBuf,
    /// Below /etc.
    to: PathBuf,
}

/// Checks every jail that shows the host's system, once for all who share it.
pub(crate) fn check(report: &mut Report, jailed: &[Jailed]) {
    let mut jails: BTreeMap<(&str, &[String]), Vec<&Jailed>> = BTreeMap::new();
    for one in jailed.iter().filter(|one| shows_hosts_etc(one)) {
        let jail = &one.jail;
        jails.entry((&jail.name, &jail.etc)).or_default().push(one);
    }
    if jails.is_empty() {
        return;
    }
    let links = links_into_etc();
    for ((name, further), users) in jails {
        let seen = match shown_of_host(further) {
            Ok(seen) => seen,
            Err(fault) => {
                report.leave_unchecked(format!("the /etc of {}: {fault}", shown(name)));
                continue;
            }
        };
        let dangling = dangling(&links, &seen, further);
        for what in in_vain(further, &seen).chain(dangling) {
            let finding =
                Finding::note(FindingKind::EtcMissing, format!("{}: {what}", shown(name)));
            report.extend(match users.as_slice() {
                [only] => Some(edited(finding, only).of(only)),
                [first, ..] => Some(edited(finding, first)),
                [] => None,
            });
        }
    }
}

fn edited(finding: Finding, jailed: &Jailed) -> Finding {
    let rule = &jailed.jail.rule;
    finding.mended_by(edit(&rule.file, rule.line))
}

/// Tells whether a jail has an /etc of the host's, and not one of its root.
fn shows_hosts_etc(jailed: &Jailed) -> bool {
    let jail = &jailed.jail;
    jail.base == Base::Host
        && jail.isolation == Isolation::Full
        && fs::symlink_metadata(jail.root.join("etc")).is_err()
}

/// Says which names of `etc` show nothing.
fn in_vain<'a>(further: &'a [String], seen: &'a [PathBuf]) -> impl Iterator<Item = String> + 'a {
    let unseen = further
        .iter()
        .filter(|name| !seen.iter().any(|path| path == Path::new(name)));
    unseen.map(|name| {
        let state = match fs::metadata(Path::new("/etc").join(name)) {
            Err(_) => "is not there",
            Ok(stat) if stat.uid() != 0 => "is not root's",
            Ok(_) => "is not everybody's to read",
        };
        format!(
            "etc names {name:?}, and /etc/{} {state}, so it is not shown",
            shown(name)
        )
    })
}

/// Says which entries of /etc are not shown, and links of /usr lead there.
fn dangling(links: &[Link], seen: &[PathBuf], further: &[String]) -> impl Iterator<Item = String> {
    let mut entries: BTreeMap<&str, Vec<&Link>> = BTreeMap::new();
    for link in links {
        let name = link.to.iter().next().and_then(|name| name.to_str());
        let is_seen = seen.iter().any(|path| link.to.starts_with(path));
        if let Some(name) = name.filter(|name| !is_seen && shows_of_etc(name)) {
            entries.entry(name).or_default().push(link);
        }
    }
    let said = entries.into_iter().map(|(name, links)| {
        let all: Vec<String> = further.iter().map(|it| format!("{it:?}")).collect();
        let all = [all, vec![format!("{name:?}")]].concat().join(", ");
        let lead = match links.as_slice() {
            [only] => format!("{} leads", only.at.display()),
            [first, ..] => format!("{} links such as {} lead", links.len(), first.at.display()),
            [] => return String::new(),
        };
        format!(
            "{lead} to /etc/{}, which is not shown; etc = [{all}] shows it",
            shown(name)
        )
    });
    said.collect::<Vec<String>>().into_iter()
}

/// Finds the links of /usr that lead to what everybody may read below /etc. Nothing is followed, and /usr is root's.
fn links_into_etc() -> Vec<Link> {
    let mut links = Vec::new();
    let mut ahead = VecDeque::from([PathBuf::from("/usr")]);
    while let Some(directory) = ahead.pop_front() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let at = entry.path();
            match entry.file_type() {
                Ok(kind)
                    if kind.is_dir() && NOT_SEARCHED.iter().any(|one| at == Path::new(one)) => {}
                Ok(kind) if kind.is_dir() => ahead.push_back(at),
                Ok(kind) if kind.is_symlink() => links.extend(into_etc(&directory, at)),
                _ => {}
            }
        }
    }
    links.sort_by(|one, other| one.at.cmp(&other.at));
    links
}

/// Gives a link, if it leads into /etc and to something that everybody may read.
fn into_etc(directory: &Path, at: PathBuf) -> Option<Link> {
    let leads_to = resolved(directory, &fs::read_link(&at).ok()?);
    let to = leads_to.strip_prefix("/etc").ok()?.to_owned();
    let stat = fs::metadata(&leads_to).ok()?;
    let wanted = if stat.is_dir() { 0o005 } else { 0o004 };
    let is_everybodys = stat.uid() == 0 && stat.mode() & wanted == wanted;
    (is_everybodys && to.iter().next().is_some()).then_some(Link { at, to })
}

/// Gives the path that a link in a directory means, by its letters.
fn resolved(directory: &Path, link: &Path) -> PathBuf {
    let mut path = PathBuf::from("/");
    for part in directory.join(link).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Link, dangling, resolved};

    #[test]
    fn a_link_means_what_it_means_in_its_directory() {
        for (link, path) in [
            ("/etc/R/x", "/etc/R/x"),
            ("../../../etc/R", "/etc/R"),
            ("../../../../../etc/R", "/etc/R"),
            ("./x/../y", "/usr/lib/R/y"),
        ] {
            assert_eq!(
                resolved(Path::new("/usr/lib/R"), Path::new(link)),
                Path::new(path)
            );
        }
    }

    #[test]
    fn only_what_a_jail_could_show_and_does_not_is_told() {
        let link = |at: &str, to: &str| Link {
            at: at.into(),
            to: to.into(),
        };
        let links = [
            link("/usr/lib/a", "tool/a"),
            link("/usr/lib/b", "tool/b"),
            link("/usr/lib/ssh", "ssh/config"),
            link("/usr/lib/php", "php/8.2/cli/php.ini"),
            link("/usr/lib/fpm", "php/8.2/fpm"),
        ];
        let seen = [PathBuf::from("php/8.2/cli")];
        let said: Vec<String> = dangling(&links, &seen, &["own".to_owned()]).collect();
        assert_eq!(
            said,
            [
                "/usr/lib/fpm leads to /etc/php, which is not shown; etc = [\"own\", \"php\"] shows it",
                "2 links such as /usr/lib/a lead to /etc/tool, which is not shown; etc = [\"own\", \"tool\"] shows it",
            ]
        );
    }
}
