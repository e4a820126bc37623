//! Path templates: `/srv/jails/{user}`.
//!
//! A template is checked twice. When it is loaded, for what is wrong with it for everybody; when
//! it is filled in, because no account may choose where its root is: a value that could lead
//! elsewhere refuses the login.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::account::Account;
use crate::fault::Complaint;
use crate::nearest::nearest;
use crate::rule::Rule;

const VARIABLES: &[(&str, Variable)] = &[
    ("user", Variable::User),
    ("uid", Variable::Uid),
    ("group", Variable::Group),
    ("gid", Variable::Gid),
    ("home", Variable::Home),
];
const VARIABLES_HELP: &str = "the variables are {user} {uid} {group} {gid} {home}";

#[derive(Debug, Clone, Copy)]
enum Variable {
    User,
    Uid,
    Group,
    Gid,
    Home,
}

#[derive(Debug)]
enum Piece<'a> {
    Text(&'a str),
    Variable(Variable),
}

/// A path with variables, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(String);

impl Template {
    /// Checks a template. Takes the text without copying it, as there can be one for each user.
    pub(crate) fn parse(text: String) -> Result<Template, Complaint> {
        for piece in pieces(&text) {
            piece?;
        }
        if !text.starts_with('/') && !text.starts_with("{home}") {
            let complaint = Complaint::new(format!("{text:?} is not an absolute path"));
            return Err(complaint.help("begin it with / or {home}"));
        }
        check_components(&text)?;
        Ok(Template(text))
    }

    /// Checks the template of a root directory, which can't be the host's.
    pub(crate) fn parse_root(text: String) -> Result<Template, Complaint> {
        let template = Template::parse(text)?;
        if template.0 == "/" {
            let message = "\"/\" is the host's own root, which jails nobody";
            return Err(Complaint::new(message));
        }
        Ok(template)
    }

    /// Checks the template of a base directory, which is never the whole host.
    pub(crate) fn parse_base(text: String) -> Result<Template, Complaint> {
        if text == "/" {
            let complaint = Complaint::new("\"/\" is the whole host");
            return Err(complaint.help("base = \"host\" has the system directories of the host"));
        }
        Template::parse(text)
    }

    /// Checks the template of a mount's target.
    pub(crate) fn parse_target(text: String) -> Result<Template, Complaint> {
        let template = Template::parse(text)?;
        match unfit_target(Path::new(&template.0)) {
            Some(unfit) => Err(Complaint::new(format!("{:?} {unfit}", template.0))),
            None => Ok(template),
        }
    }

    /// The home directory where a config names none.
    pub(crate) fn default_home() -> Template {
        Template("/home/{user}".to_owned())
    }

    /// Gives the template as it is written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Fills in what an account has. The error says why its value can't be part of a path.
    pub(crate) fn fill(&self, account: &Account<'_>) -> Result<PathBuf, String> {
        let mut path: Vec<u8> = Vec::with_capacity(self.0.len() + 32);
        for piece in pieces(&self.0) {
            match piece.map_err(|complaint| complaint.message)? {
                Piece::Text(text) => path.extend_from_slice(text.as_bytes()),
                Piece::Variable(Variable::User) => push_name(&mut path, "{user}", account.name)?,
                Piece::Variable(Variable::Group) => push_name(&mut path, "{group}", account.group)?,
                Piece::Variable(Variable::Uid) => {
                    path.extend_from_slice(account.uid.to_string().as_bytes());
                }
                Piece::Variable(Variable::Gid) => {
                    path.extend_from_slice(account.gid.to_string().as_bytes());
                }
                Piece::Variable(Variable::Home) => push_home(&mut path, account.home)?,
            }
        }
        if path.is_empty() {
            path.push(b'/');
        }
        let path = PathBuf::from(OsString::from_vec(path));
        check_filled(&path)?;
        Ok(path)
    }
}

/// Cuts a template into text and variables.
fn pieces(template: &str) -> impl Iterator<Item = Result<Piece<'_>, Complaint>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let piece = next_piece(rest);
        rest = match &piece {
            Ok((_, after)) => after,
            Err(_) => "",
        };
        Some(piece.map(|(piece, _)| piece))
    })
}

