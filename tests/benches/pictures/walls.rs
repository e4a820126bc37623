//! The probes of the walls, the same in a login of each peer: what reaches the outside.

use login_jail_tests::{
    Outcome, Sandbox,
    fault::{install_probe, probe},
};
use serde_json::{Value, json};

use crate::peers::Peer;

const SHARED: &str = "mounts = [{ source = '/run/walls/share', target = '/shared', mode = 'rw' }]";

/// What one probe said: its line of the list of threats, its name, and what came of it.
type Said = (String, String, String);

pub(crate) fn run() -> Value {
    let columns: Vec<(Value, Vec<Said>)> = Peer::ALL.into_iter().map(column).collect();
    // A chroot in which everything is wrong: what nobody reaches there either, this kernel does not have.
    let careless = careless();
    let mut probes = Vec::new();
    for (number, (threat, name, worst)) in careless.iter().enumerate() {
        let of = |said: &Vec<Said>| match said.get(number) {
            Some((other, probe, word)) if other == threat && probe == name => word.clone(),
            other => panic!("{threat}: {name}: the probes differ: {other:?}"),
        };
        let words: Vec<String> = columns.iter().map(|(_, said)| of(said)).collect();
        let open = worst == "reached" || words.first().is_some_and(|word| word == "reached");
        if threat != "control" && open {
            probes.push(json!({ "threat": threat, "probe": name, "said": words }));
        }
    }
    let columns: Vec<Value> = columns.into_iter().map(|(column, _)| column).collect();
    let release = Sandbox::bare().must("uname -r | cut -d. -f1,2");
    json!({ "kernel": release, "columns": columns, "probes": probes })
}

fn column(peer: Peer) -> (Value, Vec<Said>) {
    println!("  {}", peer.name());
    let keys = if peer == Peer::LoginShell || peer == Peer::Pam {
        SHARED
    } else {
        ""
    };
    let sandbox = peer.set_up(keys);
    let root = peer.root();
    prepare(&sandbox, root, keys.is_empty());
    let share = if root.is_empty() {
        "/run/walls/share/ann"
    } else {
        "/shared/ann"
    };
    let said = with_accomplice(&sandbox, root, || {
        sandbox.ssh(
            "ann",
            &format!("exec /home/ann/walls probe {share} /home/ann"),
        )
    });
    let version = peer.version(&sandbox);
    let column = json!({ "name": peer.name(), "how": peer.how(), "version": version });
    (column, said)
}

fn careless() -> Vec<Said> {
    println!("  everything wrong");
    let root = "/srv/jails/ann";
    let sandbox = Peer::Jailkit.set_up("");
    prepare(&sandbox, root, true);
    sandbox.must(&format!(
        "mkdir {root}/proc; mount --bind /proc {root}/proc"
    ));
    let ids = sandbox.must("echo $(id -u ann):$(id -g ann)");
    let walls = install_probe(&sandbox, "walls");
    with_accomplice(&sandbox, root, || {
        let start = [
            &walls,
            "leak",
            &walls,
            "walls",
            "careless",
            root,
            &ids,
            "/shared/ann",
            "/home/ann",
        ];
        sandbox.run(&start)
    })
}

/// What lies outside for the probes to reach, and what root has left in the home.
fn prepare(sandbox: &Sandbox, root: &str, bind: bool) {
    // Numbers that no jail with processes of its own comes to.
    sandbox.must("echo 20000 >/proc/sys/kernel/ns_last_pid");
    sandbox.must(&format!(
        "mkdir -p /run/walls/share/ann /srv/programs /srv/walls
         printf outside >/etc/walls-secret; printf outside >/run/walls/secret
         chown ann: /run/walls/secret
         install -m 4755 {walls} /srv/programs/set-uid
         cd /srv/walls
         touch unlink-me link-me chmod-me; echo text >truncate-me
         cp {walls} walls
         chown -R ann: /srv/walls /run/walls/share/ann
         cd {root}/home/ann
         cp {walls} walls
         install -m 4755 walls set-uid; install -m 2755 walls set-gid
         cp walls capable && setcap cap_sys_chroot+ep capable
         ln /srv/programs/set-uid linked 2>/dev/null || cp -p /srv/programs/set-uid linked
         mknod -m 666 device c 1 5",
        walls = probe("walls"),
    ));
    if bind && !root.is_empty() {
        sandbox.must(&format!(
            "mkdir {root}/shared; mount --bind /run/walls/share {root}/shared"
        ));
    }
}

fn with_accomplice(sandbox: &Sandbox, root: &str, run: impl Fn() -> Outcome) -> Vec<Said> {
    let accomplice = install_probe(sandbox, "walls_accomplice");
    let home = format!("{root}/home/ann");
    let started = sandbox.run_as("ann", &[&accomplice, "/run/walls/share/ann", &home]);
    let outcome = run();
    sandbox.must(&format!("kill -9 {}", started.ok()));
    let shown = &outcome.stdout;
    if !shown.lines().any(|line| line.trim_end() == "DONE") {
        panic!(
            "the probes have not come to their end: {outcome}\n{}",
            sandbox.syslog()
        );
    }
    let mut said = Vec::new();
    for line in shown.lines().filter(|line| line.starts_with("PROBE\t")) {
        match line.split('\t').collect::<Vec<&str>>().as_slice() {
            [_, threat, name, word, by] => {
                let by = if word == &"held" && !by.is_empty() {
                    format!(" ({by})")
                } else {
                    String::new()
                };
                said.push((
                    (*threat).to_owned(),
                    (*name).to_owned(),
                    format!("{word}{by}"),
                ));
            }
            _ => panic!("not what the probe says: {line}"),
        }
    }
    said
}
