//! What `jailctl add` and the mends of `jailctl check` have written for one user outside of the config, and how it goes when
//! the user is released.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Output,
};

use jail::account::identity::Identity;

use crate::{
    accounts::{edit, host_text},
    failure::Failure,
    output::say,
    shell::{self, quoted, shown},
};

/// Who may not use cron and at.
const DENIED: [&str; 2] = ["/etc/cron.deny", "/etc/at.deny"];

/// The files of sshd's config that have our lines for single users.
const SSHD_LINES: [&str; 2] = [
    "/etc/ssh/sshd_config.d/10-login-jail.conf",
    "/etc/ssh/sshd_config.d/00-login-jail.conf",
];

/// Where keys are kept that sshd read in place of those in the home.
pub(crate) const KEYS: &str = "/etc/ssh/authorized_keys.d";

/// Where a crontab goes that is taken away from cron.
const KEPT: &str = "/root";

/// Removes what was written for a user, and says what is left for the administrator.
///
/// # Errors
/// A file can't be read or written, or a program has failed; what follows it is done all the same.
pub(crate) fn remove(identity: &Identity, dry_run: bool) -> Result<(), Failure> {
    let name = identity.name.to_string_lossy();
    let mut failed = Ok(());
    for file in DENIED.map(Path::new) {
        failed = failed.and(rewrite(file, dry_run, |text| without_line(text, &name)).map(drop));
    }
    let mut changed = false;
    for file in SSHD_LINES.map(Path::new) {
        match rewrite(file, dry_run, |text| without_match(text, &name)) {
            Ok(true) if !dry_run => match sshd_takes_it() {
                Ok(()) => changed = true,
                Err(failure) => {
                    failed = failed.and(edit::restore(file)).and(Err(failure));
                }
            },
            Ok(_) => {}
            Err(failure) => failed = failed.and(Err(failure)),
        }
    }
    if changed {
        failed = failed.and(reload_sshd().map(say));
    }
    failed = failed.and(unmask(identity, dry_run));
    say_what_is_kept(&name);
    failed
}

/// Writes a file anew if something of it goes. Tells whether it does. A file that is not there has nothing.
fn rewrite(
    file: &Path,
    dry_run: bool,
    change: impl Fn(&str) -> Option<String>,
) -> Result<bool, Failure> {
    let text = match host_text::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Failure::io("read", file, &error)),
    };
    let Some(new) = change(&text) else {
        return Ok(false);
    };
    let gone: Vec<&str> = removed(&text, &new);
    if dry_run {
        say(format_args!("would write to {}:", file.display()));
    } else {
        edit::replace(file, &new)?;
        say(format_args!("{}: these lines are gone:", file.display()));
    }
    for line in gone {
        say(format_args!("- {}", shown(line)));
    }
    Ok(true)
}

/// Gives the lines of a text that another has not, which is the same but for these.
fn removed<'a>(old: &'a str, new: &str) -> Vec<&'a str> {
    let mut kept = new.lines().peekable();
    let is_gone = |line: &&str| kept.next_if(|next| next == line).is_none();
    old.lines().filter(is_gone).collect()
}

/// Takes the lines that are this name out of a list; nothing where there is none.
fn without_line(text: &str, name: &str) -> Option<String> {
    let is_other = |line: &&str| line.trim() != name;
    let kept: String = text.split_inclusive('\n').filter(is_other).collect();
    (kept != text).then_some(kept)
}

/// Takes the blocks for this user alone out of a file of sshd's; nothing where there is none.
fn without_match(text: &str, name: &str) -> Option<String> {
    let mut own = false;
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        let mut words = line.split_whitespace();
        if words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("match"))
        {
            let words: Vec<&str> = words.collect();
            own = matches!(words.as_slice(), [criterion, user] if criterion.eq_ignore_ascii_case("user") && *user == name);
        }
        if !own {
            kept.push_str(line);
        }
    }
    (kept != text).then_some(kept)
}

/// Asks sshd whether it understands its config.
pub(crate) fn sshd_takes_it() -> Result<(), Failure> {
    match shell::ask("sshd", &["-t"])? {
        Some(answer) if !answer.status.success() => {
            let said = String::from_utf8_lossy(&answer.stderr).into_owned();
            // Only where it is started has it this directory.
            if said.contains("Missing privilege separation directory") {
                return Ok(());
            }
            Err(Failure::Failed(format!("sshd -t: {}", shown(said.trim()))))
        }
        _ => Ok(()),
    }
}

