//! `devices`: single nodes of the host in a private /dev, and the nodes that no jail gets.

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, roots};

const USERS: &str = "[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n";

fn jail_shell(devices: &str) -> Sandbox {
    Sandbox::new()
        .user("ann")
        .root(roots::home())
        .config(&format!("{USERS}devices = [{devices}]\n"))
}

fn behind_pam(devices: &str) -> Sandbox {
    let keys = format!("base = \"host\"\nshell = \"/bin/bash\"\ndevices = [{devices}]\n");
    Sandbox::with_ann_behind_pam(roots::home(), &keys)
}

#[track_caller]
fn ann(sandbox: &Sandbox, command: &str) -> Outcome {
    sandbox.su_c("ann", command)
}

/// Nodes that a graphics card would have. None needs to work: opening it tells that the node counts.
const NODES: &str = "mkdir -p /dev/dri; chmod 755 /dev/dri
mknod -m 660 /dev/dri/renderD128 c 226 128; mknod -m 660 /dev/dri/card0 c 226 0; chgrp games /dev/dri/*
mknod -m 666 /dev/nvidia0 c 195 0; mknod -m 666 /dev/nvidiactl c 195 255; mknod -m 666 /dev/nvidia-disk b 7 0
mkdir -p /dev/nvidia-caps; ln -s /dev/kmsg /dev/nvidia-link; mknod -m 666 /dev/nvidia-mem c 1 1";

#[test]
fn shows_single_nodes_with_the_rights_that_the_host_gave_them() {
    let wanted = "\"/dev/dri/renderD128\", \"/dev/nvidia*\", \"/dev/hwrng\"";
    for sandbox in [jail_shell(wanted), behind_pam(wanted)] {
        sandbox.must(&format!(
            "{NODES}; rm -f /dev/hwrng; mknod -m 644 /dev/hwrng c 10 183"
        ));
        let list = "ls -1 /dev/dri; ls -1d /dev/nvidia* /dev/hwrng; stat -c '%F %t:%T %g %a' /dev/dri/renderD128";
        assert_eq!(
            ann(&sandbox, list).ok(),
            "renderD128\n/dev/hwrng\n/dev/nvidia0\n/dev/nvidiactl\ncharacter special file e2:80 60 660"
        );
        // Mode and group hold: nothing is opened to whoever may not on the host.
        let open = |path: &str| ann(&sandbox, &format!("exec 3<{path}")).stderr;
        assert!(open("/dev/dri/renderD128").contains("Permission denied"));
        // ENXIO: the node counts, and no driver is behind it.
        assert!(
            open("/dev/nvidia0").contains("No such device or address"),
            "{}",
            open("/dev/nvidia0")
        );
        sandbox.must("usermod -aG games ann");
        assert!(open("/dev/dri/renderD128").contains("No such device"));
        // Nothing of it can be moved, changed or used to start a program.
        for command in [
            "rm /dev/nvidia0",
            "touch /dev/x",
            "chmod 777 /dev/dri/renderD128",
            "mknod /dev/y c 1 1",
            "/dev/nvidia0",
        ] {
            assert_ne!(ann(&sandbox, command).code(), Some(0), "{command}");
        }
        let flags = ann(&sandbox, "grep ' /dev/nvidia0 ' /proc/self/mountinfo");
        assert!(
            flags.stdout.contains("nosuid") && flags.stdout.contains("noexec"),
            "{flags}"
        );
        // The host's own are as they were.
        assert_eq!(sandbox.must("stat -c %a /dev/dri/renderD128"), "660");
    }
}

#[test]
fn a_device_answers_inside_as_outside() {
    // The one driver that every kernel has and that a jail may have: with its number under another name.
    let sandbox = jail_shell("\"/dev/kvm\"");
    sandbox.must("rm -f /dev/kvm; mknod -m 666 /dev/kvm c 10 232");
    let version = "import fcntl; print(fcntl.ioctl(open('/dev/kvm', 'rb+'), 0xae00))";
    let outside = sandbox.run_as("nobody", &["/usr/bin/python3", "-c", version]);
    let inside = ann(&sandbox, &format!("/usr/bin/python3 -c \"{version}\""));
    if outside.code() != Some(0) {
        login_jail_tests::skipped("ioctl on a device", "this kernel has no KVM");
        return;
    }
    assert_eq!(inside.ok(), outside.ok());
}

#[test]
fn refuses_what_no_jail_gets_by_what_the_node_is() {
    for sandbox in [jail_shell("\"/dev/gpu0\""), behind_pam("\"/dev/gpu0\"")] {
        for (node, part) in [
            ("mknod /dev/gpu0 b 7 0", "block device"),
            ("mknod /dev/gpu0 b 226 128", "block device"),
            ("mknod /dev/gpu0 c 1 1", "1:1"),
            ("mknod /dev/gpu0 c 1 11", "1:11"),
            ("mknod /dev/gpu0 c 4 1", "terminal"),
            ("mknod /dev/gpu0 c 5 1", "terminal"),
            ("mknod /dev/gpu0 c 10 200", "10:200"),
            ("mknod /dev/gpu0 c 10 223", "10:223"),
            ("mknod /dev/gpu0 c 10 229", "10:229"),
            ("mknod /dev/gpu0 c 10 236", "10:236"),
            ("mknod /dev/gpu0 c 10 237", "10:237"),
            ("mknod /dev/gpu0 c 13 64", "what others type"),
            ("mknod /dev/gpu0 c 21 0", "disks"),
            ("mknod /dev/gpu0 c 202 0", "hardware"),
            ("mknod /dev/gpu0 c 226 0", "render node"),
            ("ln -s /dev/dri/renderD128 /dev/gpu0", "symbolic link"),
            ("mkdir /dev/gpu0", "directory"),
            ("touch /dev/gpu0", "regular file"),
            ("mkfifo /dev/gpu0", "FIFO"),
        ] {
            sandbox.must(&format!("rm -rf /dev/gpu0; {node}; chmod -h 666 /dev/gpu0 2>/dev/null || chmod 666 /dev/gpu0 || :"));
            let seen = ann(&sandbox, "echo GOTIN");
            assert!(!seen.stdout.contains("GOTIN"), "{node}: {seen}");
            let check = sandbox.run(&["jailctl", "check"]);
            assert!(check.stdout.contains(part), "{node}: {check}");
        }
        // By a driver whose number the kernel has chosen.
        let hidraw =
            sandbox.sh("awk '$2 == \"hidraw\" || $2 == \"bsg\" { print $1; exit }' /proc/devices");
        let major = hidraw.stdout.trim();
        if major.is_empty() {
            login_jail_tests::skipped(
                "a driver without a number of its own",
                "this kernel has none",
            );
        } else {
            sandbox.must(&format!(
                "rm -rf /dev/gpu0; mknod -m 666 /dev/gpu0 c {major} 0"
            ));
            assert!(!ann(&sandbox, "echo GOTIN").stdout.contains("GOTIN"));
        }
    }
}

#[test]
fn what_is_not_there_is_left_out_and_check_notes_it() {
    let sandbox = jail_shell("\"/dev/nvidia*\", \"/dev/dri/renderD128\", \"/dev/loop*\"");
    sandbox.must("rm -rf /dev/dri /dev/nvidia*");
    assert_eq!(
        sandbox
            .run_as(
                "ann",
                &[
                    JAIL_SHELL,
                    "-c",
                    "ls /dev | grep -c 'nvidia\\|dri\\|loop' || :"
                ]
            )
            .ok(),
        "0"
    );
    let check = sandbox.run(&["jailctl", "check", "--notes"]);
    for part in [
        "\"/dev/nvidia*\", which shows nothing",
        "/dev/dri does not exist",
        "[device-missing]",
    ] {
        assert!(check.stdout.contains(part), "{part}: {check}");
    }
    if sandbox.sh("test -b /dev/loop0").code() == Some(0) {
        assert!(check.stdout.contains("block device"), "{check}");
    }
    sandbox.must(NODES);
    let explain = sandbox.run(&["jailctl", "explain", "ann"]);
    assert!(explain.stdout.contains("/dev/dri/renderD128"), "{explain}");
}

#[test]
fn refuses_a_directory_of_devices_that_others_than_root_could_change() {
    let sandbox = jail_shell("\"/dev/dri/renderD128\"");
    sandbox.must(NODES);
    for plant in [
        "chown ann /dev/dri",
        "chmod 777 /dev/dri",
        "mv /dev/dri /dev/real; ln -s real /dev/dri",
    ] {
        sandbox.must(plant);
        let seen = sandbox.run_as("ann", &[JAIL_SHELL, "-c", "echo GOTIN"]);
        assert!(!seen.stdout.contains("GOTIN"), "{plant}: {seen}");
        sandbox.must("chown root /dev/dri; chmod 755 /dev/dri/.");
    }
}

#[test]
fn an_attack_finds_a_device_that_no_jail_gets() {
    let sandbox = Sandbox::new().user("ann").root(roots::busybox()).config(
        "[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\ndev = \"root\"\n",
    );
    let attack = || sandbox.run(&["jailctl", "check", "--attack", "ann"]).stdout;
    let is_reached = |seen: &str| {
        let named = |line: &str| line.contains("a device that no jail gets");
        seen.lines()
            .any(|line| named(line) && line.contains("reached"))
    };
    let seen = attack();
    assert!(!is_reached(&seen), "{seen}");
    sandbox.must(
        "mkdir -p /srv/jails/ann/dev/below; mknod -m 644 /srv/jails/ann/dev/below/disk b 7 0",
    );
    let seen = attack();
    assert!(is_reached(&seen), "{seen}");
}
