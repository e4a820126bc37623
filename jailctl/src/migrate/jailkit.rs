//! jailkit: accounts whose home has a `/./` and whose login shell is jk_chrootsh. See jk_chrootsh(8).

use std::{fs, io, path::Path};

use jail::account::identity::{Identity, IdentityError};
use jail_roots::presets::Presets;

use super::draft::{Draft, Sketch, string};
use crate::{accounts::account, failure::Failure, shell::quoted};

const CHROOT_SHELL: &str = "jk_chrootsh";
const LIMITED_SHELL: &str = "jk_lsh";

/// A line of passwd(5).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Account {
    name: String,
    gid: String,
    home: String,
    shell: String,
}

/// A section of one of jailkit's files.
#[derive(Debug)]
struct Section {
    name: String,
    line: usize,
    /// Key, value and line.
    keys: Vec<(String, String, usize)>,
}

impl Section {
    fn get(&self, key: &str) -> Option<&str> {
        let found = self.keys.iter().find(|(name, _, _)| name == key);
        found.map(|(_, value, _)| value.as_str())
    }

    fn is_on(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value != "0")
    }
}

/// Reads what jailkit has on this machine.
pub(crate) fn draft(directory: &Path, passwd: Option<&Path>) -> Result<Draft, Failure> {
    let mut draft = Draft::new(format!("jailkit's {}", directory.display()));
    let accounts = match passwd {
        Some(file) => parse_passwd(&read(file)?.unwrap_or_default()),
        None => parse_passwd(&account::passwd()?),
    };
    let shell_file = directory.join("jk_chrootsh.ini");
    let sections = parse_sections(&read(&shell_file)?.unwrap_or_default());
    let mut users = Vec::new();
    for account in &accounts {
        match file_name(&account.shell) {
            CHROOT_SHELL if user(&mut draft, account, &sections, &shell_file) => {
                users.push(account)
            }
            LIMITED_SHELL => draft.lose(
                format!("{}: login shell {}", account.name, account.shell),
                "jk_lsh without jk_chrootsh in front limits commands and changes no root",
            ),
            _ => {}
        }
    }
    shell_settings(&mut draft, &sections, &shell_file);
    other_files(&mut draft, directory)?;
    if !users.is_empty() {
        draft.remains("install this as /etc/login-jail/config.toml, then, for each user, the new login shell; a login is tried first:");
    }
    for account in users {
        let name = quoted(&account.name);
        draft.remains(format!(
            "jailctl add {name} --jail {}",
            draft.jail_of(&account.name)
        ));
    }
    draft.remains("jailctl check");
    draft.remains("roots stay as they are; once what jk_init has copied is moved away, jailctl build ROOT --with NAMES --user NAMES takes its place, and jailctl update jk_update's");
    Ok(draft)
}

/// Gives a user of jk_chrootsh the same root; tells whether that was possible.
fn user(draft: &mut Draft, account: &Account, sections: &[Section], file: &Path) -> bool {
    let line = format!(
        "passwd: {}:{}:{}",
        account.name, account.home, account.shell
    );
    let Some((root, home)) = split_home(&account.home) else {
        draft.lose(
            line,
            "the home has no /./, so that jk_chrootsh refuses the login",
        );
        return false;
    };
    let section = section_of(sections, account);
    let inside = account_inside(Path::new(root), &account.name);
    let skips = section.is_some_and(|it| it.is_on("skip_injail_passwd_check"));
    if inside.is_none() && !skips {
        draft.lose(&*line, "the root's /etc/passwd has no line for the user, so that jk_chrootsh refuses the login; the shell below is a guess");
    }
    let shell = section
        .and_then(|it| it.get("injail_shell"))
        .or(inside.as_ref().map(|it| it.shell.as_str()))
        .filter(|shell| !shell.is_empty());
    match sketch(draft, account, (root, &home), shell, section, file) {
        Ok(sketch) => {
            let jail = draft.jail(file_name(root), sketch);
            draft.user(&account.name, &jail, "")
        }
        Err(why) => {
            draft.lose(line, why);
            false
        }
    }
}

fn sketch(
    draft: &mut Draft,
    account: &Account,
    (root, home): (&str, &str),
    shell: Option<&str>,
    section: Option<&Section>,
    file: &Path,
) -> Result<Sketch, String> {
    let mut sketch = Sketch::new(root)?;
    if let Some(shell) = shell.filter(|shell| *shell != "/bin/sh") {
        sketch.set_text("shell", shell)?;
        if file_name(shell) == LIMITED_SHELL {
            sketch.remark(
                "jk_lsh goes on limiting commands, by the root's own /etc/jailkit/jk_lsh.ini",
            );
        }
    }
    if home == format!("/home/{}", account.name) {
        sketch.set_text("home", "/home/{user}")?;
    } else {
        sketch.set_text("home", home)?;
    }
    if Path::new(root).join("tmp").is_dir() {
        sketch.set_text("tmp", "root")?;
    }
    let variables = section.and_then(|it| it.get("env"));
    let Some(variables) = variables else {
        return Ok(sketch);
    };
    let mut passed = Vec::new();
    for name in variables
        .split(',')
        .map(str::trim)
        .filter(|it| !it.is_empty())
    {
        let mut trial = Sketch::new("/x")?;
        match trial.set("env", format!("{{ pass = [{}] }}", string(name))) {
            Ok(()) => passed.push(string(name)),
            Err(why) => draft.lose(format!("{}: env {name}", file.display()), why),
        }
    }
    sketch.set("env", format!("{{ pass = [{}] }}", passed.join(", ")))?;
    Ok(sketch)
}

