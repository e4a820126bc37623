//! pam_chroot of Debian: a name or an expression and a directory on each line of chroot.conf, the first that matches.
//!
//! Expressions are searched for without regard to case, as regcomp(3) has them; grep(1) says here which names they are in.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
    path::Path,
    process::Stdio,
};

use jail::identity::Identity;

use super::draft::{Draft, Now, Sketch};
use crate::{
    check::SNIPPETS,
    cli::FromPamChroot,
    failure::Failure,
    shell::{self, quoted},
};

const MODULE: &str = "pam_chroot.so";

/// What the module is told in a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Options {
    regex: bool,
    extended: bool,
    groups: bool,
    /// Whether a user whom no line names is refused.
    refuses_others: bool,
    chroot_dir: Option<String>,
}

/// A line of a stack with the module.
#[derive(Debug)]
struct Place {
    service: String,
    line: String,
    options: Options,
}

/// A line of chroot.conf.
#[derive(Debug)]
struct Line {
    title: String,
    name: String,
    is_group: bool,
    directory: String,
}

/// Reads what pam_chroot has on this machine.
pub(super) fn draft(from: &FromPamChroot) -> Result<Draft, Failure> {
    let mut draft = Draft::new(format!("pam_chroot's {}", from.file.display()));
    let text = fs::read(&from.file).map_err(|error| Failure::io("read", &from.file, &error))?;
    let places = places(&from.pam)?;
    let Reading {
        options,
        is_clear,
        roots,
    } = reading(&mut draft, &places, &from.pam);
    let accounts = super::accounts()?;
    // Each account is the first line's that matches it.
    let mut left: Vec<&Identity> = accounts.iter().collect();
    let mut now: Vec<(&Identity, Now)> = Vec::new();
    let text = String::from_utf8_lossy(&text);
    let mut all_carried = true;
    let (lines, ends_early) = lines(&mut draft, &from.file, &text, &options);
    for line in lines {
        let Some(found) = matching(&line, &options, &left)? else {
            draft.lose(
                line.title,
                "not an expression that regcomp(3) takes: pam_chroot passes the line over",
            );
            continue;
        };
        let (members, others): (Vec<&Identity>, Vec<&Identity>) =
            left.iter().partition(|it| found.contains(&it.uid));
        left = others;
        let Some(jail) = jail(&mut draft, &line) else {
            all_carried = false;
            now.extend(members.into_iter().map(|it| (it, Now::Refused)));
            continue;
        };
        let plain = if options.regex {
            anchored(&line.name)
        } else {
            Some(line.name.as_str())
        };
        match plain {
            Some(name) if line.is_group => draft.group(name, &jail, &line.title),
            Some("root") => draft.lose(&*line.title, "root is never jailed"),
            // In another case: its accounts get lines as they are called.
            Some(name) if options.regex && !members.is_empty() && members.iter().all(|it| it.name != name) => {}
            Some(name) => draft.user(name, &jail, &line.title),
            None => draft.lose(
                &*line.title,
                "a rule names one user or one group: the accounts that it is in now have one each in [users], later ones take jailctl add",
            ),
        }
        now.extend(members.into_iter().map(|it| (it, Now::In(jail.clone()))));
    }
    // Whom a service with a root of its own puts there, it puts nowhere else: none of them may be left on the host by a
    // config that has other roots, or none, for them.
    let others_pass = !options.refuses_others && !ends_early && is_clear;
    match roots.as_slice() {
        [] => now.extend(left.into_iter().map(|it| {
            let where_to = if others_pass { Now::Free } else { Now::Refused };
            (it, where_to)
        })),
        [(place, directory)] if places.len() == 1 => {
            let line = Line {
                title: place.clone(),
                name: "everybody".to_owned(),
                is_group: false,
                directory: directory.clone(),
            };
            let jail = jail(&mut draft, &line);
            now = accounts
                .iter()
                .map(|it| (it, jail.clone().map_or(Now::Refused, Now::In)))
                .collect();
            draft.lose(&**place, "everybody there is, root as well: the accounts that there are have a rule each, later ones are refused until they have one, and root is exempt");
        }
        _ => now.extend(left.into_iter().map(|it| (it, Now::Refused))),
    }
    // Otherwise whom no rule names is refused from then on, and who passes now is exempt by name.
    if others_pass && all_carried && roots.is_empty() {
        draft.let_others_pass();
    }
    draft.ask_everybody();
    draft.settle(now)?;
    remaining(&mut draft, &places);
    Ok(draft)
}

