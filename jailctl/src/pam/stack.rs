//! PAM stacks as libpam reads them, line by line: pam.d(5).

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where they are.
pub(crate) const DIRECTORY: &str = "/etc/pam.d";

/// Where those are that nobody has put there.
const VENDORS: &str = "/usr/lib/pam.d";

/// The service whose lines are those of every other that has none of a kind.
const OTHER: &str = "other";

/// The kinds of lines.
const KINDS: [&str; 4] = ["auth", "account", "password", "session"];

/// The name of our module.
pub(crate) const MODULE: &str = "pam_jail.so";

/// What pam_jail.so returns where it refuses or can't begin, and libpam where it can't load it: pam.conf(5).
const FAILURES: [&str; 5] = [
    "abort",
    "system_err",
    "service_err",
    "module_unknown",
    "open_err",
];

/// Everything that a module can return and the stack goes by, as pam.conf(5) has it.
pub(crate) const RESULTS: [&str; 31] = [
    "success",
    "open_err",
    "symbol_err",
    "service_err",
    "system_err",
    "buf_err",
    "perm_denied",
    "auth_err",
    "cred_insufficient",
    "authinfo_unavail",
    "user_unknown",
    "maxtries",
    "new_authtok_reqd",
    "acct_expired",
    "session_err",
    "cred_unavail",
    "cred_expired",
    "cred_err",
    "no_module_data",
    "conv_err",
    "authtok_err",
    "authtok_recover_err",
    "authtok_lock_busy",
    "authtok_disable_aging",
    "try_again",
    "ignore",
    "abort",
    "authtok_expired",
    "module_unknown",
    "bad_item",
    "conv_again",
];

/// How deep files may include each other.
const DEEPEST: usize = 16;

/// What libpam does after a module has returned: pam.conf(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Ignore,
    Ok,
    Done,
    Bad,
    Die,
    Reset,
    /// Goes on behind so many more lines; a substack is one.
    Jump(usize),
}

/// What a line is to libpam.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Module,
    /// Where a substack begins: it counts as a line in a jump, and asks nothing.
    Substack,
    /// It can't be read, and fails.
    Broken,
}

/// One rule of a stack, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) file: PathBuf,
    pub(crate) number: usize,
    /// Whether all of it stands on that line of the file, and not on more, joined by a backslash.
    pub(crate) whole: bool,
    /// The line of the service's own file by which it is in the stack.
    pub(crate) own: usize,
    /// How many substacks it is in.
    pub(crate) level: usize,
    pub(crate) role: Role,
    pub(crate) kind: String,
    pub(crate) control: String,
    pub(crate) module: String,
    pub(crate) arguments: Vec<String>,
}

impl Line {
    /// Tells whether it is of this kind, and our module's.
    pub(crate) fn jails(&self, kind: &str) -> bool {
        self.kind == kind && self.module.ends_with(MODULE)
    }

    /// Tells whether nobody gets in where the module refuses, or fails.
    pub(crate) fn fails_closed(&self) -> bool {
        FAILURES
            .iter()
            .all(|failure| matches!(self.action(failure), Action::Bad | Action::Die))
    }

    /// Gives the words of the conditions of pam_succeed_if(8), three for each; nothing where the line is another module's,
    /// or where they are about the program that opens the session.
    pub(crate) fn conditions(&self) -> Option<Vec<&str>> {
        const FLAGS: [&str; 5] = ["audit", "debug", "quiet", "quiet_fail", "quiet_success"];
        let is_one = Path::new(&self.module).file_name() == Some("pam_succeed_if.so".as_ref());
        let mut words: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        if !is_one || words.contains(&"use_uid") {
            return None;
        }
        words.retain(|word| !FLAGS.contains(word));
        Some(words)
    }

    /// Tells whether a line of pam_succeed_if(8) has the condition that the user is root, as pam_jail(8) writes it.
    pub(crate) fn is_for_root_alone(&self) -> bool {
        let conditions = self.conditions().unwrap_or_default();
        let mut conditions = conditions.chunks(3);
        conditions.any(|words| matches!(words, ["uid", "=" | "eq", "0"]))
    }

