//! pam_chroot of Debian: a name or an expression and a directory on each line of chroot.conf, the first that matches.
//!
//! Expressions are searched for without regard to case, as regcomp(3) has them; grep(1) says here which names they are in.
//! Where the module can't do what it is told it refuses, whatever `onerr` says. What can't be carried over refuses, too: the
//! accounts that it is for, and with them all that no rule names, for later accounts and those of a directory are not seen.

use std::{
    collections::{BTreeSet, HashSet},
    ffi::OsStr,
    fs,
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::Path,
    process::Stdio,
};

use jail::account::identity::Identity;

use super::draft::{Draft, Now, Sketch};
use crate::{
    accounts::account,
    doctor::check::SNIPPETS,
    failure::Failure,
    pam::stack,
    shell::{self, quoted},
};

const MODULE: &str = "pam_chroot.so";

/// The longest piece of a line that the module reads at once, in bytes: the next piece is another line to it.
const LONGEST: usize = 1023;

/// What the module is told in a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Options {
    regex: bool,
    extended: bool,
    groups: bool,
    /// Whether a user whom no line names is refused.
    refuses_others: bool,
    /// Whether directories that others than root may write to are refused.
    checks: bool,
    /// Whether all is done but the chroot.
    is_idle: bool,
    chroot_dir: Option<String>,
}

