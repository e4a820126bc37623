//! The Ansible role, run by ansible-playbook over ssh against three machines, each in a network namespace of its own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::{fs, path::Path, process::Command, time::Duration};

use login_jail_tests::documents::{machine, machine_of};
use login_jail_tests::{Outcome, Sandbox, directory::fetch, skipped};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const ROLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/ansible");

/// How long a run of ansible-playbook may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Copies a directory of this machine into a sandbox.
fn copy(sandbox: &Sandbox, from: &Path, to: &str) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = format!("{to}/{}", path.file_name().unwrap().to_string_lossy());
        match path.is_dir() {
            true => copy(sandbox, &path, &to),
            false => sandbox.write(&to, fs::read(&path).unwrap()),
        }
    }
}

/// Builds the package, and gives its path.
fn package() -> String {
    let built = Command::new("packaging/deb")
        .current_dir(REPOSITORY)
        .output();
    let built = built.unwrap();
    assert!(built.status.success(), "{built:?}");
    let path = String::from_utf8(built.stdout).unwrap();
    let path = Path::new(REPOSITORY).join(path.trim_end());
    path.canonicalize().unwrap().display().to_string()
}

/// A state whose shell is this one, for machines that get the package.
fn state(key: &str, shell: &str) -> String {
    serde_json::json!({ "login_jail_package": "/root/login-jail.deb", "login_jail_state": {
        "create": true,
        "jails": { "class": { "root": "/srv/class/{user}", "base": "host", "shell": shell, "network": "none" } },
        "groups": { "pupils": { "jail": "class" } },
        "users": { "ann": { "groups": ["pupils"], "keys": [key], "until": "2099-07-31" } },
    }})
    .to_string()
}

fn play(control: &Sandbox, options: &str) -> Outcome {
    let script = format!(
        "export HOME=/root LC_ALL=C.UTF-8 ANSIBLE_NOCOLOR=1; cd /root/ansible && ansible-playbook -i hosts site.yml -e @vars.json {options} 2>&1"
    );
    control.run_within(LIMIT, &["bash", "-c", &script])
}

/// Gives the recap of a machine.
fn recap(outcome: &Outcome, address: &str) -> String {
    let mut lines = outcome.stdout.lines().rev();
    let line = lines.find(|line| line.starts_with(address) && line.contains("ok="));
    let line = line.unwrap_or_else(|| panic!("no recap of {address}: {outcome}"));
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
#[ignore = "takes minutes: four machines and six runs of ansible-playbook; make test-long"]
fn three_machines_become_alike_and_the_one_that_can_not_goes_back() {
    let control = machine();
    if control.sh("command -v ansible-playbook").code() != Some(0) {
        skipped("the Ansible role", "ansible-playbook is not installed");
        return;
    }
    // ansible.builtin.apt is made of it, and would install it from the network.
    let python = Path::new(REPOSITORY).join("target/python3-apt");
    if let Err(reason) = fetch(&python, &["python3-apt"]) {
        skipped("the Ansible role", reason);
        return;
    }
    control.write("/root/login-jail.deb", fs::read(package()).unwrap());
    let key = control.must("cat /root/.ssh/id_ed25519.pub");
    let hosts = [1, 2, 3].map(|number| {
        let host = machine_of(Sandbox::bare());
        host.must(&format!(
            "rm -rf /etc/login-jail /usr/bin/jail-shell; for deb in {}/*.deb; do dpkg-deb -x $deb /; done",
            python.display()
        ));
        control.connect(&host, number);
        host.write("/root/.ssh/authorized_keys", &key);
        host.must("sed -i 's/^ListenAddress .*/ListenAddress 0.0.0.0/' /etc/ssh/sshd_config; kill -HUP $(cat /run/sshd.pid)");
        host
    });
    let addresses = ["10.9.1.2", "10.9.2.2", "10.9.3.2"];
    copy(&control, Path::new(ROLE), "/root/ansible");
    let inventory = addresses
        .map(|it| format!("{it} ansible_user=root ansible_python_interpreter=/usr/bin/python3\n"));
    control.write("/root/ansible/hosts", inventory.concat());
    control.write("/root/ansible/vars.json", state(&key, "/bin/bash"));

    let compared = play(&control, "--check");
    assert_eq!(compared.code(), Some(0), "{compared}");
    // What is not installed can't compare.
    assert!(hosts[0].sh("ls /usr/sbin/jailctl").code() != Some(0));
    assert!(
        recap(&compared, addresses[0]).contains("failed=0"),
        "{compared}"
    );
    let first = play(&control, "");
    assert_eq!(first.code(), Some(0), "{first}");
    let second = play(&control, "");
    for address in addresses {
        assert!(!recap(&first, address).contains("changed=0 "), "{first}");
        assert!(
            recap(&second, address).contains("changed=0 unreachable=0 failed=0"),
            "{second}"
        );
        assert_eq!(
            control.must(&format!("HOME=/root ssh ann@{address} 'ls /home'")),
            "ann"
        );
    }

    for host in &hosts {
        host.must("dpkg -s login-jail | grep -q '^Status: install ok installed'");
    }
    let there = "cd /etc; find . -newer /root/before; ls -lR --time-style=full-iso login-jail";
    let before = hosts[0].must(&format!("touch /root/before; {there}"));
    let compared = play(&control, "--check");
    assert_eq!(
        before,
        hosts[0].must(there),
        "--check has written something"
    );
    assert!(
        recap(&compared, addresses[0]).contains("changed=0 unreachable=0 failed=0"),
        "{compared}"
    );

    // One of them has no such shell.
    for host in &hosts[..2] {
        host.must("cp /bin/bash /usr/bin/class-shell");
    }
    let before =
        hosts[2].must("cd /etc; sha256sum login-jail/config.toml login-jail/state passwd group");
    control.write(
        "/root/ansible/vars.json",
        state(&key, "/usr/bin/class-shell"),
    );
    let third = play(&control, "");
    assert_ne!(third.code(), Some(0), "{third}");
    for address in &addresses[..2] {
        assert!(recap(&third, address).contains("failed=0"), "{third}");
    }
    assert!(recap(&third, addresses[2]).contains("failed=1"), "{third}");
    assert!(
        third
            .stdout
            .contains("nothing was changed: the change was taken back"),
        "{third}"
    );
    let after =
        hosts[2].must("cd /etc; sha256sum login-jail/config.toml login-jail/state passwd group");
    assert_eq!(before, after);
    assert!(
        hosts[0]
            .read("/etc/login-jail/config.toml")
            .contains("class-shell")
    );
    for address in addresses {
        assert_eq!(
            control.must(&format!("HOME=/root ssh ann@{address} 'ls /home'")),
            "ann"
        );
    }
}
