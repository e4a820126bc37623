//! login-jail and others, each set up on a machine of its own for a user ann who logs in by ssh. Where a peer takes a root
//! directory, it is the same one: a static busybox.

use login_jail_tests::{JAIL_SHELL, Sandbox, roots};

const WRAPPER: &str = "/usr/local/bin/wrapper";

/// What keeps ann in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Nothing,
    LoginShell,
    Pam,
    Jailkit,
    ChrootDirectory,
    PamChroot,
    Firejail,
    Bubblewrap,
}

impl Peer {
    pub(crate) const ALL: [Peer; 8] = [
        Peer::Nothing,
        Peer::LoginShell,
        Peer::Pam,
        Peer::Jailkit,
        Peer::ChrootDirectory,
        Peer::PamChroot,
        Peer::Firejail,
        Peer::Bubblewrap,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Nothing => "no jail",
            Peer::LoginShell => "login-jail, login-shell",
            Peer::Pam => "login-jail, pam",
            Peer::Jailkit => "jailkit",
            Peer::ChrootDirectory => "ChrootDirectory",
            Peer::PamChroot => "pam_chroot",
            Peer::Firejail => "firejail",
            Peer::Bubblewrap => "bubblewrap",
        }
    }

    /// How it was set up, in a few words.
    pub(crate) fn how(self) -> &'static str {
        match self {
            Peer::Nothing => "/bin/sh as login shell",
            Peer::LoginShell => "jail-shell as login shell, the default walls",
            Peer::Pam => "pam_jail.so in sshd's stack, the default walls",
            Peer::Jailkit => "jk_chrootsh as login shell",
            Peer::ChrootDirectory => "sshd_config: ChrootDirectory",
            Peer::PamChroot => "pam_chroot.so in sshd's stack",
            Peer::Firejail => {
                "a login shell that runs firejail with its default profile, which shows the host's files"
            }
            Peer::Bubblewrap => {
                "a login shell that runs bwrap with --unshare-all --share-net --disable-userns --new-session"
            }
        }
    }

    fn package(self) -> Option<&'static str> {
        match self {
            Peer::Nothing | Peer::LoginShell | Peer::Pam => None,
            Peer::Jailkit => Some("jailkit"),
            Peer::ChrootDirectory => Some("openssh-server"),
            Peer::PamChroot => Some("libpam-chroot"),
            Peer::Firejail => Some("firejail"),
            Peer::Bubblewrap => Some("bubblewrap"),
        }
    }

    /// The version of the Debian package.
    pub(crate) fn version(self, sandbox: &Sandbox) -> String {
        self.package().map_or_else(
            || env!("CARGO_PKG_VERSION").to_owned(),
            |package| sandbox.must(&format!("dpkg-query -W -f '${{Version}}' {package}")),
        )
    }

    /// Where ann is by herself: her home there, as the host has it.
    pub(crate) fn root(self) -> &'static str {
        match self {
            Peer::Nothing | Peer::Firejail => "",
            _ => "/srv/jails/ann",
        }
    }

    pub(crate) fn set_up(self, keys: &str) -> Sandbox {
        let shell = match self {
            Peer::LoginShell => JAIL_SHELL,
            Peer::Firejail | Peer::Bubblewrap => WRAPPER,
            _ => "/bin/sh",
        };
        // Keys count against the quota of a uid on the whole machine: one that no test uses.
        let sandbox = Sandbox::new()
            .user_with_shell("ann", shell)
            .with("groupmod -g 7041 ann; usermod -u 7041 -g 7041 ann; mkdir -p /home/ann; chown ann: /home/ann")
            .jailed("ann")
            .root(roots::busybox())
            .with("chmod 755 /srv/jails /srv/jails/ann")
            .config(&format!(
                "exempt = ['root']\nusers = {{ ann = 'jail' }}\n[jails.jail]\nroot = '/srv/jails/ann'\nshell = '/bin/sh'\n{keys}\n"
            ))
            .pam();
        match self {
            Peer::Nothing | Peer::LoginShell => sandbox,
            Peer::Pam => sandbox.with(
                "for stage in account session; do echo $stage required pam_jail.so >>/etc/pam.d/sshd; done",
            ),
            // It insists on a home that is the user's own, and on a config directory.
            Peer::Jailkit => sandbox.with(
                "usermod -d /srv/jails/ann/./home/ann -s /usr/sbin/jk_chrootsh ann; mkdir -p /etc/jailkit",
            ),
            Peer::ChrootDirectory => sandbox.sshd("Match User ann\nChrootDirectory /srv/jails/ann"),
            Peer::PamChroot => sandbox.with(
                "echo 'ann /srv/jails/ann' >/etc/security/chroot.conf
                 echo 'session required pam_chroot.so' >>/etc/pam.d/sshd",
            ),
            // As a login shell itself it does not start in this version (its issue 6768). It refuses to work where pid 1
            // is not the machine's, unless that is a container.
            Peer::Firejail => wrapper(sandbox, "firejail --quiet /bin/sh").with(
                "printf 'container=lxc\\0' >/run/pid1; mount --bind /run/pid1 /proc/1/environ",
            ),
            Peer::Bubblewrap => wrapper(
                sandbox,
                "bwrap --unshare-all --share-net --unshare-user --disable-userns --die-with-parent --new-session \
                 --bind /srv/jails/ann / --proc /proc --dev /dev --tmpfs /tmp --chdir /home/ann /bin/sh",
            )
            .with("mkdir /srv/jails/ann/proc"),
        }
    }
}

/// Makes the login shell that runs a program which is none itself.
fn wrapper(sandbox: Sandbox, command: &str) -> Sandbox {
    sandbox.write(WRAPPER, format!("#!/bin/sh\nexec {command} \"$@\"\n"));
    sandbox.with(&format!("chmod 755 {WRAPPER}"))
}