/// Lists the session lines that have the module.
fn places(directory: &Path) -> Result<Vec<Place>, Failure> {
    let mut files = match fs::read_dir(directory) {
        Ok(files) => files.flatten().map(|it| it.path()).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(Failure::io("read", directory, &error)),
    };
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let text = fs::read(&file).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        for (number, line) in (1_usize..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line
                .split_whitespace()
                .skip_while(|it| !it.ends_with(MODULE));
            if words.next().is_none()
                || !line
                    .trim_start_matches([' ', '\t', '-'])
                    .starts_with("session")
            {
                continue;
            }
            let service = file
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            found.push(Place {
                service,
                line: format!("{}:{number}: {}", file.display(), line.trim()),
                options: Options::of(words),
            });
        }
    }
    Ok(found)
}

impl Options {
    fn of<'a>(words: impl Iterator<Item = &'a str>) -> Options {
        let mut options = Options::default();
        for word in words {
            match word {
                "use_regex" => options.regex = true,
                "use_ext_regex" => (options.regex, options.extended) = (true, true),
                "use_groups" => options.groups = true,
                // Two names for one setting, of which the last counts.
                "notfound=failure" | "onerr=fail" => options.refuses_others = true,
                "notfound=success" | "onerr=succeed" => options.refuses_others = false,
                _ => {
                    if let Some(directory) = word.strip_prefix("chroot_dir=") {
                        options.chroot_dir = Some(directory.to_owned());
                    }
                }
            }
        }
        options
    }
}

/// How chroot.conf is to be read.
struct Reading {
    /// The options of the first line that does not name a directory itself.
    options: Options,
    /// Whether all such lines have the same.
    is_clear: bool,
    /// The lines that name a directory for everybody, each with that.
    roots: Vec<(String, String)>,
}

/// Finds out how chroot.conf is read by the stacks.
fn reading(draft: &mut Draft, places: &[Place], directory: &Path) -> Reading {
    let mut common: Option<&Options> = None;
    let mut is_clear = true;
    let mut roots = Vec::new();
    for Place { line, options, .. } in places {
        match (&options.chroot_dir, common) {
            (Some(root), _) => {
                if places.len() > 1 {
                    draft.lose(&**line, "a root for all of a service, whoever it is: a rule is for an account, through every door; whom no line names is refused");
                }
                roots.push((line.clone(), root.clone()));
            }
            (None, None) => common = Some(options),
            (None, Some(first)) if first != options => {
                is_clear = false;
                draft.lose(&**line, "other options than in the stack before, by which the file was read: whom no line names then is refused");
            }
            (None, Some(_)) => {}
        }
    }
    if places.is_empty() {
        draft.lose(
            format!("{}: no session line has {MODULE}", directory.display()),
            "the lines were read as without options; users are put nowhere now",
        );
    }
    Reading {
        options: common.cloned().unwrap_or_default(),
        is_clear,
        roots,
    }
}

/// Cuts the file into lines as the module does, and tells whether it ends before its end, at a line by which everybody is
/// refused whom none before names.
fn lines(draft: &mut Draft, file: &Path, text: &str, options: &Options) -> (Vec<Line>, bool) {
    let mut found = Vec::new();
    let mut ends_early = false;
    for (number, text) in (1_usize..).zip(text.lines()) {
        let mut words = text
            .split('#')
            .next()
            .unwrap_or_default()
            .split_ascii_whitespace();
        let Some(name) = words.next() else {
            continue;
        };
        let title = format!("{}:{number}: {}", file.display(), text.trim());
        let Some(directory) = words.next() else {
            draft.lose(title, "no directory: pam_chroot passes the line over");
            continue;
        };
        let group = name.strip_prefix('@');
        if group.is_some() && !options.groups {
            draft.lose(title, "a group without use_groups: pam_chroot refuses everybody whom no line before names, and reads no further");
            ends_early = true;
            break;
        }
        found.push(Line {
            title,
            name: group.unwrap_or(name).to_owned(),
            is_group: group.is_some(),
            directory: directory.to_owned(),
        });
    }
    (found, ends_early)
}

/// Gives the uids of those whom a line is for; nothing where it is no expression.
fn matching(
    line: &Line,
    options: &Options,
    accounts: &[&Identity],
) -> Result<Option<BTreeSet<u32>>, Failure> {
    let names = |identity: &Identity| -> Vec<String> {
        let names = if line.is_group {
            identity.group_names.as_slice()
        } else {
            std::slice::from_ref(&identity.name)
        };
        names
            .iter()
            .map(|it| it.to_string_lossy().into_owned())
            .collect()
    };
    let all: BTreeSet<String> = accounts.iter().flat_map(|it| names(it)).collect();
    let fit = if options.regex {
        let Some(fit) = grep(&line.name, options.extended, &all)? else {
            return Ok(None);
        };
        fit
    } else {
        BTreeSet::from([line.name.clone()])
    };
    let found = accounts
        .iter()
        .filter(|it| names(it).iter().any(|name| fit.contains(name)));
    Ok(Some(found.map(|it| it.uid).collect()))
}

