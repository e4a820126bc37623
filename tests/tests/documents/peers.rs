//! README's table of login-jail beside others: each of its cells is what is seen here.

use login_jail_tests::{JAIL_SHELL, Sandbox, roots, skipped};

const README: &str = include_str!("../../../README.md");

/// The columns of the table, in its order.
const PEERS: [Peer; 6] = [
    Peer::LoginJail,
    Peer::Jailkit,
    Peer::ChrootDirectory,
    Peer::PamChroot,
    Peer::Firejail,
    Peer::Bubblewrap,
];

/// What keeps ann in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    LoginJail,
    Jailkit,
    ChrootDirectory,
    PamChroot,
    Firejail,
    Bubblewrap,
}

/// What the script does that is ann's login shell.
const FIREJAIL: &str = r#"exec firejail --quiet --private=/srv/jails/$USER /bin/bash "$@""#;
const BUBBLEWRAP: &str = r#"exec bwrap --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 \
    --ro-bind /etc /etc --proc /proc --dev /dev --tmpfs /tmp --bind /srv/jails/$USER /home/$USER --unshare-all --share-net \
    --die-with-parent --chdir $HOME /bin/bash "$@""#;

impl Peer {
    /// The program or module without which it can't be tried.
    fn needs(self) -> &'static str {
        match self {
            Peer::LoginJail | Peer::ChrootDirectory => "/usr/sbin/sshd",
            Peer::Jailkit => "/usr/sbin/jk_chrootsh",
            Peer::PamChroot => "/usr/lib/*/security/pam_chroot.so /lib/*/security/pam_chroot.so",
            Peer::Firejail => "/usr/bin/firejail",
            Peer::Bubblewrap => "/usr/bin/bwrap",
        }
    }

    /// Whether ann's root has programs of its own.
    fn is_populated(self) -> bool {
        matches!(
            self,
            Peer::Jailkit | Peer::ChrootDirectory | Peer::PamChroot
        )
    }

    /// Where the host has her home.
    fn home(self) -> &'static str {
        match self {
            Peer::Firejail | Peer::Bubblewrap => "/srv/jails/ann",
            _ => "/srv/jails/ann/home/ann",
        }
    }

    /// A machine on which it keeps ann in, and bob has an account that nobody has configured.
    fn machine(self) -> Sandbox {
        let sandbox = match self {
            // It looks for threads of the kernel among the first processes, and does nothing without them.
            Peer::Firejail => Sandbox::bare().with(
                "cp /bin/sleep /run/kthreadd; /run/kthreadd 1000 >/dev/null 2>&1 </dev/null &",
            ),
            _ => Sandbox::new(),
        };
        let shell = match self {
            Peer::LoginJail => JAIL_SHELL,
            Peer::Firejail | Peer::Bubblewrap => "/usr/local/bin/jailed-shell",
            _ => "/bin/bash",
        };
        let sandbox = sandbox
            .user_with_shell("ann", shell)
            .user_with_shell("bob", shell)
            .with("install -d -o bob -g bob /home/bob; echo secret >/srv/outside")
            .pam();
        let sandbox = if self.is_populated() {
            let programs = [
                "/bin/sh",
                "/bin/cat",
                "/bin/ls",
                "/usr/lib/openssh/sftp-server",
            ];
            sandbox.jailed("ann").root(roots::programs(&programs))
        } else {
            sandbox.with(&format!(
                "install -d /srv/jails/ann; install -d -o ann -g ann {}",
                self.home()
            ))
        };
        let script =
            |line: &str| format!("printf '%s\\n' '#!/bin/sh' '{line}' >{shell}; chmod 755 {shell}");
        match self {
            Peer::LoginJail => sandbox
                .config("exempt = ['root']\n[users]\nann = 'web'\n[jails.web]\nroot = '/srv/jails/{user}'\nbase = 'host'\nshell = '/bin/bash'\n")
                .with("for stage in account session; do echo $stage required pam_jail.so >>/etc/pam.d/cron; done"),
            Peer::Jailkit => sandbox.with(
                "mkdir -p /etc/jailkit; usermod -s /usr/sbin/jk_chrootsh bob
                 usermod -d /srv/jails/ann/./home/ann -s /usr/sbin/jk_chrootsh ann",
            ),
            Peer::ChrootDirectory => sandbox
                .sshd("Subsystem sftp internal-sftp\nMatch User ann\nChrootDirectory /srv/jails/ann"),
            Peer::PamChroot => sandbox.with(
                "echo 'ann /srv/jails/ann' >/etc/security/chroot.conf
                 for service in sshd su cron; do echo 'session required pam_chroot.so' >>/etc/pam.d/$service; done",
            ),
            Peer::Firejail => sandbox.with(&script(FIREJAIL)),
            Peer::Bubblewrap => sandbox.with(&script(BUBBLEWRAP)),
        }
        .with(&format!("touch {0}/hers; cc -xc -static -w -o {0}/is-root - <<'END'
int main(void) {{ return geteuid() != 0; }}
END
chmod 4755 {0}/is-root", self.home()))
    }

    /// What is seen of it, row by row.
    fn seen(self) -> Vec<(&'static str, &'static str)> {
        let sandbox = self.machine();
        let ssh = |command: &str| sandbox.ssh("ann", command);
        let is = |holds: bool, yes: &'static str, no: &'static str| if holds { yes } else { no };
        let shell = ssh("cd ~; echo *").stdout == "hers is-root\n";
        let sftp = sandbox.sftp("ann", "ls hers");
        let outside = ssh("cat /srv/outside").stdout == "secret\n";
        let victim = sandbox.must("setpriv --reuid ann --regid ann --clear-groups sleep 1000 >/dev/null 2>&1 </dev/null & echo $!");
        let reached = ssh(&format!("kill -0 {victim}")).code() == Some(0);
        let is_root = ssh("~/is-root").code() == Some(0);
        let bob = sandbox.ssh("bob", "cat /srv/outside").stdout == "secret\n";
        let su = sandbox.su_dash_c("ann", "cat /srv/outside; echo $?");
        let tree = sandbox.must("du -sk /srv/jails/ann | cut -f 1");
        let mut seen = vec![
            ("a shell by ssh", is(shell, "yes", "no")),
            ("SFTP, kept inside", is(sftp.code() == Some(0), "yes", "no")),
            (
                "programs in the jail",
                is(
                    tree.parse::<u32>().unwrap_or(0) < 2048,
                    "the host's",
                    "copies",
                ),
            ),
            ("other files of the host", is(outside, "visible", "hidden")),
            (
                "her processes outside",
                is(reached, "in reach", "out of reach"),
            ),
            (
                "a set-user-ID root program",
                is(is_root, "runs as root", "no effect"),
            ),
            (
                "an account that is not configured",
                is(bob, "on the host", "refused"),
            ),
            (
                "`su - ann`",
                is(
                    su.stdout.contains("secret") && self != Peer::Firejail,
                    "on the host",
                    "jailed",
                ),
            ),
            (
                "her cron jobs",
                is(self.cron_is_outside(&sandbox), "on the host", "jailed"),
            ),
        ];
        sandbox.must("chmod 777 /srv/jails");
        seen.push((
            "everybody can write to the directory above the root",
            is(ssh("echo in").stdout == "in\n", "served", "refused"),
        ));
        sandbox.must("chmod 755 /srv/jails");
        seen.push((
            "a library is missing: the log names it",
            self.log_names_library(&sandbox),
        ));
        seen
    }

    /// Tells whether a job of cron's is where ann's login is not: nothing of firejail's or bubblewrap's is around it.
    fn cron_is_outside(self, sandbox: &Sandbox) -> bool {
        sandbox.must("install -d -m 777 /srv/jobs");
        let job = "test -e /srv/jobs && : >/srv/jobs/outside; : >~/done; : >/home/ann/done";
        sandbox.write("/etc/cron.d/hers", format!("@reboot ann {job}\n"));
        sandbox.must("mkdir -p /home/ann; chown ann: /home/ann; rm -f /run/crond.reboot /etc/cron.d/e2scrub_all; cron");
        let done = format!("test -e /home/ann/done || test -e {}/done", self.home());
        let came = sandbox.wait_until(|| (sandbox.sh(&done).code() == Some(0)).then_some(()));
        assert!(came.is_some(), "{self:?}: cron's job has not run");
        sandbox.sh("test -e /srv/jobs/outside").code() == Some(0)
    }

    fn log_names_library(self, sandbox: &Sandbox) -> &'static str {
        let remove = "find /srv/jails/ann -name 'libtinfo.so*' -exec rm {} +";
        match self {
            Peer::Firejail | Peer::Bubblewrap => return "does not apply",
            Peer::LoginJail => drop(sandbox.must(
                "sed -i '/^base/d' /etc/login-jail/config.toml; cd /srv/jails/ann; mkdir -p bin lib64
                 cp /bin/bash bin; for file in $(ldd /bin/bash | grep -o '/[^ ]*'); do mkdir -p .${file%/*}; cp $file .$file; done",
            )),
            _ => {}
        }
        sandbox.must(remove);
        let before = sandbox.syslog().len() + sandbox.sshd_log().len();
        let refused = sandbox.ssh("ann", "echo in");
        assert_eq!(refused.stdout, "", "{self:?}: {refused}");
        // The log is written by a process of its own, some time after the client is told.
        let tells = || {
            let log = sandbox.syslog() + &sandbox.sshd_log();
            assert!(log.len() >= before);
            log.contains("libtinfo").then_some(())
        };
        let told = match self {
            Peer::LoginJail => sandbox.wait_until(tells),
            _ => tells(),
        };
        if told.is_some() { "yes" } else { "no" }
    }
}

/// The rows of the table: what is asked, and the cells behind it. Notes at the foot, and whether it is bold, are not part of a cell.
fn table() -> Vec<(String, Vec<String>)> {
    let (_, rest) = README.split_once("\n| | login-jail | ").unwrap_or_default();
    let rows = rest
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cell = |cell: &str| {
        let text = cell.split("[^").next().unwrap_or_default();
        text.trim().trim_matches('*').to_owned()
    };
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split('|').map(cell);
        (cells.next().unwrap_or_default(), cells.collect())
    })
    .collect()
}

/// Compares a column with what is seen.
#[track_caller]
fn compare(peer: Peer) {
    if Sandbox::bare()
        .sh(&format!("ls {}", peer.needs()))
        .stdout
        .is_empty()
    {
        return skipped(
            &format!("README's column on {peer:?}"),
            "it is not installed",
        );
    }
    let column = PEERS.iter().position(|it| *it == peer).unwrap_or_default();
    let expected: Vec<(String, String)> = table()
        .into_iter()
        .map(|(row, cells)| (row, cells.get(column).cloned().unwrap_or_default()))
        .collect();
    let seen = peer.seen();
    let seen: Vec<_> = seen
        .iter()
        .map(|(row, cell)| ((*row).to_owned(), (*cell).to_owned()))
        .collect();
    assert_eq!(expected, seen, "left is README's, on {peer:?}");
}

#[test]
fn readme_tells_what_login_jail_does() {
    compare(Peer::LoginJail);
}

#[test]
fn readme_tells_what_jailkit_does() {
    compare(Peer::Jailkit);
}

#[test]
fn readme_tells_what_chroot_directory_does() {
    compare(Peer::ChrootDirectory);
}

#[test]
fn readme_tells_what_pam_chroot_does() {
    compare(Peer::PamChroot);
}

#[test]
fn readme_tells_what_firejail_does() {
    compare(Peer::Firejail);
}

#[test]
fn readme_tells_what_bubblewrap_does() {
    compare(Peer::Bubblewrap);
}