    /// Gives what libpam does where the module returns `result`.
    pub(crate) fn action(&self, result: &str) -> Action {
        let passed = ["success", "new_authtok_reqd"].contains(&result);
        let control = self.keyword();
        match control.to_ascii_lowercase().as_str() {
            "required" | "requisite" | "optional" if passed => Action::Ok,
            "required" | "requisite" if result == "ignore" => Action::Ignore,
            "required" => Action::Bad,
            "requisite" => Action::Die,
            "sufficient" if passed => Action::Done,
            "optional" | "sufficient" => Action::Ignore,
            _ => {
                let pairs = pairs(control).unwrap_or_default();
                let named = pairs.iter().rev().find(|(name, _)| *name == result);
                let default = || pairs.iter().find(|(name, _)| *name == DEFAULT);
                named
                    .or_else(default)
                    .map_or(Action::Bad, |(_, action)| *action)
            }
        }
    }

    /// Gives the control without its brackets.
    fn keyword(&self) -> &str {
        self.control.trim_start_matches('[').trim_end_matches(']')
    }

    /// Says where it is written.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.number)
    }
}

/// The name for every result that has no action of its own.
const DEFAULT: &str = "default";

/// Reads `[value=action ...]` without its brackets; nothing of what libpam does not understand, and takes for `bad`.
fn pairs(text: &str) -> Option<Vec<(&'static str, Action)>> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let mut names = RESULTS.iter().chain([&DEFAULT]);
        let (name, behind) = names.find_map(|name| Some((*name, rest.strip_prefix(*name)?)))?;
        let (action, behind) = action(behind.trim_start().strip_prefix('=')?.trim_start())?;
        pairs.push((name, action));
        rest = behind.trim_start();
    }
    Some(pairs)
}

/// Takes an action off the beginning.
fn action(text: &str) -> Option<(Action, &str)> {
    let words = [
        ("ignore", Action::Ignore),
        ("ok", Action::Ok),
        ("done", Action::Done),
        ("bad", Action::Bad),
        ("die", Action::Die),
        ("reset", Action::Reset),
    ];
    let word = |(word, action)| Some((action, text.strip_prefix(word)?));
    words.into_iter().find_map(word).or_else(|| {
        let end = text
            .find(|it: char| !it.is_ascii_digit())
            .unwrap_or(text.len());
        let (digits, behind) = text.split_at_checked(end)?;
        let lines = digits.parse().ok().filter(|lines| *lines > 0)?;
        Some((Action::Jump(lines), behind))
    })
}

/// Reads the modules in the stack of a service, with what it includes in the place where it does.
pub(crate) fn of(service: &str) -> Vec<Line> {
    let mut lines = rules(service);
    lines.retain(|line| line.role == Role::Module);
    lines
}

/// Reads the stack of a service as [`of`] does, with the lines that are no modules and count in a jump.
pub(crate) fn rules(service: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    read(service, &Within::default(), &mut lines);
    let mut others = Vec::new();
    read(OTHER, &Within::default(), &mut others);
    // What a service has no line of at all it takes from there.
    let has = |lines: &[Line], kind: &str| lines.iter().any(|line| line.kind == kind);
    others.retain(|line| !has(&lines, &line.kind));
    lines.extend(others);
    lines
}

/// Reads the lines of one file, each with its text; what it includes is another's.
pub(crate) fn in_file(file: &Path, text: &str) -> Vec<(Line, String)> {
    let lines = joined(text).into_iter();
    lines
        .map(|(number, _, text)| (parse(file, number, &text), text))
        .collect()
}

/// Where a file is included.
#[derive(Default)]
struct Within<'a> {
    /// The kind of lines that are taken from it, if only one is.
    only: Option<&'a str>,
    depth: usize,
    level: usize,
    own: Option<usize>,
}