/// Cuts a home at its last `/./`: the root before it, the home inside behind it.
fn split_home(home: &str) -> Option<(&str, String)> {
    let (root, inside) = home.rsplit_once("/./")?;
    let root = root.trim_end_matches('/');
    let inside = inside.trim_matches('/');
    (!root.is_empty()).then(|| (root, format!("/{inside}")))
}

/// Finds the one section that jk_chrootsh obeys: the user's, else the primary group's, else DEFAULT.
fn section_of<'a>(sections: &'a [Section], account: &Account) -> Option<&'a Section> {
    let group = match Identity::named(&account.name) {
        Ok(identity) => identity.group.to_string_lossy().into_owned(),
        // An account of another machine: the number says nothing here.
        Err(IdentityError::Unknown(_)) => account.gid.clone(),
        Err(_) => String::new(),
    };
    let named = |name: &str| sections.iter().find(|it| it.name == name);
    named(&account.name)
        .or_else(|| named(&format!("group {group}")))
        .or_else(|| named("DEFAULT"))
}

fn account_inside(root: &Path, name: &str) -> Option<Account> {
    let text = fs::read(root.join("etc/passwd")).ok()?;
    let accounts = parse_passwd(&String::from_utf8_lossy(&text));
    accounts.into_iter().find(|it| it.name == name)
}

/// Says what of jk_chrootsh.ini has no counterpart.
fn shell_settings(draft: &mut Draft, sections: &[Section], file: &Path) {
    for section in sections {
        for (key, value, line) in &section.keys {
            let why = match key.as_str() {
                "env" | "skip_injail_passwd_check" | "injail_shell" => continue,
                "injail_login_shell" => {
                    "the shell is started as a login shell, or with -c COMMAND where one was asked for"
                }
                _ if key.starts_with("relax_home") => {
                    "nothing to relax: whose the home is and who may write to it is not looked at"
                }
                _ => "not known to jailctl",
            };
            draft.lose(
                format!(
                    "{}:{line}: [{}] {key} = {value}",
                    file.display(),
                    section.name
                ),
                why,
            );
        }
    }
}

/// Says what of the files that say nothing about who goes where has no counterpart.
fn other_files(draft: &mut Draft, directory: &Path) -> Result<(), Failure> {
    for (name, why) in [
        (
            "jk_lsh.ini",
            "a config limits no commands yet; jk_lsh in a root goes on reading the copy that is there",
        ),
        (
            "jk_socketd.ini",
            "/dev in a jail is a new one without /dev/log, unless dev = \"root\"",
        ),
    ] {
        let file = directory.join(name);
        for section in parse_sections(&read(&file)?.unwrap_or_default()) {
            draft.lose(
                format!("{}:{}: [{}]", file.display(), section.line, section.name),
                why,
            );
        }
    }
    let file = directory.join("jk_init.ini");
    let presets = Presets::load()?;
    for section in parse_sections(&read(&file)?.unwrap_or_default()) {
        if !presets.iter().any(|(name, _)| name == section.name) {
            draft.lose(
                format!("{}:{}: [{}]", file.display(), section.line, section.name),
                "says what a root is made of: as a preset of that name it goes into /etc/login-jail/presets.d",
            );
        }
    }
    Ok(())
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').find(|it| !it.is_empty()).unwrap_or(path)
}

fn parse_passwd(text: &str) -> Vec<Account> {
    let parse = |line: &str| {
        let mut fields = line.split(':').map(str::to_owned);
        let name = fields.next().filter(|name| !name.is_empty())?;
        let gid = fields.nth(2)?;
        let home = fields.nth(1)?;
        let shell = fields.next()?;
        Some(Account {
            name,
            gid,
            home,
            shell,
        })
    };
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(parse)
        .collect()
}

/// Parses the format of jailkit's files: sections of `key = value`, with `#` before a comment.
fn parse_sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.split(']').next()) {
            let (name, keys) = (name.trim().to_owned(), Vec::new());
            sections.push(Section {
                name,
                line: number,
                keys,
            });
        } else if let (false, Some((key, value)), Some(section)) = (
            line.starts_with('#'),
            line.split_once('='),
            sections.last_mut(),
        ) {
            section
                .keys
                .push((key.trim().to_owned(), value.trim().to_owned(), number));
        }
    }
    sections
}

/// Reads a file; nothing where it is not there. Bytes that are no text are replaced: they are in no name that a rule has.
fn read(file: &Path) -> Result<Option<String>, Failure> {
    match fs::read(file) {
        Ok(text) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::io("read", file, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::{parse_passwd, parse_sections, split_home};

    #[test]
    fn the_last_mark_in_a_home_is_where_the_root_ends() {
        for (home, expected) in [
            ("/srv/j/./home/ann", Some(("/srv/j", "/home/ann"))),
            ("/srv/./j/./home/ann/", Some(("/srv/./j", "/home/ann"))),
            ("/srv/j/./", Some(("/srv/j", "/"))),
            ("/./home/ann", None),
            ("/home/ann", None),
        ] {
            let found = split_home(home);
            let found = found.as_ref().map(|(root, home)| (*root, home.as_str()));
            assert_eq!(found, expected, "{home}");
        }
    }

    #[test]
    fn reads_sections_and_accounts() {
        let sections = parse_sections("#[no]\n[group users]\n#env = A\nenv= B, C\n[x]\n");
        assert_eq!(sections.len(), 2);
        assert_eq!(sections[0].get("env"), Some("B, C"));
        assert_eq!(sections[1].line, 5);
        let accounts = parse_passwd("ann:x:1:2:G:/h:/s\nshort:x\n#no:x:1:2::/:/s\n");
        assert_eq!(accounts.len(), 1);
        assert_eq!(
            (
                accounts[0].gid.as_str(),
                accounts[0].home.as_str(),
                accounts[0].shell.as_str()
            ),
            ("2", "/h", "/s")
        );
    }
}