/// Gives those of the names that an expression is in; nothing where it is none.
fn grep(
    expression: &str,
    extended: bool,
    names: &BTreeSet<String>,
) -> Result<Option<BTreeSet<String>>, Failure> {
    let failed = |error: io::Error| Failure::Failed(format!("run grep: {error}"));
    let kind = if extended { "-E" } else { "-G" };
    let mut grep = shell::program("grep")
        .args(["-i", kind, "-e", expression])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let text: String = names.iter().map(|name| format!("{name}\n")).collect();
    let writer = grep.stdin.take().map(|mut input| {
        // Beside the reading: either pipe may be full.
        std::thread::spawn(move || match input.write_all(text.as_bytes()) {
            // One that does not take the expression reads nothing.
            Ok(()) | Err(_) => {}
        })
    });
    let output = grep.wait_with_output().map_err(failed)?;
    drop(writer.map(std::thread::JoinHandle::join));
    // 1 is for no match, more for an error.
    Ok(match output.status.code() {
        Some(0 | 1) => Some(
            String::from_utf8_lossy(&output.stdout)
                .lines()
                .map(str::to_owned)
                .collect(),
        ),
        _ => None,
    })
}

/// Gives the one name that an expression is for: letters between `^` and `$`. Others in another case are told by the
/// accounts that there are.
fn anchored(expression: &str) -> Option<&str> {
    let name = expression.strip_prefix('^')?.strip_suffix('$')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (!name.is_empty() && name.bytes().all(plain)).then_some(name)
}

fn jail(draft: &mut Draft, line: &Line) -> Option<String> {
    let made = template(&line.directory).and_then(|template| {
        let mut sketch = Sketch::new(&template)?;
        sketch.set_text("tmp", "root")?;
        sketch.set_text("dev", "root")?;
        sketch.set_text("proc", "root")?;
        Ok(sketch)
    });
    match made {
        Ok(mut sketch) => {
            sketch.remark(&*line.title);
            Some(draft.jail(&line.name, sketch))
        }
        Err(why) => {
            draft.lose(&*line.title, format!("{why}; whoever it is for is refused"));
            None
        }
    }
}

/// Gives the template that a directory of chroot.conf is.
fn template(directory: &str) -> Result<String, String> {
    if directory.contains(['{', '}']) {
        return Err("a root can't have { or } in it".to_owned());
    }
    let mut made = String::new();
    let mut letters = directory.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            made.push(letter);
            continue;
        }
        match letters.next() {
            Some('u') => made.push_str("{user}"),
            Some('g') => made.push_str("{group}"),
            Some('%') => made.push('%'),
            Some(digit) if digit.is_ascii_digit() => {
                return Err(format!(
                    "%{digit} is a part of what the expression found, which no template has"
                ));
            }
            _ => return Err("a % that pam_chroot does not know".to_owned()),
        }
    }
    let clean = made
        .split('/')
        .filter(|it| !it.is_empty())
        .collect::<Vec<_>>()
        .join("/");
    Ok(if made.starts_with('/') {
        format!("/{clean}")
    } else {
        clean
    })
}

fn remaining(draft: &mut Draft, places: &[Place]) {
    draft.remains("install this as /etc/login-jail/config.toml, then:");
    for Place { service, line, .. } in places {
        let file = quoted(format!("/etc/pam.d/{service}"));
        draft.remains(format!(
            "{line}: take it out, and put pam_jail.so last: cat {SNIPPETS}/{} >>{file}",
            quoted(service)
        ));
    }
    draft.remains("jailctl explain USER --door pam, for each; jailctl check; log in before you close this session");
    draft.remains(
        "whoever is to come through jail-shell instead, or as well: jailctl add USER --jail NAME",
    );
}

#[cfg(test)]
mod tests {
    use super::{Options, anchored, template};

    #[test]
    fn only_an_expression_for_one_name_is_one() {
        assert_eq!(anchored("^ann$"), Some("ann"));
        for expression in ["ann", "^ann", "^a.n$", "^$", "^a*$"] {
            assert_eq!(anchored(expression), None, "{expression}");
        }
    }

    #[test]
    fn directories_become_templates() {
        assert_eq!(template("/srv/%g//%u/").unwrap(), "/srv/{group}/{user}");
        assert_eq!(template("/100%%").unwrap(), "/100%");
        for wrong in ["/srv/%1", "/srv/%x", "/srv/%", "/{user}"] {
            assert!(template(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reads_the_options_of_a_stack() {
        let read = |line: &str| Options::of(line.split_whitespace());
        assert!(read("debug use_ext_regex").regex);
        assert!(read("onerr=fail").refuses_others);
        assert!(!read("notfound=failure onerr=succeed").refuses_others);
        assert!(read("notfound=failure").refuses_others);
        assert_eq!(read("chroot_dir=/x").chroot_dir.as_deref(), Some("/x"));
    }
}