/// Reads a file of a stack. Tells whether it could be read.
fn read(name: &str, within: &Within<'_>, lines: &mut Vec<Line>) -> bool {
    if within.depth == DEEPEST {
        return false;
    }
    let Some((file, text)) = open(name) else {
        return false;
    };
    for (number, whole, text) in joined(&text) {
        let own = within.own.unwrap_or(number);
        let deeper = Within {
            depth: within.depth + 1,
            own: Some(own),
            ..*within
        };
        if let Some(included) = text.strip_prefix("@include") {
            let _there = read(included.trim(), &deeper, lines);
            continue;
        }
        let mut line = Line {
            whole,
            own,
            level: within.level,
            ..parse(&file, number, &text)
        };
        if !KINDS.contains(&line.kind.as_str()) {
            line.role = Role::Broken;
            line.kind = within.only.unwrap_or("auth").to_owned();
        }
        if within.only.is_some_and(|kind| kind != line.kind) {
            continue;
        }
        let control = line.keyword().to_ascii_lowercase();
        if line.role == Role::Broken || !["include", "substack"].contains(&control.as_str()) {
            lines.push(line);
            continue;
        }
        let deeper = Within {
            only: Some(&line.kind),
            level: within.level + usize::from(control == "substack"),
            ..deeper
        };
        if control == "substack" {
            lines.push(Line {
                role: Role::Substack,
                ..line.clone()
            });
        }
        if !read(&line.module, &deeper, lines) {
            lines.push(Line {
                role: Role::Broken,
                control: "required".to_owned(),
                ..line.clone()
            });
        }
    }
    true
}

/// Reads the file of this name that libpam takes.
fn open(name: &str) -> Option<(PathBuf, String)> {
    [DIRECTORY, VENDORS].into_iter().find_map(|directory| {
        let file = Path::new(directory).join(name);
        // As bytes: libpam takes a comment in any encoding.
        let text = fs::read(&file).ok()?;
        Some((file, String::from_utf8_lossy(&text).into_owned()))
    })
}

/// Joins the lines that a backslash ends with those behind. Gives the number of the first, whether there is one only, and
/// what is no comment. A comment or an empty line in between does not end them.
fn joined(text: &str) -> Vec<(usize, bool, String)> {
    let mut lines: Vec<(usize, bool, String)> = Vec::new();
    let mut goes_on = false;
    for (number, text) in (1..).zip(text.lines()) {
        let (text, comment) = match text.split_once('#') {
            Some((before, _)) => (before.trim(), true),
            None => (text.trim(), false),
        };
        if text.is_empty() {
            continue;
        }
        let (text, more) = match text.strip_suffix('\\') {
            Some(before) if !comment => (before, true),
            _ => (text, false),
        };
        match lines.last_mut().filter(|_| goes_on) {
            Some((_, whole, first)) => {
                *whole = false;
                first.push(' ');
                first.push_str(text);
            }
            None => lines.push((number, true, text.to_owned())),
        }
        goes_on = more;
    }
    lines
}

/// Reads one rule.
pub(crate) fn parse(file: &Path, number: usize, text: &str) -> Line {
    let (kind, rest) = word(text).unwrap_or_default();
    let kind = kind.strip_prefix('-').unwrap_or(&kind).to_ascii_lowercase();
    let is_bracketed = rest.trim_start().starts_with('[');
    let (control, module) = match word(rest) {
        Some((control, rest)) => (Some(control), word(rest)),
        None => (None, None),
    };
    let role = if module.is_some() {
        Role::Module
    } else {
        Role::Broken
    };
    let (module, rest) = module.unwrap_or_default();
    Line {
        file: file.to_owned(),
        number,
        whole: true,
        own: number,
        level: 0,
        role,
        kind,
        control: match control {
            Some(control) if is_bracketed => format!("[{control}]"),
            Some(control) => control,
            None => "required".to_owned(),
        },
        module,
        arguments: words(rest),
    }
}

/// Splits what stands behind the module.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some((word, behind)) = word(rest) {
        words.push(word);
        rest = behind;
    }
    words
}

/// Takes a word off the beginning: one with spaces stands in brackets, in which `\]` is a bracket.
fn word(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    if text.starts_with('[') {
        return Some(bracketed(text));
    }
    let (word, behind) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (!word.is_empty()).then(|| (word.to_owned(), behind))
}

