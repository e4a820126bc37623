//! `create` in the matrix, for jail-shell and behind PAM: each of its calls fails, and is the last of its process. What is there then is
//! a whole home or none, nothing of the user's has run outside the jail, and the next login needs no help.

use super::*;

const CONFIG: &str = "[users]\nann = \"ann\"\n[jails.ann]\nroot = \"/srv/jails/{user}\"\nbase = \"/srv/image\"\n\
                      create = { skel = \"/srv/skel\", mode = \"2750\" }\nrecord = \"sessions\"\n";

/// A machine with neither root directory nor home, and how ann logs in there.
struct Door {
    sandbox: Sandbox,
    /// Who starts the program, as inject takes it.
    who: String,
    login: &'static str,
    /// A login that nobody disturbs.
    again: &'static str,
    log: fn(&Sandbox) -> Vec<String>,
}

impl Door {
    fn jail_shell() -> Door {
        let sandbox = Door::host(Sandbox::new().user("ann"));
        let who = sandbox.must("echo $(id -u ann):$(id -g ann)");
        Door {
            sandbox,
            who,
            login: "/usr/bin/jail-shell jail-shell -c id",
            again: "setpriv --reuid ann --regid ann --clear-groups jail-shell -c id",
            log: Sandbox::log,
        }
    }

    /// Behind su, which goes on after a session that was not opened: the module is `optional`.
    fn pam() -> Door {
        let sandbox = Door::host(
            Sandbox::new()
                .user_with_shell("ann", "/bin/sh")
                .jailed("ann"),
        );
        let sandbox = sandbox.pam().behind_pam("optional", "");
        sandbox.must("sed -i '/^account.*pam_jail/d' /etc/pam.d/*");
        Door {
            sandbox,
            who: "0:0".to_owned(),
            login: "/bin/su su ann -c id",
            again: "su ann -c id",
            log: Sandbox::module_log,
        }
    }

    fn host(sandbox: Sandbox) -> Sandbox {
        let shell = format!("rm -f $root/bin/sh; cp {} $root/bin/sh", probe("report"));
        let sandbox = sandbox.root(roots::busybox().then(&shell)).config(CONFIG);
        sandbox.must(
            "mv /srv/jails/ann /srv/image; rmdir /srv/image/home/ann
             mkdir -p /srv/skel/d; echo '# profile' >/srv/skel/.profile; touch /srv/skel/d/f; ln -s d /srv/skel/link",
        );
        sandbox
    }
}

/// The home, as these logins make it.
const LIST: &str = "find ann/home/ann | LC_ALL=C sort | xargs stat -c '%n %F %a %U:%G'";

const WHOLE: &str = "ann/home/ann directory 2750 ann:ann
ann/home/ann/.profile regular file 644 ann:ann
ann/home/ann/d directory 755 ann:ann
ann/home/ann/d/f regular empty file 644 ann:ann
ann/home/ann/link symbolic link 777 ann:ann";

/// Calls that only this step makes, as inject takes them, and the errno they get.
#[rustfmt::skip]
const ROWS: &[((c_long, &str), &str)] = &[
    ((libc::SYS_openat2, ",path=.login-jail"), "EMFILE"),
    ((libc::SYS_mkdirat, ",path=.login-jail"), "EROFS"),
    ((libc::SYS_flock, ""), "ENOLCK"),
    ((libc::SYS_mkdirat, ",path=home"), "EDQUOT"),
    ((libc::SYS_mkdirat, ",path=ann"), "ENOSPC"),
    ((libc::SYS_openat2, ",path=skel"), "EACCES"),
    // The skeleton is listed, 16 KiB at a time: it has gone meanwhile.
    ((libc::SYS_getdents64, ",2=0x4000#1"), "ENOENT"),
    ((libc::SYS_readlinkat, ""), "EIO"),
    ((libc::SYS_symlinkat, ",path=link#1"), "ENOSPC"),
    ((libc::SYS_fchownat, "#1"), "EPERM"),
    ((libc::SYS_fchownat, "#1"), "lie"),
    ((libc::SYS_openat, ",path=.profile"), "EDQUOT"),
    ((libc::SYS_copy_file_range, ""), "ENOSPC"),
    ((libc::SYS_fchown, "#1"), "EPERM"),
    ((libc::SYS_fchown, "#1"), "lie"),
    ((libc::SYS_fchmod, "#1"), "EROFS"),
    ((libc::SYS_fchmod, "#1"), "lie"),
    ((libc::SYS_renameat2, ""), "EIO"),
    ((libc::SYS_unlinkat, "#1"), "EBUSY"),
];

