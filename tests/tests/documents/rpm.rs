//! The RPM package on a system that is laid out as Fedora's: a root of its own with a database of its own, libraries in /usr/lib64, and
//! no package of Debian's. Nothing is forced: each thing that a package needs, another one has.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use login_jail_tests::{Outcome, Sandbox, directory::fetch, skipped};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Makes a package of programs of this machine, with the libraries that they need, at the places where Fedora has them.
///
/// These are Debian's files. What is Fedora's about it is the layout, rpm's own look at what each file needs and has, and scriptlets
/// that run in there.
const SYSTEM: &str = r#"
set -e
stage=/srv/stage
mkdir -p $stage/usr/bin $stage/usr/sbin $stage/usr/lib $stage/usr/lib64/security $stage/usr/libexec $stage/usr/share $stage/etc/pam.d \
    $stage/etc/skel $stage/dev $stage/home $stage/proc $stage/root $stage/run $stage/srv $stage/sys $stage/tmp $stage/var/lib $stage/var/log
chmod 1777 $stage/tmp
for name in bin sbin lib lib64; do ln -s usr/$name $stage/$name; done
bring() {
    cp -L "$1" "$2"
    ldd "$1" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do cp -nL "$library" $stage/usr/lib64/; done
}
for program in bash cat chmod cut date env getent grep head id install ldd ln ls mkdir printf rm sed setpriv sleep sort stat su tail test touch tr true umount; do
    bring /usr/bin/$program $stage/usr/bin/
done
bring $(command -v awk) $stage/usr/bin/awk
ln -s bash $stage/usr/bin/sh
for program in ldconfig useradd usermod; do bring /usr/sbin/$program $stage/usr/sbin/; done
[ ! -x /usr/bin/systemctl ] || bring /usr/bin/systemctl $stage/usr/bin/
for module in unix rootok permit env limits deny; do
    bring $(find /lib /usr/lib -name pam_$module.so | head -n 1) $stage/usr/lib64/security/
