//! What ann sees at / in a session of hers, where each entry comes from, and the host's tree beside it.

use login_jail_tests::{JAIL_SHELL, Sandbox, roots};
use serde_json::{Value, json};

/// What a Debian has at /: the machine that this runs on may have more.
const HOST: &str =
    "bin boot dev etc home lib lib64 media mnt opt proc root run sbin srv sys tmp usr var";

/// Prints name, kind and detail of each entry, and whether ann can make a file there. A mount says which directory of
/// its file system it shows, its options and the kind of file system.
const LOOK: &str = r#"
for entry in /* /home/*; do
    write=no
    touch "$entry/try" 2>/dev/null && write=yes && rm "$entry/try"
    mount=$(awk -v entry="$entry" '$5 == entry { print $4, substr($6, 1, 2), $9 }' /proc/self/mountinfo | tail -n 1)
    if [ -L "$entry" ]; then echo "$entry|link|$(readlink "$entry")|$write"
    elif [ -n "$mount" ]; then echo "$entry|mount|$mount|$write"
    else echo "$entry|directory||$write"; fi
done
"#;

pub(crate) fn run() -> Value {
    let sandbox = Sandbox::new()
        .user_with_shell("ann", JAIL_SHELL)
        .plain_user("bob")
        .jailed("ann")
        .root(roots::home())
        .config(
            "exempt = ['root']\nusers = { ann = 'web' }\n[jails.web]\nroot = '/srv/jails/{user}'\nbase = 'host'\nshell = '/bin/bash'\n\
             mounts = [{ source = '/srv/site', target = '/site', mode = 'ro' }]\n",
        )
        .with("mkdir -p /srv/site /home/bob; chmod 755 /srv/jails /srv/jails/ann");
    let seen = sandbox.ssh("ann", LOOK);
    let entries: Vec<Value> = seen
        .ok()
        .lines()
        .filter_map(
            |line| match line.split('|').collect::<Vec<&str>>().as_slice() {
                [path, kind, detail, write] => Some(json!({
                    "path": path, "kind": kind, "detail": detail, "write": *write == "yes"
                })),
                _ => None,
            },
        )
        .collect();
    let host = sandbox.must(&format!(
        "cd /; for name in {HOST}; do [ ! -e $name ] || echo /$name; done; ls -d /home/* /srv/* /srv/jails/* /srv/jails/*/* /srv/jails/*/home/*"
    ));
    let mut host: Vec<&str> = host.lines().collect();
    host.sort_unstable();
    json!({ "host": host, "jail": entries })
}