fn refuses(door: &Door) {
    let sandbox = &door.sandbox;
    let (inject, who, login) = (probe("inject"), &door.who, door.login);
    let mut flaws = Vec::new();
    for ((number, arguments), fault) in ROWS {
        let before = (door.log)(sandbox).len();
        let row = format!("{number}{arguments} {fault}");
        let errno = errno(fault);
        let outcome = sandbox.sh(&format!(
            "rm -rf /srv/jails/ann; exec {inject} {who} call {number}{arguments} {errno} {login}"
        ));
        let is_in = Report::parse(&outcome.stdout).is_some();
        if is_in || outcome.code() == Some(0) || outcome.stderr.contains("probe: ") {
            flaws.push(format!("{row}: {outcome}"));
        }
        let is_said =
            |line: &String| line.contains("refused code=step") && line.contains("step create: ");
        let found = sandbox.wait_until(|| {
            let log = (door.log)(sandbox);
            log.iter().skip(before).any(is_said).then_some(())
        });
        if found.is_none() {
            let log = (door.log)(sandbox).split_off(before).join("\n");
            flaws.push(format!("{row}: not in the log\n{log}"));
        }
        let there = sandbox.sh(&format!("cd /srv/jails; [ ! -e ann ] || {LIST}"));
        if !["", WHOLE].contains(&there.ok()) {
            flaws.push(format!("{row}: half of it is there:\n{there}"));
        }
        let next = sandbox.sh(door.again);
        let is_in = Report::parse(&next.stdout).is_some();
        let there = sandbox.sh(&format!("cd /srv/jails; {LIST}; ls -A | grep -v '^ann$'"));
        if !is_in || there.stdout.trim_end() != WHOLE {
            flaws.push(format!("{row}: the next login finds\n{there}\n{next}"));
        }
    }
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
}

#[test]
fn refuses_when_a_call_fails_by_which_a_home_is_made() {
    refuses(&Door::jail_shell());
}

#[test]
fn refuses_behind_pam_when_a_call_fails_by_which_a_home_is_made() {
    refuses(&Door::pam());
}

/// What answers nothing but success, in this step. A lie about any other call is a wrong answer, which no second look finds out: a file
/// with nothing in it, an empty directory, the standard input in place of a file.
const BELIEVED: [c_long; 9] = [
    libc::SYS_mkdirat,
    libc::SYS_symlinkat,
    libc::SYS_fchmod,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    libc::SYS_flock,
    libc::SYS_umask,
];