/// Lets sshd read its config again, and says how.
pub(crate) fn reload_sshd() -> Result<String, Failure> {
    let is_debians = ["/usr/lib", "/lib", "/etc"]
        .iter()
        .any(|it| Path::new(it).join("systemd/system/ssh.service").exists());
    let unit = if is_debians { "ssh" } else { "sshd" };
    let command = if Path::new("/run/systemd/system").exists() {
        ["systemctl", "reload", unit]
    } else if Path::new("/etc/init.d/ssh").exists() && Path::new("/run/sshd.pid").exists() {
        ["service", "ssh", "reload"]
    } else {
        return Ok("now reload sshd, if it runs".to_owned());
    };
    let [program, arguments @ ..] = command;
    let answer = shell::ask(program, &arguments)?;
    let said = answer
        .as_ref()
        .map(|it| String::from_utf8_lossy(&it.stderr));
    match said {
        // Where a socket starts it, it may not run at all.
        Some(said) if said.contains("is not active") => {
            Ok("sshd does not run, and reads its config when it starts".to_owned())
        }
        _ => ended(&command.join(" "), answer),
    }
}

/// Lets systemd start the user's manager again, if it was masked for this user.
fn unmask(identity: &Identity, dry_run: bool) -> Result<(), Failure> {
    let unit = format!("user@{}.service", identity.uid);
    let link = Path::new("/etc/systemd/system").join(&unit);
    let is_masked = fs::read_link(&link).is_ok_and(|to| to == Path::new("/dev/null"));
    match (is_masked, dry_run) {
        (false, _) => Ok(()),
        (true, true) => {
            say(format_args!("would run: systemctl unmask {unit}"));
            Ok(())
        }
        (true, false) => run("systemctl", &["unmask", &unit]),
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<(), Failure> {
    let command = format!("{program} {}", arguments.join(" "));
    ended(&command, shell::ask(program, arguments)?).map(say)
}

/// Says that a command was run, if it was, and did what it is for.
fn ended(command: &str, answer: Option<Output>) -> Result<String, Failure> {
    match answer {
        None => Err(Failure::Failed(format!("{command}: it is not installed"))),
        Some(answer) if answer.status.success() => Ok(format!("ran: {command}")),
        Some(answer) => {
            let said = String::from_utf8_lossy(&answer.stderr);
            Err(Failure::Failed(format!(
                "{command}: {}",
                shown(said.trim())
            )))
        }
    }
}

/// Says what stays, because it may be the administrator's by now.
fn say_what_is_kept(name: &str) {
    let keys = Path::new(KEYS).join(name);
    if keys.is_file() {
        say(format_args!(
            "{} has keys that sshd has read in place of ~/.ssh/authorized_keys; put them there if they are still wanted",
            shown(keys)
        ));
    }
    let crontab: PathBuf = Path::new(KEPT).join(format!("crontab.{name}"));
    if crontab.is_file() {
        say(format_args!(
            "{0} was the crontab; crontab -u {1} {2} installs it again",
            shown(&crontab),
            quoted(name),
            quoted(&crontab)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::{removed, without_line, without_match};

    #[test]
    fn a_line_of_one_user_goes_and_no_other() {
        let text = "ann\nanna\n ann \n#ann\nbob";
        assert_eq!(
            without_line(text, "ann").as_deref(),
            Some("anna\n#ann\nbob")
        );
        assert_eq!(
            without_line(text, "bob").as_deref(),
            Some("ann\nanna\n ann \n#ann\n")
        );
        assert_eq!(without_line(text, "carl"), None);
    }

    #[test]
    fn a_block_for_one_user_goes_and_no_other() {
        let text = "# ours\nMatch User ann\n  X11Forwarding no\nMatch User bob\n  X no\nMatch User ann,bob\n  Y no\nmatch user ann\nZ no\nMatch User ann Address 10.0.0.1\n A no\nMatch all\nB no\n";
        let left = "# ours\nMatch User bob\n  X no\nMatch User ann,bob\n  Y no\nMatch User ann Address 10.0.0.1\n A no\nMatch all\nB no\n";
        assert_eq!(without_match(text, "ann").as_deref(), Some(left));
        assert_eq!(without_match(left, "ann"), None);
        assert_eq!(
            removed(text, left),
            [
                "Match User ann",
                "  X11Forwarding no",
                "match user ann",
                "Z no"
            ]
        );
    }
}
