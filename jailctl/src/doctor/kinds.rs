//! The kinds of findings, as the help of `jailctl check` lists them.

/// The kinds of findings, which stay the same from release to release.
pub(crate) const KINDS: &str = "\
Kinds of findings, in brackets behind each; where a login is refused, the code that the user is told stands before it in \
parentheses:

The config: config, config-missing, config-unsafe, config-wrong, not-jailed, undecided, unknown-group, unknown-user, users-file.

The way to a root: root, base, mount.

What a login finds inside: behind-pam, etc-missing, exec, home-missing, home-not-writable, host-files, interpreter-missing, library-missing, locale-missing, login-shell, \
nss-library-missing, null-missing, passwd-disagrees, passwd-line-missing, program-broken, refused, resolver-missing, root-unsearchable, \
second-root, sftp-missing, sftp-server-broken, sftp-server-missing, shell-missing, step, terminfo-missing, \
time-zone-missing, weakened.

The files of a root: device, file-capabilities, hard-link, mount-in-root, set-id, system-owner, system-writable, world-writable; \
more, where one of them has more than 20.

The doors: at, at-jobs, cron, crontab, door, exempt, ftp, home-in-reach, jail-shell, jail-shell-writable, linger, \
lock-out, mail-forward, no-effect, no-login, no-rule, pam-config, pam-control, pam-environment, pam-half, pam-module, \
pam-no-account, pam-no-session, pam-options, pam-order, pam-other, pam-refuses, pam-skip, pam-twice, shared-uid, \
shells, sshd-accept-env, sshd-chroot, sshd-forced, sshd-forwarding, sshd-key-command, sshd-keys, sshd-locked, \
sshd-pam, sshd-sftp, sshd-unseen-keys, sshd-user-environment, sshd-user-rc, sudo, two-doors, uid-zero, unit, \
user-manager.

The account: account-expired, account-locked, disk-full, host-home-missing, host-shell, nologin, pam-denies, pam-shells, \
password-expired, sshd-denied, sshd-keys-ignored, sshd-keys-inside.

What --attack finds: reached.";
