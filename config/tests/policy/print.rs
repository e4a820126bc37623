//! The canonical form of a policy.

use crate::common::policy;

#[test]
fn prints_every_key_and_keeps_the_order_of_groups() {
    let text = r#"
        jails."my web" = { base = "none", root = '/srv/"{user}"', groups = "keep" }
        jails.b.env.set.PATH = "/bin"
        jails.b.mounts = [
            { mode = "rw", source = '/srv/"x"', target = "/x" },
            { source = "{home}", target = "/a", mode = "ro" },
        ]
        jails.b.network = "none"
        jails.b.limits = { cpu = 0x10, as = 1_000, core = "unlimited", fsize = "2048M", nproc = 1024, sessions = 3, memory = 0x20000000, tasks = 99, io = 7 }
        jails.c = { root = "/srv/c", limits = { cpu = "0150%" } }
        jails.b.base = "host"
        jails.b.commands = ["git", { arguments = ["a", "*", "**"], program = "/bin/r" }, "/bin/x", "git"]
        jails.b.sftp = { umask = "0007", directory = "/{user}", access = "upload-only", log = true }
        jails.b.etc = ["php", "a\"b", "php"]
        jails.b.create = true
        jails.b.disk = { files = 10, bytes = "2048M" }
        jails.b.services = ["redis", "mysql", "redis"]
        jails.b.devices = ["/dev/nvidia*", "/dev/kvm", "/dev/kvm"]
        groups = { zeta = "b", alpha = "my web" }
        users = { "john.doe" = "/srv/john", ann = "b" }
        exempt = ["@sudo", "root"]
        [defaults]
        umask = "0007"
        home = "/"
        shell = "/bin/dash"
        root = "/srv/{user}"
        isolation = "full"
        root_owner = "user"
        linger = true
        scope = "user"
        record = { size = 65536, what = "terminal" }
        idle = "120m"
        create = { mode = "2770", group = "www-data", skel = "/srv/{group}/skel" }
        tmp = "private"
        dev = "private"
        proc = "root"
        network = { bind = [], connect = [443, 0x50] }
        seccomp = "off"
        landlock = "require"
        base = "/srv/images/{group}"
        groups = "primary"
        env = { set = { B = "2\n", A = "1" }, pass = ["TERM"] }
    "#;
    let expected = r#"unlisted = "refuse"
exempt = ["root", "@sudo"]

[users]
ann = "b"
"john.doe" = "/srv/john"

[groups]
zeta = "b"
alpha = "my web"

[defaults]
root = "/srv/{user}"
base = "/srv/images/{group}"
shell = "/bin/dash"
home = "/"
isolation = "full"
landlock = "require"
seccomp = "off"
network = { connect = [80, 443], bind = [] }
proc = "root"
dev = "private"
tmp = "private"
create = { skel = "/srv/{group}/skel", mode = "2770", group = "www-data" }
env = { pass = ["TERM"], set = { A = "1", B = "2\n" } }
groups = "primary"
umask = "007"
idle = "2h"
record = { what = "terminal", size = "64K" }
scope = "user"
linger = true
root_owner = "user"

[jails.b]
base = "host"
network = "none"
mounts = [{ source = "/srv/\"x\"", target = "/x", mode = "rw" }, { source = "{home}", target = "/a", mode = "ro" }]
etc = ["php", "a\"b"]
services = ["redis", "mysql"]
devices = ["/dev/nvidia*", "/dev/kvm"]
commands = ["git", { program = "/bin/r", arguments = ["a", "*", "**"] }, "/bin/x"]
sftp = { access = "upload-only", directory = "/{user}", umask = "007", log = true }
create = true
disk = { bytes = "2G", files = 10 }
env = { set = { PATH = "/bin" } }
limits = { nproc = 1024, fsize = "2G", as = 1000, core = "unlimited", cpu = 16, sessions = 3, memory = "512M", tasks = 99, io = 7 }

[jails.c]
root = "/srv/c"
limits = { cpu = "150%" }

[jails."my web"]
root = "/srv/\"{user}\""
base = "none"
groups = "keep"
"#;
    assert_eq!(policy(text).to_string(), expected);
}

#[test]
fn policies_are_equal_if_they_say_the_same() {
    let one = "exempt = [\"root\"]\n[groups]\na = \"/a\"\nb = \"/b\"\n";
    let spaced = "# spaced\n\nexempt = [\n'root' ]\n[groups]\n\na = '/a'\nb = '/b'\n";
    let swapped = "exempt = [\"root\"]\n[groups]\nb = \"/b\"\na = \"/a\"\n";
    assert_eq!(policy(one), policy(spaced));
    assert_ne!(policy(one), policy(swapped));
}