/// A line of a stack with the module.
#[derive(Debug)]
struct Place {
    service: String,
    line: String,
    /// Whether nobody gets in whom the module refuses.
    is_required: bool,
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

/// What chroot.conf has, as far as the module reads it.
#[derive(Debug, Default)]
struct Lines {
    found: Vec<Line>,
    /// Whether it stops at a line, and refuses whom none before is for.
    stops: bool,
}

/// Reads what pam_chroot has on this machine.
pub(crate) fn draft(file: &Path, stacks: &Path) -> Result<Draft, Failure> {
    let mut draft = Draft::new(format!("pam_chroot's {}", file.display()));
    draft.let_others_pass();
    let places = places(stacks)?;
    let accounts = account::identities()?;
    let mut now = match places.first() {
        Some(first) => read(&mut draft, file, first, &accounts)?,
        None => {
            let nowhere = Place {
                service: String::new(),
                line: format!("{}: no line has {MODULE}", stacks.display()),
                is_required: true,
                options: Options::default(),
            };
            draft.lose(
                &*nowhere.line,
                "the lines were read as without options; users are put nowhere now",
            );
            read(&mut draft, file, &nowhere, &accounts)?
        }
    };
    let mut known: Vec<&Options> = places.first().map(|it| &it.options).into_iter().collect();
    for place in &places {
        if known.contains(&&place.options) {
            continue;
        }
        known.push(&place.options);
        let here = read(&mut draft, file, place, &accounts)?;
        if here != now {
            draft.close();
            draft.lose(&*place.line, "not the same as in the stacks before, and a rule is for an account, through every door: who is in two roots, or refused in one stack, is refused, and who is in a root in one only is there in all");
        }
        now = now.into_iter().zip(here).map(in_both).collect();
    }
    // The one whom the config exempts already.
    let is_roots = |identity: &Identity| identity.name == "root";
    let now: Vec<(&Identity, Now)> = accounts.iter().zip(now).collect();
    if now
        .iter()
        .any(|(it, now)| is_roots(it) && *now != Now::Free)
    {
        draft.lose(
            "root",
            "in a root or refused until now, or that can't be told; root is never jailed, and passes",
        );
    }
    let others: Vec<_> = now.into_iter().filter(|(it, _)| !is_roots(it)).collect();
    draft.settle(&others)?;
    remaining(&mut draft, &places);
    Ok(draft)
}

/// Gives what becomes of an account with a rule for all doors, of which two do different things now.
fn in_both(both: (Now, Now)) -> Now {
    match both {
        (one, other) if one == other => one,
        (Now::In(jail), Now::Free) | (Now::Free, Now::In(jail)) => Now::In(jail),
        _ => Now::Refused,
    }
}

/// Carries over what the module does in one place; gives what it does with each account.
fn read(
    draft: &mut Draft,
    file: &Path,
    place: &Place,
    accounts: &[Identity],
) -> Result<Vec<Now>, Failure> {
    let options = &place.options;
    if options.is_idle {
        draft.lose(
            &*place.line,
            "with no_chroot nobody is put anywhere; the rules here are as without it",
        );
    }
    let now = match &options.chroot_dir {
        Some(directory) => {
            draft.close();
            draft.lose(&*place.line, "one root for all users of a service: each present account has a rule here; later accounts are refused until you run jailctl add");
            let now = put(draft, &place.line, "all", spelt_out(directory));
            vec![now; accounts.len()]
        }
        None => read_lines(draft, file, place, accounts)?,
    };
    if !place.is_required && now.contains(&Now::Refused) {
        draft.lose(&*place.line, "because of its control, users whom pam_chroot refuses log in on the host; login-jail will refuse these users");
    }
    Ok(now)
}

fn read_lines(
    draft: &mut Draft,
    file: &Path,
    place: &Place,
    accounts: &[Identity],
) -> Result<Vec<Now>, Failure> {
    let options = &place.options;
    let text = fs::read(file).map_err(|error| Failure::io("read", file, &error))?;
    if options.checks && !is_roots_alone(file) {
        draft.refuse_others();
        draft.lose(&*place.line, format!("sec_checks refuses everybody: a directory above {} is not root's, or others may write to it", file.display()));
        return Ok(vec![Now::Refused; accounts.len()]);
    }
    let Lines { found, stops } = lines(draft, file, &text, options);
    let mut refuses_rest = stops || options.refuses_others;
    if refuses_rest {
        draft.refuse_others();
    }
    // Each account is the first line's that matches it.
    let mut now: Vec<Option<Now>> = vec![None; accounts.len()];
    let mut named = HashSet::new();
    for line in found {
        let left = accounts.iter().zip(&now);
        let left: Vec<&Identity> = left
            .filter(|(_, now)| now.is_none())
            .map(|(it, _)| it)
            .collect();
        let Some(matching) = matching(&line, options, &left)? else {
            refuses_rest = true;
            draft.close();
            draft.lose(line.title, "no expression to grep(1), and to regcomp(3) hardly: whom it is for can't be told, so that all whom no other line is for are refused; take the line out where pam_chroot's log calls it illegal, too");
            continue;
        };
        let members: Vec<&Identity> = left
            .into_iter()
            .filter(|it| matching.contains(&*it.name))
            .collect();
        let fate = put(draft, &line.title, &line.name, template(&line.directory));
        if let Now::In(jail) = &fate {
            rule(draft, &line, options, jail, &mut named);
        } else {
            // The module gets no further with these, whatever lines there are.
            named.insert((line.is_group, line.name.clone()));
        }
        for (identity, now) in accounts.iter().zip(&mut now) {
            if members.iter().any(|it| it.name == identity.name) {
                *now = Some(fate.clone());
            }
        }
    }
    let rest = if refuses_rest {
        Now::Refused
    } else {
        Now::Free
    };
    Ok(now
        .into_iter()
        .map(|it| it.unwrap_or_else(|| rest.clone()))
        .collect())
}

/// Writes the rule that a line comes to, as far as one can say whom it is for.
fn rule(
    draft: &mut Draft,
    line: &Line,
    options: &Options,
    jail: &str,
    named: &mut HashSet<(bool, String)>,
) {
    let plain = if options.regex {
        anchored(&line.name)
    } else {
        Some(line.name.as_str())
    };
    let Some(name) = plain else {
        draft.close();
        draft.lose(
            &*line.title,
            "a rule names one user or one group: the accounts that it is for now have one each in [users], later ones are refused until they take jailctl add",
        );
        return;
    };
    // Those whom a line before is for never come to this one; and what becomes of root is said once for all.
    if !named.insert((line.is_group, name.to_owned())) || (!line.is_group && name == "root") {
        return;
    }
    let is_there = if line.is_group {
        draft.group(name, jail, &line.title)
    } else {
        draft.user(name, jail, &line.title)
    };
    if !is_there {
        draft.close();
    }
}

/// Lists the lines that have the module. It enters the root for accounts and authentication, too.
fn places(directory: &Path) -> Result<Vec<Place>, Failure> {
    let mut files: Vec<_> = match fs::read_dir(directory) {
        Ok(files) => files.flatten().map(|it| it.path()).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(Failure::io("read", directory, &error)),
    };
    files.retain(|it| !it.is_dir());
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let text = fs::read(&file).map_err(|error| Failure::io("read", &file, &error))?;
        for (line, written) in stack::in_file(&file, &String::from_utf8_lossy(&text)) {
            let is_asked = ["auth", "account", "session"].contains(&&*line.kind);
            if !is_asked || !line.module.ends_with(MODULE) {
                continue;
            }
            let mut options = Options::of(line.arguments.iter().map(String::as_str));
            // Only for a session it is told what to do there.
            options.refuses_others |= line.kind != "session";
            let service = file.file_name().unwrap_or_default();
            let control = line.control.to_ascii_lowercase();
            found.push(Place {
                service: service.to_string_lossy().into_owned(),
                line: format!("{}: {written}", line.place()),
                is_required: ["required", "requisite"].contains(&&*control),
                options,
            });
        }
    }
    Ok(found)
}

