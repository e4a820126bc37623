//! The machines of this program: each is started once, and put back to the same state for each claim.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use login_jail_tests::Outcome;
use login_jail_tests::skipped;
use login_jail_tests::vm::{Release, Vm};

/// Says whether a session is in the jail: what is in /srv of the host is in no jail.
pub(crate) const WHERE: &str = "test -e /srv/outside && echo outside || echo inside";

/// A machine, or why there is none.
type Started = Mutex<Option<Result<Vm, String>>>;

static TRIXIE: Started = Mutex::new(None);
static BOOKWORM: Started = Mutex::new(None);

/// Tries a claim on a release, or says why it can't be tried here.
#[track_caller]
pub(crate) fn on(release: Release, claim: fn(&mut Vm)) {
    let machine = match release {
        Release::Trixie => &TRIXIE,
        Release::Bookworm => &BOOKWORM,
    };
    // What another claim has broken is put back.
    let mut machine = machine.lock().unwrap_or_else(PoisonError::into_inner);
    match machine.get_or_insert_with(|| start(release)) {
        Ok(vm) => {
            vm.restore();
            claim(vm);
        }
        Err(reason) => skipped(&format!("the machine {}", release.name()), reason),
    }
}

fn start(release: Release) -> Result<Vm, String> {
    let since = Instant::now();
    let mut vm = Vm::boot(release)?;
    vm.install();
    vm.must("install -d -m 700 /root/keys; install -m 644 /usr/local/share/vm/key.pub /root/keys/key.pub; echo >/srv/outside");
    vm.save();
    let seconds = since.elapsed().as_secs();
    let (name, by) = (release.name(), vm.accelerator());
    let line = format!("{name}: {seconds} s to a machine with the package, by {by}\n");
    std::io::stderr().write_all(line.as_bytes()).ok();
    Ok(vm)
}

/// Makes a user with a rule, whose jail shows the host's programs, with this login shell.
#[track_caller]
pub(crate) fn jailed(vm: &Vm, name: &str, shell: &str, keys: &str) {
    vm.user(name, shell);
    vm.must(&format!(
        "install -d /srv/jails/{name}/home; install -d -o {name} -g {name} -m 700 /srv/jails/{name}/home/{name}
        cat >/etc/login-jail/users.d/{name}.toml <<'END'
root = \"/srv/jails/{name}\"
base = \"host\"
shell = \"/bin/bash\"
{keys}
END"
    ));
}

/// Puts pam_jail.so behind these services.
#[track_caller]
pub(crate) fn behind_pam(vm: &Vm, services: &[&str]) {
    for service in services {
        vm.must(&format!(
            "printf 'account required pam_jail.so\\nsession required pam_jail.so\\n' >>/etc/pam.d/{service}"
        ));
    }
}

/// Insists on a login that was served in the jail, and gives what it has said.
#[track_caller]
pub(crate) fn inside(outcome: &Outcome) {
    let last = outcome.ok().lines().last();
    assert_eq!(last.map(str::trim), Some("inside"), "{outcome}");
}

/// A machine without systemd: what it takes for a login by ssh, and cgroups of version 2.
const INIT: &str = "#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/pts; mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=755 run /run; mkdir -p /run/sshd /run/lock
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up; hostname vm; /usr/sbin/sshd
while :; do sleep 1; done
";

/// Restarts a machine with another init than systemd.
#[track_caller]
pub(crate) fn without_systemd(vm: &mut Vm) {
    vm.sh_with(
        "rm /sbin/init; cat >/sbin/init; chmod 755 /sbin/init",
        INIT.as_bytes(),
    )
    .ok();
    vm.reboot();
    vm.must("[ ! -e /run/systemd/system ]; [ \"$(cat /proc/1/comm)\" = init ]");
}
