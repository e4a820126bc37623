//! Documents whose commands are typed as they stand, and what they print compared with what is shown.

use std::io::{self, Write};

use crate::{Outcome, Sandbox, skipped};

/// A command of a document, and what the document says that it prints.
#[derive(Debug, Default)]
pub struct Typed {
    /// As bash takes it.
    pub command: String,
    /// The lines that follow it, where `…` stands for anything.
    pub printed: Vec<String>,
    /// Whether the prompt is a `$`: typed by a user on a machine of their own.
    pub by_user: bool,
}

/// Reads the commands of a section: `# ` and `$ ` begin one, and what a here-document takes belongs to it.
#[must_use]
pub fn typed(section: &str) -> Vec<Typed> {
    let mut all: Vec<Typed> = Vec::new();
    let mut lines = section.lines();
    let mut why_not = None;
    while let Some(line) = lines.next() {
        if let Some(reason) = line.strip_prefix("<!-- not run: ") {
            why_not = Some(reason.trim_end_matches(" -->"));
        }
        if line != "```console" {
            continue;
        }
        let mut block = lines.by_ref().take_while(|line| *line != "```");
        let mut commands: Vec<Typed> = Vec::new();
        while let Some(line) = block.next() {
            let by_user = line.starts_with("$ ");
            let Some(command) = line.strip_prefix("# ").or(line.strip_prefix("$ ")) else {
                let last = commands.last_mut().unwrap();
                last.printed.push(line.to_owned());
                continue;
            };
            let mut command = command.to_owned();
            if command.ends_with("<<'END'") {
                for line in block.by_ref() {
                    command = format!("{command}\n{line}");
                    if line == "END" {
                        break;
                    }
                }
            }
            commands.push(Typed {
                command,
                by_user,
                ..Typed::default()
            });
        }
        match why_not.take() {
            None => all.extend(commands),
            Some(reason) => {
                for Typed { command, .. } in commands {
                    skipped(&command, reason);
                }
            }
        }
    }
    all
}

/// Tells whether a line is as a document has it, where `…` stands for anything.
fn is_like(line: &str, shown: &str) -> bool {
    let mut rest = line;
    let mut parts = shown.split('…');
    let Some(first) = parts.next() else {
        return false;
    };
    match rest.strip_prefix(first) {
        Some(behind) => rest = behind,
        None => return false,
    }
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty() || shown.ends_with('…')
}

/// Gives a machine on which Debian's sshd was installed and started, with an administrator who has a key, and a user on a
/// machine of their own (in the sandbox: another account), who reaches this one as `server` and whose public key root has in
/// `/root/key.pub`.
#[must_use]
pub fn machine() -> Sandbox {
    machine_of(Sandbox::new())
}

/// Makes a sandbox such a machine.
#[must_use]
pub fn machine_of(sandbox: Sandbox) -> Sandbox {
    sandbox.with(
        "rm -f /etc/ssh/sshd_config.d/*; ssh-keygen -A >/dev/null; mkdir -p /run/sshd /root/.ssh
         printf 'Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\nX11Forwarding yes\nPrintMotd no\nAcceptEnv LANG LC_*\nSubsystem sftp /usr/lib/openssh/sftp-server\nListenAddress 127.0.0.1\n' >/etc/ssh/sshd_config
         rm -f /root/.ssh/*; ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
         printf 'BatchMode yes\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\nAddressFamily inet\n' >/root/.ssh/config
         useradd -r -m -U -p '*' -s /bin/bash you; install -d -m 700 -o you -g you /home/you/.ssh
         { cat /root/.ssh/config; printf 'Host server\nHostName 127.0.0.1\n'; } >/home/you/.ssh/config
         runuser -u you -- ssh-keygen -q -t ed25519 -N '' -f /home/you/.ssh/id_ed25519
         cp /home/you/.ssh/id_ed25519.pub /root/key.pub
         printf '#!/bin/sh\n[ \"$*\" = \"reload ssh\" ] || exec /usr/bin/systemctl \"$@\"; kill -HUP $(cat /run/sshd.pid) && sleep 0.5\n' >/usr/local/sbin/systemctl
         chmod 755 /usr/local/sbin/systemctl
         /usr/sbin/sshd; until [ -s /run/sshd.pid ]; do sleep 0.01; done",
    )
}

/// Types all commands of a text into the shells that their prompts name, and compares what they print. With `FOLLOW=show` in
/// the environment everything is printed and nothing compared: that is how a page is written.
#[track_caller]
pub fn follow(sandbox: &Sandbox, text: &str) {
    let commands = typed(text);
    assert!(commands.len() > 5, "{commands:?}");
    let show = std::env::var_os("FOLLOW").is_some();
    for typed in &commands {
        let outcome = type_one(sandbox, typed);
        if show {
            io::stderr().write_all(outcome.to_string().as_bytes()).ok();
            continue;
        }
        let Typed {
            command, printed, ..
        } = typed;
        assert_eq!(outcome.code(), Some(0), "{command}: {outcome}");
        if printed.is_empty() {
            continue;
        }
        let lines: Vec<&str> = outcome.stdout.lines().collect();
        assert_eq!(lines.len(), printed.len(), "{command}: {outcome}");
        for (line, shown) in lines.iter().zip(printed) {
            assert!(is_like(line, shown), "{command}: {line:?} is not {shown:?}");
        }
    }
    assert!(!show, "nothing was compared");
}

/// Types one command into the shell that its prompt names.
#[track_caller]
fn type_one(sandbox: &Sandbox, typed: &Typed) -> Outcome {
    let command = &typed.command;
    if typed.by_user {
        let script = format!("export HOME=/home/you; cd; {command}");
        return sandbox.run_as("you", &["bash", "-c", &script]);
    }
    let script = format!("export HOME=/root PATH=/usr/local/sbin:$PATH; cd; {command}");
    sandbox.run(&["bash", "-c", &script])
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn what_is_shown_is_compared() {
        assert!(is_like("abc", "abc") && is_like("/x/abc: d", "…abc: …") && is_like("a1b", "a…b"));
        assert!(!is_like("abc", "ab") && !is_like("abc", "…b") && !is_like("xabc", "abc"));
    }
}
