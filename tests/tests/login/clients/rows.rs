//! README's table of clients as data: a client, the script that it runs, and what each jail makes of it.

/// What a jail makes of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// It does all of its work.
    Works,
    /// It is told one sentence, at once.
    Refused,
    /// It ends with an error, at once, for a reason that is the client's or sshd's.
    Fails,
}

use Cell::{Fails, Refused, Works};

/// A row of the table.
#[derive(Debug)]
pub(super) struct Client {
    /// As the table names it.
    pub(super) name: &'static str,
    /// Programs, files and Python modules without which it is skipped.
    pub(super) needs: &'static [&'static str],
    /// Its script and what that is given besides the account.
    pub(super) script: &'static [&'static str],
    /// Why it can't be tried on some machines: its script ends with 77 there.
    pub(super) impossible: Option<&'static str>,
    pub(super) sftp: Cell,
    pub(super) listed: Cell,
    pub(super) view: Cell,
    pub(super) debian: Cell,
}

/// A client that works everywhere: it needs SFTP and nothing else.
const fn by_sftp(
    name: &'static str,
    needs: &'static [&'static str],
    script: &'static [&'static str],
) -> Client {
    row(name, needs, script, [Works, Works, Works, Works])
}

/// A client that needs a shell.
const fn by_shell(
    name: &'static str,
    needs: &'static [&'static str],
    script: &'static [&'static str],
) -> Client {
    row(name, needs, script, [Refused, Refused, Works, Works])
}

const fn row(
    name: &'static str,
    needs: &'static [&'static str],
    script: &'static [&'static str],
    [sftp, listed, view, debian]: [Cell; 4],
) -> Client {
    Client {
        name,
        needs,
        script,
        impossible: None,
        sftp,
        listed,
        view,
        debian,
    }
}

/// A client of a command that the list has.
const LISTED: [Cell; 4] = [Refused, Works, Works, Works];

pub(super) const CLIENTS: &[Client] = &[
    by_shell("ssh", &["ssh"], &["ssh.sh"]),
    by_sftp("sftp", &["sftp"], &["sftp.sh"]),
    by_sftp("scp", &["scp"], &["scp.sh"]),
    row("scp -O", &["scp"], &["scp-old.sh"], LISTED),
    Client {
        impossible: Some("there is no /dev/fuse"),
        ..by_sftp("sshfs", &["sshfs"], &["sshfs.sh"])
    },
    row("rsync", &["rsync"], &["rsync.sh"], LISTED),
    row("git", &["git"], &["git.sh"], LISTED),
    by_shell("plink", &["plink", "puttygen"], &["plink.sh"]),
    by_sftp("pscp -sftp", &["pscp", "puttygen"], &["pscp-sftp.sh"]),
    row("pscp -scp", &["pscp", "puttygen"], &["pscp-scp.sh"], LISTED),
    by_sftp("psftp", &["psftp", "puttygen"], &["psftp.sh"]),
    by_sftp("lftp", &["lftp"], &["lftp.sh"]),
    by_sftp("rclone", &["rclone"], &["rclone.sh"]),
    by_sftp("restic", &["restic"], &["restic.sh"]),
    row("borg", &["borg"], &["borg.sh"], LISTED),
    by_sftp("paramiko", &["paramiko"], &["paramiko.py"]),
    row(
        "commands by paramiko",
        &["paramiko"],
        &["paramiko.py", "command"],
        [Refused, Refused, Works, Works],
    ),
    by_sftp("asyncssh", &["asyncssh"], &["asyncssh.py"]),
    row(
        "commands by asyncssh",
        &["asyncssh"],
        &["asyncssh.py", "command"],
        [Refused, Refused, Works, Works],
    ),
    by_sftp("WinSCP", &["python3"], &["winscp-sftp.py"]),
    by_shell("WinSCP in SCP mode", &["python3"], &["winscp-scp.py"]),
    by_sftp("FileZilla", &["python3"], &["filezilla.py"]),
    by_shell("Ansible", &["ansible-playbook"], &["ansible.sh"]),
    by_shell(
        "Ansible with pipelining",
        &["ansible-playbook"],
        &["ansible.sh", "True"],
    ),
    by_shell("mosh", &["mosh"], &["mosh.sh"]),
    by_shell("tmux", &["tmux"], &["tmux.sh"]),
    by_shell("screen", &["screen"], &["screen.sh"]),
    by_shell("VS Code Remote", &["python3", "curl"], &["vscode.sh"]),
    by_sftp("ssh -L -R -D", &["python3", "curl"], &["forward.sh"]),
    row(
        "ssh -A",
        &["ssh-agent"],
        &["agent.sh"],
        [Refused, Refused, Fails, Fails],
    ),
];
