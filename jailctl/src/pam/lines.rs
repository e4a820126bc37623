//! Commands that put our lines into the stack of a service, and change them there.

use std::path::Path;

use super::stack::{DIRECTORY, Line, MODULE};
use crate::shell::{pattern, quoted};

/// Gives the command that puts our lines into the stack of a service, each where it is not there yet.
pub(crate) fn opening(service: &str) -> String {
    let kinds: &[&str] = if is_sudo(service) {
        &["session"]
    } else {
        &["account", "session"]
    };
    let lines = kinds.iter().map(|kind| added(service, kind, MODULE));
    lines.collect::<Vec<_>>().join("; ")
}

/// Gives the command that puts one line of ours into the file of a service. Whatever else has put it there in the meantime,
/// it is there once.
pub(crate) fn added(service: &str, kind: &str, words: &str) -> String {
    let file = quoted(Path::new(DIRECTORY).join(service));
    // Behind common-account, sshd's user is not told what to do about a password that has expired.
    let place = if (service, kind) == ("sshd", "account") {
        "1i"
    } else {
        // Not by echo, which would go on with a last line that has no end.
        "$a"
    };
    let line = quoted(format!("{place} {kind}  required  {words}"));
    format!("grep -Eiq '^\\s*-?{kind}\\s.*pam_jail' {file} || sed -i {line} {file}")
}

/// Tells whether the service is sudo's: the account stage is about the user who calls, and the session goes on after
/// PAM_SESSION_ERR.
pub(crate) fn is_sudo(service: &str) -> bool {
    ["sudo", "sudo-i"].contains(&service)
}

/// Gives the command that changes the control of a line, if it is one line of a file.
pub(crate) fn recontrolled(line: &Line, control: &str) -> Option<String> {
    let module = pattern(Path::new(&line.module).file_name()?.to_str()?)?;
    let (number, file) = (line.number, quoted(&line.file));
    // What has moved in the meantime is left alone.
    let script = format!(r"{number}{{/{module}/s/^(\s*\S+\s+)(\[[^]]*]|\S+)/\1{control}/}}");
    line.whole.then(|| format!("sed -E -i '{script}' {file}"))
}

/// Gives module and arguments of a line, if all can stand in a command as they are.
pub(crate) fn plain(line: &Line) -> Option<String> {
    plain_words(std::iter::once(&line.module).chain(&line.arguments))
}

fn plain_words<'a>(words: impl Iterator<Item = &'a String>) -> Option<String> {
    let words: Vec<&str> = words.map(String::as_str).collect();
    let plain = |word: &&str| {
        word.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/._-=".contains(&byte))
    };
    words.iter().all(plain).then(|| words.join(" "))
}

/// Gives the command that takes out the first of these lines which is in the service's own file. Twice in a row it takes
/// no line of another kind away.
pub(crate) fn taken_out(service: &str, kind: &str, lines: &[&Line]) -> Option<String> {
    let own = Path::new(DIRECTORY).join(service);
    let line = lines.iter().find(|it| it.whole && it.file == own)?;
    let (number, own) = (line.number, quoted(&own));
    Some(format!(
        "sed -i '{number}{{/^[[:space:]]*-\\?{kind}.*pam_jail[.]so/Id}}' {own}"
    ))
}

/// Gives the command that takes a word out of a line of ours, if all others can stand in a command as they are.
pub(crate) fn without(line: &Line, word: &str) -> Option<String> {
    let others = line.arguments.iter().filter(|other| *other != word);
    let words = plain_words(std::iter::once(&line.module).chain(others))?;
    line.whole.then(|| {
        format!(
            "sed -i '{}s,[^[:space:]]*pam_jail[.]so.*,{words},' {}",
            line.number,
            quoted(&line.file)
        )
    })
}
