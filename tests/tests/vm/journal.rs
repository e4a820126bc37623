//! The session record in the real journal: journald takes the fields, and gives the unit of the session to them.

use login_jail_tests::vm::{Release, Vm};
use serde_json::Value;

use crate::machine::{WHERE, behind_pam, inside, jailed};

/// Gives the entries of a user's sessions, once there are so many.
#[track_caller]
fn entries(vm: &Vm, user: &str, count: usize) -> Vec<Value> {
    let script = format!(
        "for _ in $(seq 20); do
            [ $(journalctl -o cat --output-fields=MESSAGE LOGIN_JAIL_USER={user} | wc -l) -ge {count} ] && break; sleep 1
        done; journalctl -o json LOGIN_JAIL_USER={user}"
    );
    let text = vm.must(&script);
    let all: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(all.len() >= count, "{text}");
    all
}

#[track_caller]
fn of_event<'a>(all: &'a [Value], event: &str) -> &'a Value {
    let found = all.iter().find(|it| it["LOGIN_JAIL_EVENT"] == event);
    found.unwrap_or_else(|| panic!("no {event} in {all:?}"))
}

pub(crate) fn the_record_of_a_session_is_in_the_journal(vm: &mut Vm) {
    jailed(vm, "ann", "/usr/bin/jail-shell", "");
    inside(&vm.ssh("ann", WHERE));
    let all = entries(vm, "ann", 2);
    let (enter, leave) = (of_event(&all, "enter"), of_event(&all, "leave"));
    assert_eq!(enter["LOGIN_JAIL_SESSION"], leave["LOGIN_JAIL_SESSION"]);
    let unit = enter["_SYSTEMD_UNIT"].as_str().unwrap_or_default();
    assert!(
        unit.starts_with("session-") && unit.ends_with(".scope"),
        "{enter}"
    );
    assert_eq!(enter["SYSLOG_IDENTIFIER"], "jail-shell", "{enter}");
    let refused = vm.sh("usermod -s /usr/bin/jail-shell games; su games -c id");
    assert_ne!(refused.code(), Some(0), "{refused}");
    vm.must("journalctl -t jail-shell --since -1h -o cat | grep -q games");

    jailed(vm, "bob", "/bin/bash", "");
    behind_pam(vm, &["sshd"]);
    inside(&vm.ssh("bob", WHERE));
    let all = entries(vm, "bob", 2);
    let by = match vm.release() {
        Release::Bookworm => "sshd",
        Release::Trixie => "sshd-session",
    };
    assert_eq!(of_event(&all, "enter")["SYSLOG_IDENTIFIER"], by);
    of_event(&all, "leave");
    // What this kernel lacks of the walls that are not required is in each login's record, and stops none.
    let lacks = vm.sh("jailctl status --kernel");
    let says = vm.sh("journalctl -t jail-shell -o cat | grep -ci landlock");
    match vm.release() {
        Release::Bookworm => assert_ne!(says.stdout.trim(), "0", "{lacks}{says}"),
        Release::Trixie => assert_eq!(says.stdout.trim(), "0", "{lacks}{says}"),
    }
}