fn next_piece(rest: &str) -> Result<(Piece<'_>, &str), Complaint> {
    let Some(opened) = rest.strip_prefix('{') else {
        let end = rest.find(['{', '}']).unwrap_or(rest.len());
        let (text, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if text.is_empty() {
            return Err(Complaint::new("a } closes no variable").help(VARIABLES_HELP));
        }
        return Ok((Piece::Text(text), after));
    };
    let Some((name, after)) = opened
        .split_once('}')
        .filter(|(name, _)| !name.contains(['{', '/']))
    else {
        return Err(Complaint::new("a { opens no variable").help(VARIABLES_HELP));
    };
    if let Some((_, variable)) = VARIABLES.iter().find(|(known, _)| *known == name) {
        return Ok((Piece::Variable(*variable), after));
    }
    let known = VARIABLES.iter().map(|(known, _)| *known);
    let help = match nearest(name, known) {
        Some(meant) => format!("did you mean {{{meant}}}?"),
        None => VARIABLES_HELP.to_owned(),
    };
    Err(Complaint::new(format!("unknown variable {{{name}}}")).help(help))
}

/// Checks what a path is made of: no component may be empty or lead to another one.
pub(crate) fn check_components(path: &str) -> Result<(), Complaint> {
    if path.contains(char::is_control) {
        return Err(Complaint::new(format!("{path:?} has a control character")));
    }
    let inside = path.strip_prefix('/').unwrap_or(path);
    if inside.is_empty() {
        return Ok(());
    }
    for component in inside.split('/') {
        match component {
            "" => {
                let clean: Vec<&str> = inside.split('/').filter(|c| !c.is_empty()).collect();
                let slash = if path.starts_with('/') { "/" } else { "" };
                let clean = format!("{slash}{}", clean.join("/"));
                return Err(Complaint::new(format!("{path:?} has a slash too many"))
                    .help(format!("write {clean:?}")));
            }
            "." | ".." => {
                let complaint = Complaint::new(format!("{path:?} has a {component:?} component"));
                return Err(complaint.help("write the path without it"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn push_name(path: &mut Vec<u8>, variable: &str, name: &OsStr) -> Result<(), String> {
    let bytes = name.as_bytes();
    let reason = if bytes.is_empty() {
        return Err(format!("{variable} is empty"));
    } else if bytes == b"." || bytes.windows(2).any(|two| two == b"..") {
        "which could lead to another directory"
    } else if bytes.contains(&b'/') {
        "which has a slash"
    } else if bytes.iter().any(u8::is_ascii_control) {
        "which has a control character"
    } else {
        path.extend_from_slice(bytes);
        return Ok(());
    };
    Err(format!("{variable} is {name:?}, {reason}"))
}

/// Adds a home directory; a doubled slash before, in or after it becomes one.
fn push_home(path: &mut Vec<u8>, home: &Path) -> Result<(), String> {
    let bytes = home.as_os_str().as_bytes();
    let Some(inside) = bytes.strip_prefix(b"/") else {
        return Err(format!(
            "{{home}} is {home:?}, which is not an absolute path"
        ));
    };
    if path.ends_with(b"/") {
        path.pop();
    }
    for component in inside.split(|b| *b == b'/').filter(|c| !c.is_empty()) {
        if matches!(component, b"." | b"..") {
            return Err(format!(
                "{{home}} is {home:?}, which could lead to another directory"
            ));
        }
        if component.iter().any(u8::is_ascii_control) {
            return Err(format!(
                "{{home}} is {home:?}, which has a control character"
            ));
        }
        path.push(b'/');
        path.extend_from_slice(component);
    }
    Ok(())
}

/// Checks the whole once more: pieces that are harmless alone can make a `..` together.
fn check_filled(path: &Path) -> Result<(), String> {
    let Some(inside) = path.as_os_str().as_bytes().strip_prefix(b"/") else {
        return Err(format!(
            "it becomes {path:?}, which is not an absolute path"
        ));
    };
    let leads_away = |component: &[u8]| matches!(component, b"" | b"." | b"..");
    if !inside.is_empty() && inside.split(|b| *b == b'/').any(leads_away) {
        return Err(format!(
            "it becomes {path:?}, which could lead to another directory"
        ));
    }
    Ok(())
}

/// Says why a path in a jail can't be the target of a mount.
pub(crate) fn unfit_target(target: &Path) -> Option<&'static str> {
    if target == Path::new("/") {
        Some("is the jail's root, where no mount is made")
    } else if target.starts_with("/proc") {
        Some("is in /proc, where no mount is made")
    } else if target.starts_with("/dev") {
        Some("is in /dev, where no mount is made")
    } else {
        None
    }
}

/// A template that gives no safe path for an account. The login is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// The rule that chose the jail.
    pub rule: Box<Rule>,
    /// The key whose value the template is: `root`, `base`, `home`, or of a mount `source` or
    /// `target`.
    pub key: &'static str,
    /// The template as it is written.
    pub template: String,
    /// Which value can't be part of a path, and why.
    pub reason: String,
}

impl std::error::Error for TemplateError {}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            key,
            template,
            reason,
        } = self;
        write!(f, "{rule}: {key} {template:?}: {reason}")
    }
}

#[cfg(test)]
mod tests;