/// Takes a word in brackets off the beginning.
fn bracketed(text: &str) -> (String, &str) {
    let mut word = String::new();
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        match (letter, letters.peek()) {
            (']', _) => return (word, text.get(at + 1..).unwrap_or_default()),
            ('\\', Some((_, ']'))) => {
                letters.next();
                word.push(']');
            }
            _ => word.push(letter),
        }
    }
    (word, "")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Action, Line, Role, joined, parse};

    fn line(text: &str) -> Line {
        parse(Path::new("f"), 3, text)
    }

    #[test]
    fn tells_what_lets_nobody_in_where_the_module_fails() {
        for text in [
            "session required pam_jail.so",
            "SESSION Requisite pam_jail.so",
            // Only the log does not say that it is missing.
            "-session required pam_jail.so",
            "session [required] pam_jail.so",
            "session [success=ok ignore=ignore default=bad] pam_jail.so",
            "session [default=die success=1] pam_jail.so",
            "session [success=ok] pam_jail.so",
            "session [success=ok DEFAULT=ignore] pam_jail.so",
        ] {
            assert!(line(text).fails_closed(), "{text}");
        }
        for text in [
            "session optional pam_jail.so",
            "session sufficient pam_jail.so",
            "session [success=ok default=ignore] pam_jail.so",
            "session [ success = ok  default = ignore ] pam_jail.so",
            "session [default=bad module_unknown=ignore] pam_jail.so",
            "session [default=bad abort=2] pam_jail.so",
        ] {
            assert!(!line(text).fails_closed(), "{text}");
        }
    }

    #[test]
    fn reads_an_action_as_libpam_does() {
        let of =
            |control: &str, result: &str| line(&format!("session {control} m.so")).action(result);
        for (control, result, action) in [
            ("required", "ignore", Action::Ignore),
            ("optional", "ignore", Action::Ignore),
            ("sufficient", "new_authtok_reqd", Action::Done),
            ("[default=ignore success=2]", "success", Action::Jump(2)),
            ("[success=1 success=done]", "success", Action::Done),
            ("[default=die default=ok]", "abort", Action::Die),
            ("[success=okdefault=reset]", "abort", Action::Reset),
            // What it does not understand is all bad.
            ("[success=0 default=ignore]", "abort", Action::Bad),
            ("[success=no default=ignore]", "success", Action::Bad),
            ("[Success=ok default=ignore]", "abort", Action::Bad),
            ("enough", "success", Action::Bad),
        ] {
            assert_eq!(of(control, result), action, "{control} {result}");
        }
    }

    #[test]
    fn tells_the_line_that_is_for_root_alone() {
        let of = |words: &str| {
            line(&format!("session required pam_succeed_if.so {words}")).is_for_root_alone()
        };
        for words in [
            "quiet uid = 0",
            "uid eq 0",
            "user = ann debug uid = 0 audit",
        ] {
            assert!(of(words), "{words}");
        }
        for words in [
            "uid = 01",
            "uid < 1",
            "gid = 0",
            "uid >= 0",
            "use_uid uid = 0",
            "user = uid = 0",
            "",
            "uid = root",
        ] {
            assert!(!of(words), "{words}");
        }
    }

    #[test]
    fn joins_lines_as_libpam_does() {
        let text = "a \\\n# x\n\n  b \\ \nc # d \\\ne\\";
        assert_eq!(
            joined(text),
            [(1, false, "a  b  c".to_owned()), (6, true, "e".to_owned())]
        );
    }

    #[test]
    fn reads_a_rule_with_either_kind_of_control() {
        let read = line("session required pam_env.so user_readenv=1 x");
        assert_eq!(
            (read.control.as_str(), read.module.as_str()),
            ("required", "pam_env.so")
        );
        assert_eq!(read.arguments, ["user_readenv=1", "x"]);
        let read = line("-session [success=ok default=die]\tpam_jail.so");
        assert_eq!(read.kind, "session");
        assert_eq!(
            (read.control.as_str(), read.module.as_str()),
            ("[success=ok default=die]", "pam_jail.so")
        );
        assert_eq!(line("session required").role, Role::Broken);
        let read = line("session required m.so a [b c\\] d]e  [f");
        assert_eq!(read.arguments, ["a", "b c] d", "e", "f"]);
    }
}