/// Every call between the first and the last that have to do with it fails, or is the last of its process. What is there then is
/// nothing or all of it; what runs is in no other jail; and the next login needs no help.
fn sweep(door: &Door, faults: &[&str]) {
    let sandbox = &door.sandbox;
    let (inject, who, login, again) = (probe("inject"), &door.who, door.login, door.again);
    // What stays on the machine is made at the first login.
    sandbox.must(&format!("{again}; rm -rf /srv/jails/ann"));
    let outcome = sandbox.sh(&format!("exec {inject} {who} record {login} 9>/run/calls"));
    outcome.ok();
    sandbox.write("/run/expected", format!("{WHOLE}\n"));
    let calls = Call::parse_list(&sandbox.read("/run/calls"));
    let of_stage = |call: &&Call| call.path == ".login-jail";
    let first = calls.iter().find(of_stage).expect("it is looked for");
    let last = calls.iter().rfind(of_stage).expect("it is removed");
    assert_eq!(first.process, last.process);
    // What only closes or examines a descriptor changes nothing.
    let dull = [libc::SYS_close, libc::SYS_fstat];
    let points: Vec<&Call> = calls
        .iter()
        .filter(|call| call.process == first.process && !dull.contains(&call.number))
        .filter(|call| (first.position..=last.position).contains(&call.position))
        .collect();
    assert!(points.len() > 60, "{points:?}");
    // No process makes a call of number 0: this one is left alone.
    let mut wanted = vec!["0 0".to_owned()];
    for fault in faults {
        let fits = |call: &&&Call| *fault != "lie" || BELIEVED.contains(&call.number);
        let errno = errno(fault);
        let of_fault = points.iter().filter(fits);
        wanted.extend(of_fault.map(|call| format!("{} {errno}", call.position)));
    }
    sandbox.write("/run/wanted", wanted.join("\n") + "\n");
    sandbox.write(
        "/run/sweep",
        format!(
            "cd /srv/jails
             whole() {{ {LIST} 2>/dev/null | cmp -s - /run/expected; }}
             while read -r point fault <&8; do
                 rm -rf ann; echo \"@ $point $fault\"
                 timeout 20 {inject} {who} at {}.$point $fault {login} 2>/dev/null
                 [ ! -e ann ] || whole || {{ echo ! half; find ann | xargs ls -lAd; }}
                 {again} >/dev/null 2>&1 || echo ! refused
                 whole || {{ echo ! not made; find ann | xargs ls -lAd; }}
                 [ ! -e .login-jail ] || {{ echo ! left; find .login-jail; rm -r .login-jail; }}
             done 8</run/wanted",
            first.process
        ),
    );
    let output = sandbox.command(&["sh", "/run/sweep"]).output();
    let output = String::from_utf8(output.expect("run the sweep").stdout).expect("text");
    let runs: Vec<&str> = output.split("@ ").skip(1).collect();
    assert_eq!(runs.len(), wanted.len());
    let whole = Report::parse(runs.first().expect("one")).expect("a report of the jail");
    let flaw = |run: &&str| -> Option<String> {
        let mut flaws: Vec<String> = Vec::new();
        if let Some(report) = Report::parse(run) {
            flaws = whole.differences(&report, &["root", "above"]);
            if report.get("root") != report.get("above") {
                flaws.push("something is above the root".to_owned());
            }
        }
        flaws.extend(run.split_once("\n! ").map(|(_, flaw)| flaw.to_owned()));
        let point = run.lines().next().unwrap_or_default();
        (!flaws.is_empty()).then(|| format!("{point}: {flaws:?}"))
    };
    let flaws: Vec<String> = runs.iter().filter_map(flaw).collect();
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
    let refused = runs.iter().filter(|run| Report::parse(run).is_none());
    assert!(
        refused.count() * 4 > runs.len(),
        "the faults have an effect"
    );
}

#[test]
fn killed_at_any_call_a_login_leaves_a_whole_home_or_none() {
    sweep(&Door::jail_shell(), &["kill"]);
}

#[test]
fn whatever_call_fails_a_home_is_whole_or_none() {
    sweep(&Door::jail_shell(), &["ENOSPC"]);
}

#[test]
fn killed_at_any_call_behind_pam_a_login_leaves_a_whole_home_or_none() {
    sweep(&Door::pam(), &["kill"]);
}

#[test]
fn whatever_call_fails_behind_pam_a_home_is_whole_or_none() {
    sweep(&Door::pam(), &["ENOSPC"]);
}

#[test]
fn a_call_that_does_nothing_leaves_a_whole_home_or_none() {
    sweep(&Door::jail_shell(), &["lie"]);
    sweep(&Door::pam(), &["lie"]);
}

#[test]
#[ignore = "long: make test-long"]
fn whatever_call_fails_in_whatever_way_a_home_is_whole_or_none() {
    let faults = ["EIO", "EACCES", "EINTR", "ENOENT", "EEXIST", "EMFILE"];
    sweep(&Door::jail_shell(), &faults);
    sweep(&Door::pam(), &faults);
}