impl Options {
    /// Reads what stands behind the module. Of several words for the same the last one counts, of directories the first.
    fn of<'a>(words: impl Iterator<Item = &'a str>) -> Options {
        let mut options = Options::default();
        for word in words {
            match word {
                "use_regex" => options.regex = true,
                "use_ext_regex" => (options.regex, options.extended) = (true, true),
                "use_groups" => options.groups = true,
                "notfound=failure" | "onerr=fail" => options.refuses_others = true,
                "notfound=success" | "onerr=succeed" => options.refuses_others = false,
                "sec_checks" => options.checks = true,
                "no_chroot" => options.is_idle = true,
                _ => match word.strip_prefix("chroot_dir=") {
                    Some(directory) if !directory.is_empty() => {
                        options.chroot_dir.get_or_insert(directory.to_owned());
                    }
                    Some(_) | None => {}
                },
            }
        }
        options
    }
}

/// Tells whether the directories above a file are root's, and nobody else's to write to.
fn is_roots_alone(file: &Path) -> bool {
    file.ancestors().skip(1).all(|directory| {
        fs::metadata(directory).is_ok_and(|it| it.uid() == 0 && it.mode() & 0o022 == 0)
    })
}

/// Cuts the file into lines as the module does.
fn lines(draft: &mut Draft, file: &Path, text: &[u8], options: &Options) -> Lines {
    let mut lines = Lines::default();
    let pieces = (1_usize..)
        .zip(text.split_inclusive(|byte| *byte == b'\n'))
        .flat_map(|(number, line)| line.chunks(LONGEST).map(move |piece| (number, piece)));
    for (number, piece) in pieces {
        let piece = String::from_utf8_lossy(piece);
        let meant = piece.split(['#', '\0']).next().unwrap_or_default();
        let mut words = meant
            .split([' ', '\t', '\r', '\n'])
            .filter(|it| !it.is_empty());
        let Some(name) = words.next() else {
            continue;
        };
        let title = format!("{}:{number}: {}", file.display(), piece.trim());
        let Some(directory) = words.next() else {
            draft.lose(title, "no directory: pam_chroot ignores the line");
            continue;
        };
        let group = name.strip_prefix('@');
        if group.is_some() && !options.groups {
            draft.lose(title, "a group without use_groups: pam_chroot stops reading here, and refuses every user who has no earlier line");
            lines.stops = true;
            break;
        }
        let mut name = group.unwrap_or(name);
        if !options.regex {
            // What else counts as space ends a name.
            name = name.split(['\u{b}', '\u{c}']).next().unwrap_or_default();
        }
        lines.found.push(Line {
            title,
            name: name.to_owned(),
            is_group: group.is_some(),
            directory: directory.to_owned(),
        });
    }
    lines
}

/// Gives the names of those whom a line is for; nothing where it is no expression.
fn matching<'a>(
    line: &Line,
    options: &Options,
    accounts: &[&'a Identity],
) -> Result<Option<HashSet<&'a OsStr>>, Failure> {
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
    Ok(Some(found.map(|it| it.name.as_os_str()).collect()))
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
        .args(["-ai", kind, "-e", expression])
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

/// Gives the one name that an expression is for: small letters between `^` and `$`. That it is for those in capital
/// letters, too, is told by the accounts that there are.
fn anchored(expression: &str) -> Option<&str> {
    let name = expression.strip_prefix('^')?.strip_suffix('$')?;
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    (!name.is_empty() && name.bytes().all(plain)).then_some(name)
}