done
cp -L /lib64/ld-linux-x86-64.so.2 $(find /lib /usr/lib -name libgcc_s.so.1 | head -n 1) $stage/usr/lib64/
# Libraries are found by the cache, as they are on Fedora by the loader itself. Debian's libpam knows another directory for modules.
echo /usr/lib64 >$stage/etc/ld.so.conf
mkdir -p $stage/usr/lib/x86_64-linux-gnu
ln -s /usr/lib64/security $stage/usr/lib/x86_64-linux-gnu/security
/sbin/ldconfig -r $stage
printf 'root:x:0:0:root:/root:/bin/bash\n' >$stage/etc/passwd
printf 'root:x:0:\n' >$stage/etc/group
printf 'root:*:19000::::::\n' >$stage/etc/shadow
: >$stage/etc/gshadow
printf 'passwd: files\ngroup: files\nshadow: files\n' >$stage/etc/nsswitch.conf
printf 'auth sufficient pam_rootok.so\naccount required pam_permit.so\nsession required pam_permit.so\n' >$stage/etc/pam.d/su
cp /etc/login.defs $stage/etc/
cat >/srv/system.spec <<'END'
Name: fedora-like
Version: 1
Release: 1
Summary: Programs at the places where Fedora has them
License: none
Provides: /bin/sh, rtld(GNU_HASH)
%global debug_package %{nil}
%global __os_install_post %{nil}
%description
For a test.
%install
mkdir -p %{buildroot}
cp -a /srv/stage/. %{buildroot}/
%files
/*
END
sed -e 's/fedora-like/another/' -e '/^Provides/d' -e 's,^cp .*,mkdir -p %{buildroot}/usr/share/another,' -e 's,^/\*,/usr/share/another,' /srv/system.spec >/srv/another.spec
for package in system another; do rpmbuild -bb --quiet --define "_topdir /srv/rpmbuild" --define "_rpmdir /srv" --define "_rpmfilename $package.rpm" --define "_dbpath /srv/db" /srv/$package.spec 2>&1 | grep -v '^warning' || true; done
test -s /srv/system.rpm; test -s /srv/another.rpm
"#;

/// Builds a package.
fn packed(release: &str) -> String {
    let output = Command::new("packaging/rpm/build")
        .env("RELEASE", release)
        .current_dir(REPOSITORY)
        .output()
        .expect("start packaging/rpm/build");
    assert!(output.status.success(), "{output:?}");
    let path = String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned();
    let path = fs::canonicalize(Path::new(REPOSITORY).join(path)).expect("the package");
    path.display().to_string()
}

/// A machine with the system below /srv/fedora, and the path of the package; nothing where that can't be made here.
fn fedora(what: &str) -> Option<(Sandbox, String)> {
    let has = |program: &str| {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output();
        found.is_ok_and(|found| found.status.success())
    };
    if !has("rpmbuild") || !cfg!(target_arch = "x86_64") {
        skipped(what, "this machine has no rpmbuild, or another processor");
        return None;
    }
    let package = packed("1");
    let sandbox = Sandbox::bare();
    sandbox.must(SYSTEM);
    let said = sandbox.run(&["sh", "-c", "mkdir -p /srv/fedora && rpm --root /srv/fedora --initdb && rpm --root /srv/fedora -i /srv/system.rpm"]);
    said.ok();
    sandbox.must("mount --bind /dev /srv/fedora/dev; mount -t proc proc /srv/fedora/proc; mount -t tmpfs -o mode=755 none /srv/fedora/run");
    Some((sandbox, package))
}

fn rpm(sandbox: &Sandbox, words: &str) -> Outcome {
    sandbox.sh(&format!("rpm --root /srv/fedora {words}"))
}

/// Runs a script in there, with that root as the one of a mount namespace: in a chroot no view of a session can be built.
fn inside(sandbox: &Sandbox, script: &str) -> Outcome {
    sandbox.run(&enter(script))
}

fn enter(script: &str) -> [&str; 6] {
    let enter = r#"mount --make-rprivate /; mount --rbind /srv/fedora /srv/fedora; cd /srv/fedora; mkdir -p mnt
        pivot_root . mnt; exec /usr/bin/env -i PATH=/usr/sbin:/usr/bin bash -c 'umount -l /mnt; cd /; eval "$1"' - "$0""#;
    ["unshare", "--mount", "sh", "-c", enter, script]
}

/// ann has a rule and jail-shell, bob a rule and bash.
const PREPARE: &str = r#"useradd -M -s /usr/bin/jail-shell ann && useradd -M -s /bin/bash bob
printf 'exempt = ["root"]\n[users]\nann = "own"\nbob = "host"\n[jails.own]\nroot = "/srv/own"\n[jails.host]\nroot = "/srv/host"\nbase = "host"\nshell = "/bin/bash"\nhome = "/"\n' >/etc/login-jail/config.toml
jailctl build --with basicshell --user ann /srv/own 2>&1 && mkdir -p /srv/host"#;
const JAIL_SHELL: &str = "setpriv --reuid=ann --regid=ann --clear-groups jail-shell -c 'id -un; ls -d /srv/own; echo in'";

#[test]
fn it_is_installed_used_upgraded_and_erased_where_libraries_are_in_lib64() {
    let what = "the RPM package in a root like Fedora's";
    let Some((sandbox, package)) = fedora(what) else {
        return;
    };
    // Without --nodeps: what it needs is there, by rpm's own look at the files.
    let installed = rpm(&sandbox, &format!("-i {package}"));
    installed.ok();
    assert!(!installed.stderr.contains("scriptlet"), "{installed}");
    assert_eq!(
        rpm(&sandbox, "-V login-jail").ok(),
        "",
        "as packed, modes and owners too"
    );
    let listed = inside(
        &sandbox,
        "stat -c '%a %U %n' /usr/bin/jail-shell /usr/lib64/security/pam_jail.so /var/log/login-jail",
    );
    assert_eq!(
        listed.ok(),
        "4755 root /usr/bin/jail-shell\n644 root /usr/lib64/security/pam_jail.so\n700 root /var/log/login-jail"
    );

    // It jails nobody until it is told to. Then every door serves, from libraries that are where Fedora has them.
    inside(&sandbox, PREPARE).ok();
    let served = inside(&sandbox, JAIL_SHELL);
    assert_eq!(served.stdout, "ann\nin\n", "{served}");
    assert!(
        served.stderr.contains("/srv/own"),
        "not in her root: {served}"
    );
    inside(
        &sandbox,
        "for type in account session; do echo \"$type required pam_jail.so\" >>/etc/pam.d/su; done",
    )
    .ok();
    let served = inside(&sandbox, "su bob -c 'id -un; ls -d /srv/host; echo in'");
    assert_eq!(served.stdout, "bob\nin\n", "{served}");
    let counted = inside(&sandbox, "jailctl metrics");
    assert!(
        counted
            .stdout
            .contains("login_jail_logins_total{jail=\"own\"} 1\n"),
        "{counted}"
    );

    // The trigger: a package that changes /usr brings the roots up to date.
    let trigger = rpm(&sandbox, "-q --filetriggers login-jail");
    assert!(trigger.ok().contains("jailctl update"), "{trigger}");
    inside(
        &sandbox,
        "rm /srv/own/usr/bin/ls /srv/own/bin/ls 2>/dev/null; true",
    )
    .ok();
    rpm(&sandbox, "-i /srv/another.rpm").ok();
    assert_eq!(
        inside(&sandbox, "ls /srv/own/usr/bin/ls").ok(),
        "/srv/own/usr/bin/ls"
    );

    // An upgrade keeps a config that was changed, and the new sample is beside it.
    let mine = sandbox.read("/srv/fedora/etc/login-jail/config.toml");
    rpm(&sandbox, &format!("-U --replacepkgs {package}")).ok();
    assert_eq!(sandbox.read("/srv/fedora/etc/login-jail/config.toml"), mine);
    assert_eq!(inside(&sandbox, JAIL_SHELL).stdout, "ann\nin\n");

    // It is not erased while a stack of PAM names the module, and says whom it shuts out.
    let refused = rpm(&sandbox, "-e login-jail");
    assert_ne!(refused.code(), Some(0), "{refused}");
    assert!(refused.stderr.contains("lock everybody out"), "{refused}");
    assert_eq!(
        inside(&sandbox, JAIL_SHELL).stdout,
        "ann\nin\n",
        "nothing was taken away"
    );
    inside(&sandbox, "sed -i /pam_jail/d /etc/pam.d/su").ok();
    let erased = rpm(&sandbox, "-e login-jail");
    erased.ok();
    assert!(
        erased.stderr.contains("jail-shell is missing: ann"),
        "{erased}"
    );
    inside(&sandbox, "test ! -e /usr/bin/jail-shell && test ! -e /usr/lib64/security/pam_jail.so && test -d /srv/own").ok();
}

/// A repository with both packages of login-jail and the system, and dnf's settings.
const DNF: &str = "set -e
for deb in /srv/debs/*.deb; do dpkg-deb --fsys-tarfile $deb | tar -x --keep-directory-symlink -C /; done; ldconfig
mkdir -p /srv/repository; mv /srv/*.rpm /srv/repository; createrepo_c -q /srv/repository
printf '[main]\ngpgcheck=0\nreposdir=/none\ninstall_weak_deps=0\n[here]\nname=here\nbaseurl=file:///srv/repository\n' >/srv/dnf.conf";

/// dnf asks rpm, and must not go on where a scriptlet refuses.
#[test]
fn dnf_upgrades_it_under_an_open_session_and_removes_it_only_when_nobody_gets_out_by_that() {
    let what = "the RPM package with dnf";
    let Some((sandbox, package)) = fedora(what) else {
        return;
    };
    let debs = Path::new(REPOSITORY).join("target/dnf");
    if let Err(reason) = fetch(&debs, &["dnf", "createrepo-c"]) {
        return skipped(what, reason);
    }
    let newer = packed("2");
    sandbox.must(&format!(
        "cp {package} {newer} /srv/; ln -s {} /srv/debs",
        fs::canonicalize(debs).expect("the packages").display()
    ));
    sandbox.must(DNF);
    let dnf = |words: &str| {
        sandbox.sh(&format!(
            "dnf -y -c /srv/dnf.conf --installroot /srv/fedora --releasever 1 {words}"
        ))
    };
    let version = || rpm(&sandbox, "-q login-jail").ok().to_owned();
    dnf("install login-jail-0.1.0-1").ok();
    assert!(version().contains("-1."), "{}", version());
    inside(&sandbox, PREPARE).ok();
    let mine = sandbox.read("/srv/fedora/etc/login-jail/config.toml");

    // A session stays through the upgrade, and the next login is by the new program.
    let session = "setpriv --reuid=ann --regid=ann --clear-groups jail-shell -c 'echo up; read line; ls -d /srv/own; id -un'";
    let mut open = sandbox.command(&enter(session));
    let open = open.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut open = open.stderr(Stdio::null()).spawn().expect("a session");
    let mut said = BufReader::new(open.stdout.take().expect("a pipe"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    assert_eq!(line, "up\n");
    dnf("upgrade login-jail").ok();
    assert!(version().contains("-2."), "{}", version());
    assert_eq!(
        rpm(&sandbox, "-V login-jail --nomtime").stdout,
        "S.5......  c /etc/login-jail/config.toml\n"
    );
    open.stdin
        .take()
        .expect("a pipe")
        .write_all(b"on\n")
        .expect("write");
    line.clear();
    said.read_line(&mut line).expect("a line");
    assert_eq!(line, "ann\n", "it goes on in her root, with her ids");
    assert!(open.wait().expect("its end").success());
    assert_eq!(inside(&sandbox, JAIL_SHELL).stdout, "ann\nin\n");
    assert_eq!(sandbox.read("/srv/fedora/etc/login-jail/config.toml"), mine);

    // Removal is refused while a stack would let bob out, and then says who loses a jail.
    let timers = "/etc/systemd/system/timers.target.wants";
    let enable = format!(
        "mkdir -p {timers}; ln -s /usr/lib/systemd/system/login-jail-update.timer {timers}/"
    );
    inside(&sandbox, &format!("for type in account session; do echo \"$type required pam_jail.so\" >>/etc/pam.d/su; done; {enable}")).ok();
    let refused = dnf("remove login-jail");
    assert_ne!(refused.code(), Some(0), "{refused}");
    assert!(version().contains("-2."), "{refused}");
    assert_eq!(
        inside(&sandbox, JAIL_SHELL).stdout,
        "ann\nin\n",
        "nothing was taken away"
    );
    inside(
        &sandbox,
        &format!("test -L {timers}/login-jail-update.timer; sed -i /pam_jail/d /etc/pam.d/su"),
    )
    .ok();
    let removed = dnf("remove login-jail");
    removed.ok();
    let told = removed.stdout.clone() + &removed.stderr;
    assert!(told.contains("jail-shell is missing: ann"), "{removed}");
    assert!(
        told.contains("are not jailed without login-jail"),
        "{removed}"
    );
    assert!(told.contains("(usermod -L -e 1 NAME): bob"), "{removed}");
    // The rules stay, beside, for when it comes back; nothing is left that would start what is gone.
    assert_eq!(
        sandbox.read("/srv/fedora/etc/login-jail/config.toml.rpmsave"),
        mine
    );
    if sandbox.sh("test -x /srv/fedora/usr/bin/systemctl").code() == Some(0) {
        inside(
            &sandbox,
            &format!("! test -L {timers}/login-jail-update.timer"),
        )
        .ok();
    }
    // And until then jail-shell of another installation lets nobody in by the sample.
    dnf("install login-jail").ok();
    assert_eq!(inside(&sandbox, JAIL_SHELL).stdout, "");
}