/// Makes a jail of a directory, and says where that puts somebody. One that can't be carried over puts them nowhere.
fn put(draft: &mut Draft, title: &str, hint: &str, root: Result<String, String>) -> Now {
    let made = root.and_then(|root| {
        if root == "/" {
            return Ok(None);
        }
        let mut sketch = Sketch::new(&root)?;
        sketch.set_text("tmp", "root")?;
        sketch.set_text("dev", "root")?;
        sketch.set_text("proc", "root")?;
        Ok(Some(sketch))
    });
    match made {
        Ok(Some(mut sketch)) => {
            sketch.remark(title);
            Now::In(draft.jail(hint, sketch))
        }
        // It is the host's root that they are put into.
        Ok(None) => Now::Free,
        Err(why) => {
            draft.close();
            draft.lose(title, format!("{why}: whom it is for is refused"));
            Now::Refused
        }
    }
}

/// Gives the template that a directory of chroot.conf is.
fn template(directory: &str) -> Result<String, String> {
    let mut made = String::new();
    let mut letters = directory.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '{' | '}' => return Err(BRACES.to_owned()),
            '%' => match letters.next() {
                Some('u' | 'U') => made.push_str("{user}"),
                Some('g' | 'G') => made.push_str("{group}"),
                Some('%') => made.push('%'),
                Some(digit) if digit.is_ascii_digit() => {
                    return Err(format!(
                        "%{digit} is a part of what the expression found, which no template has"
                    ));
                }
                _ => return Err("a % that pam_chroot does not know".to_owned()),
            },
            _ => made.push(letter),
        }
    }
    Ok(cleaned(&made))
}

/// Gives the template that a directory of a stack is, in which nothing stands for anything else.
fn spelt_out(directory: &str) -> Result<String, String> {
    if directory.contains(['{', '}']) {
        return Err(BRACES.to_owned());
    }
    Ok(cleaned(directory))
}

const BRACES: &str = "a root can't have { or } in it";

/// Takes out what says nothing in a path.
fn cleaned(path: &str) -> String {
    let clean: Vec<&str> = path.split('/').filter(|it| !it.is_empty()).collect();
    let first = if path.starts_with('/') { "/" } else { "" };
    format!("{first}{}", clean.join("/"))
}

/// Says what is to be changed in the stacks. As long as one has both modules, whom one of them jails gets nowhere.
fn remaining(draft: &mut Draft, places: &[Place]) {
    draft.remains("install this as /etc/login-jail/config.toml, then:");
    let mut services: Vec<&str> = places.iter().map(|it| &*it.service).collect();
    services.dedup();
    for service in services {
        let file = quoted(format!("/etc/pam.d/{service}"));
        let snippet = Path::new(SNIPPETS).join(service);
        draft.remains(if snippet.exists() {
            format!("cat {} >>{file}", quoted(snippet))
        } else {
            format!(
                "printf 'account required pam_jail.so\\nsession required pam_jail.so\\n' >>{file}"
            )
        });
    }
    for Place { line, .. } in places {
        draft.remains(format!(
            "{line}: take it out, after pam_jail.so is in and not before"
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
        for expression in ["ann", "^ann", "^a.n$", "^$", "^a*$", "^Ann$"] {
            assert_eq!(anchored(expression), None, "{expression}");
        }
    }

    #[test]
    fn directories_become_templates() {
        assert_eq!(template("/srv/%g//%U/").unwrap(), "/srv/{group}/{user}");
        assert_eq!(template("/100%%").unwrap(), "/100%");
        assert_eq!(template("srv//x/").unwrap(), "srv/x");
        assert_eq!(template("//").unwrap(), "/");
        for wrong in ["/srv/%1", "/srv/%x", "/srv/%", "/{user}"] {
            assert!(template(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reads_the_options_of_a_stack() {
        let read = |line: &str| Options::of(line.split(' '));
        assert!(read("debug use_ext_regex").regex);
        assert!(read("onerr=fail").refuses_others);
        assert!(!read("notfound=failure onerr=succeed onerr=x").refuses_others);
        assert!(read("notfound=success onerr=fail").refuses_others);
        assert_eq!(
            read("chroot_dir= chroot_dir=/x chroot_dir=/z")
                .chroot_dir
                .as_deref(),
            Some("/x")
        );
    }
}
