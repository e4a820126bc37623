//! The walls, tried from inside: the probes try every way out that is known, in jails of every kind and where there is no
//! wall, with an accomplice of the same uid outside. What they reached is printed as a table.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use std::{fmt::Write as _, io::Write as _};

use login_jail_tests::{
    JAIL_SHELL, Sandbox,
    escape::{CONTROL, Probes, SHARED, Said, THREATS, Verdict},
    fault::{install_probe, probe},
    roots, skipped,
};

/// What is reached nevertheless: in which kinds of jail, why, and by which probes. Exactly these.
const REACHED: [(Where, &str, &[&str]); 5] = [
    (
        Where::Every,
        "no kernel has a rule for it so far (connect: Landlock ABI 9): a directory descriptor that an accomplice \
         outside has opened and sent, metadata only",
        &[
            "descriptors: sent in, stat",
            "descriptors: chmod",
            "descriptors: connect to a path socket",
        ],
    ),
    (
        Where::HostNetwork,
        "network = \"host\"",
        &["sockets: TCP to a port of the host"],
    ),
    (
        Where::Chroot,
        "chroot makes no ipc namespace, and Landlock has no rule for it",
        &["ipc: shmget", "ipc: msgget", "ipc: semget"],
    ),
    (
        Where::Chroot,
        "the host's /proc, where the administrator has mounted it in the root",
        &[
            "proc: /proc of the host",
            "proc: /proc/PID",
            "proc: /proc/PID/oom_score_adj, to write",
            "keys: /proc/keys",
        ],
    ),
    (
        Where::Chroot,
        "chroot changes no mount: nodev is the administrator's to set",
        &[
            "programs: device nodes count",
            "programs: device that root has planted",
        ],
    ),
];

/// Which kinds of jail an entry of [`REACHED`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    Every,
    HostNetwork,
    Chroot,
}

/// One way to run the probes: a column of the table.
#[derive(Clone, Copy, Debug)]
struct Column {
    name: &'static str,
    user: &'static str,
    root: &'static str,
    start: Start,
}

#[derive(Clone, Copy, Debug)]
enum Start {
    /// No jail at all, and not even the user's ids: the product's own probes.
    Root,
    /// No jail at all.
    Nothing,
    /// A chroot in which everything is wrong.
    Careless,
    /// The plain set-uid chroot.
    Floor,
    /// A jail with a wall taken out, by lines of the config, and the beginnings of the names of the probes that only
    /// this wall stops.
    Weakened(&'static str, &'static [&'static str]),
    /// A jail, by lines of the config.
    Jail(&'static str),
    /// A jail in a world that another login has made and stays in, by lines of the config besides.
    Joined(&'static str),
}

impl Start {
    /// Gives the lines of the config of a jail whose walls all stand.
    fn jail(self) -> Option<&'static str> {
        match self {
            Start::Jail(lines) | Start::Joined(lines) => Some(lines),
            Start::Root | Start::Nothing | Start::Careless | Start::Floor | Start::Weakened(..) => {
                None
            }
        }
    }
}

const COLUMNS: [Column; 15] = [
    ann("root", "/srv/jails/ann", Start::Root),
    ann("no jail", "/srv/jails/ann", Start::Nothing),
    ann("careless", "/srv/jails/ann", Start::Careless),
    ann("floor", "/srv/jails/ann", Start::Floor),
    ann(
        "-landlock",
        "/srv/jails/full",
        Start::Weakened(
            "landlock = \"off\"",
            &["descriptors: ", "sockets: abstract"],
        ),
    ),
    ann(
        "-seccomp",
        "/srv/jails/full",
        Start::Weakened(
            "seccomp = \"off\"",
            &[
                "keys: user keyring",
                "keys: keyctl",
                "keys: add_key",
                "keys: request_key",
                "sockets: sock_diag",
                "sockets: other netlink",
                "sockets: vsock",
                "sockets: crypto",
                "sockets: odd",
                "namespaces: ",
                "kernel: ",
                "entries: ",
                "terminal: ",
            ],
        ),
    ),
    ann("full", "/srv/jails/full", Start::Jail("")),
    ann(
        "chroot",
        "/srv/jails/ann",
        Start::Jail("isolation = \"chroot\""),
    ),
    ann(
        "host view",
        "/srv/jails/view",
        Start::Jail("base = \"host\""),
    ),
    Column {
        name: "Debian",
        user: "deb",
        root: "/srv/jails/deb",
        start: Start::Jail(""),
    },
    ann(
        "own root",
        "/srv/jails/owned",
        Start::Jail("root_owner = \"user\""),
    ),
    ann(
        "no network",
        "/srv/jails/full",
        Start::Jail("network = \"none\""),
    ),
    ann("shared", "/srv/jails/full", Start::Jail("scope = \"user\"")),
    ann("joined", "/srv/jails/full", Start::Joined("")),
    ann(
        "joins view",
        "/srv/jails/view",
        Start::Joined("base = \"host\"\nnetwork = \"none\""),
    ),
];

const fn ann(name: &'static str, root: &'static str, start: Start) -> Column {
    Column {
        name,
        user: "ann",
        root,
        start,
    }
}

/// Says of the open world that this kernel has no such thing.
fn is_unknown(said: &Said) -> bool {
    let words = [
        "ENOSYS",
        "EAFNOSUPPORT",
        "EPROTONOSUPPORT",
        "ENODEV",
        "EOPNOTSUPP",
    ];
    // A kernel may have been built without SysRq.
    let has_no_sysrq = said.name.contains("sysrq") && said.by == "ENOENT";
    said.verdict == Verdict::Absent || words.contains(&said.by.as_str()) || has_no_sysrq
}

/// A sandbox with users, roots, and what lies outside for the probes to reach.
struct Stage {
    sandbox: Sandbox,
    debian: bool,
}

impl Stage {
    fn new() -> Stage {
        // Keys count against the quota of a uid on the whole machine: one that no other test uses.
        let sandbox = Sandbox::new()
            .user("ann")
            // And a node that no jail gets: of a disk, for everybody.
            .with("usermod -u 7011 ann; mknod -m 644 /dev/disk-for-all b 7 0")
            .root(roots::busybox());
        sandbox.must(&format!(
            "mkdir -p /run/walls/share
             install -m 4755 {floor} /usr/bin/floor
             cp -a /srv/jails/ann /srv/jails/full
             cp -a /srv/jails/ann /srv/jails/owned && chown ann: /srv/jails/owned
             mkdir -p /srv/jails/view/home/ann && chown ann: /srv/jails/view/home/ann
             mkdir /srv/jails/ann/proc /srv/jails/ann/shared
             mount --bind /proc /srv/jails/ann/proc
             mount --bind /run/walls/share /srv/jails/ann/shared",
            floor = probe("floor"),
        ));
        let (sandbox, debian) = match roots::debian() {
            Ok(root) => (
                sandbox.user("deb").with("usermod -u 7012 deb").root(root),
                true,
            ),
            Err(reason) => {
                skipped("walls of a Debian root", reason);
                (sandbox, false)
            }
        };
        Stage { sandbox, debian }
    }

    /// Runs all probes in a column.
    fn run(&self, column: &Column) -> Vec<Said> {
        let Column {
            user, root, start, ..
        } = *column;
        let sandbox = &self.sandbox;
        let probes = Probes {
            sandbox,
            user,
            root,
        };
        let (outside, home) = (
            format!("/run/walls/share/{user}"),
            format!("{root}/home/{user}"),
        );
        let group = sandbox.must(&format!("id -g {user}"));
        let ids = [
            "setpriv",
            "--reuid",
            user,
            "--regid",
            &group,
            "--init-groups",
        ];
        let inside = probes.command();
        let joined = format!("readlink /proc/self/ns/pid; {inside}");

        probes.tried(|| {
            let mut as_user = ids.to_vec();
            let there = probes.command_at(&outside, &home);
            let walls = install_probe(sandbox, "walls");
            let (shared, at_home) = (format!("/shared/{user}"), format!("/home/{user}"));
            let account = sandbox.must(&format!("echo $(id -u {user}):$(id -g {user})"));
            let stand_in = probes.stand_in_at(&shared, &at_home);
            let careless = [&walls, "careless", root, &account, &shared, &at_home];
            let careless: Vec<&str> = careless
                .into_iter()
                .chain(stand_in.iter().map(String::as_str))
                .collect();
            let program = match start {
                Start::Root => vec!["sh", "-c", there.as_str()],
                Start::Nothing => {
                    as_user.extend(["sh", "-c", &there]);
                    as_user
                }
                Start::Careless => careless,
                Start::Floor => {
                    as_user.extend(["/usr/bin/floor", "-c", &inside]);
                    as_user
                }
                Start::Weakened(lines, _) | Start::Jail(lines) => {
                    self.configure(column, lines);
                    as_user.extend([JAIL_SHELL, "-c", &inside]);
                    as_user
                }
                Start::Joined(lines) => {
                    self.configure(column, &format!("scope = \"user\"\n{lines}"));
                    self.open_world(&ids.join(" "));
                    as_user.extend([JAIL_SHELL, "-c", &joined]);
                    as_user
                }
            };
            let argv = probes.beside(&program);
            let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
            let outcome = sandbox.run(&argv);
            if let Start::Joined(_) = start {
                let world = self.close_world();
                assert_eq!(outcome.stdout.lines().next(), Some(world.as_str()));
            }
            format!("{}{}", outcome.stdout, outcome.stderr)
        })
    }

    /// Opens a session that stays, and waits until it is inside.
    fn open_world(&self, ids: &str) {
        self.sandbox.must(&format!(
            "setsid {ids} {JAIL_SHELL} -c 'sleep 4001; :' >/run/first.out 2>&1 </dev/null &
             for n in $(seq 500); do pgrep -f '^sleep 4001' >/dev/null && exit; sleep 0.02; done; cat /run/first.out >&2; exit 1"
        ));
    }

    /// Ends it, and tells which world it was in.
    fn close_world(&self) -> String {
        self.sandbox
            .must("pid=$(pgrep -f '^sleep 4001'); readlink /proc/$pid/ns/pid; kill $pid")
    }

    fn configure(&self, column: &Column, lines: &str) {
        let Column { user, root, .. } = column;
        let shell = if lines.contains("base") || *user == "deb" {
            "/bin/bash"
        } else {
            "/bin/sh"
        };
        // Bound into the root where the jail itself mounts nothing.
        let shared = if lines.contains("chroot") { "" } else { SHARED };
        let config = format!(
            "[users]\n{user} = \"walls\"\n\n[jails.walls]\nroot = \"{root}\"\nshell = \"{shell}\"\n{shared}\n{lines}\n"
        );
        self.sandbox.write("/etc/login-jail/config.toml", config);
    }
}

/// The columns that were run, with what the probes said.
struct Table {
    columns: Vec<(Column, Vec<Said>)>,
}

impl Table {
    fn probes(&self) -> Vec<String> {
        let (_, cells) = self.columns.first().expect("a column");
        cells.iter().map(Said::probe).collect()
    }

    /// Gives the cells of a probe, open columns or jails.
    fn cells(&self, probe: &str, jails: bool) -> Vec<(&Column, &Said)> {
        let columns = self.columns.iter();
        columns
            .filter(|(column, _)| column.start.jail().is_some() == jails)
            .filter_map(|(column, cells)| {
                let cell = cells.iter().find(|cell| cell.probe() == probe)?;
                Some((column, cell))
            })
            .collect()
    }

    fn is_reached_without_walls(&self, probe: &str) -> bool {
        let cells = self.cells(probe, false);
        cells
            .iter()
            .any(|(_, cell)| cell.verdict == Verdict::Reached)
    }

    /// Tells whether the kernel has nothing to reach there, also for those without a wall.
    fn is_absent(&self, probe: &str) -> bool {
        let cells = self.cells(probe, false);
        cells
            .iter()
            .filter(|(column, _)| !matches!(column.start, Start::Weakened(..)))
            .all(|(_, cell)| is_unknown(cell))
    }

    fn print(&self) {
        let mut text = format!("\n{:48}", "probe");
        for (column, _) in &self.columns {
            write!(text, "{:>11}", column.name).unwrap();
        }
        text.push('\n');
        for probe in &self.probes() {
            write!(text, "{probe:48}").unwrap();
            for cell in [self.cells(probe, false), self.cells(probe, true)].concat() {
                let word = match cell.1.verdict {
                    Verdict::Absent => "n.a.",
                    _ if self.is_absent(probe) => "n.a.",
                    Verdict::Reached => match documented(probe, cell.0, 0) {
                        Some(_) => "reached*",
                        None => "reached",
                    },
                    Verdict::Held => "held",
                };
                write!(text, "{word:>11}").unwrap();
            }
            text.push('\n');
        }
        for (_, why, probes) in REACHED {
            writeln!(text, "* {}: {why}", probes.join(", ")).unwrap();
        }
        // Past the capture of a test's output.
        std::io::stderr().write_all(text.as_bytes()).ok();
    }
}

impl Where {
    fn includes(self, column: &Column) -> bool {
        let lines = match column.start {
            Start::Weakened(lines, _) => Some(lines),
            start => start.jail(),
        };
        let Some(lines) = lines else {
            return false;
        };
        match self {
            Where::Every => true,
            Where::HostNetwork => !lines.contains("network"),
            Where::Chroot => lines.contains("chroot"),
        }
    }
}

/// Says why a probe is allowed to reach something in a kind of jail, if it is.
fn documented(probe: &str, column: &Column, abi: i32) -> Option<&'static str> {
    // The one that a newer Landlock has a rule for.
    if abi >= 9 && probe == "descriptors: connect to a path socket" {
        return None;
    }
    let (_, why, _) = REACHED
        .iter()
        .find(|(place, _, probes)| place.includes(column) && probes.contains(&probe))?;
    Some(*why)
}

#[test]
fn no_probe_reaches_the_outside_of_a_jail_and_each_does_where_its_wall_is_off() {
    let stage = Stage::new();
    let columns = COLUMNS
        .into_iter()
        .filter(|column| stage.debian || column.user != "deb");
    let table = Table {
        columns: columns.map(|column| (column, stage.run(&column))).collect(),
    };
    table.print();
    let abi = stage.sandbox.run(&[&probe("walls"), "landlock"]);
    let abi: i32 = abi.ok().parse().expect("a number");
    let mut faults = Vec::new();
    for threat in THREATS {
        let proved = |probe: &String| {
            probe.starts_with(&format!("{threat}: ")) && table.is_reached_without_walls(probe)
        };
        if !table.probes().iter().any(proved) {
            faults.push(format!("{threat}: no probe"));
        }
    }
    for probe in &table.probes() {
        if !table.is_reached_without_walls(probe) && !table.is_absent(probe) {
            faults.push(format!(
                "{probe}: proves nothing, reached nowhere: {:?}",
                table.cells(probe, false)
            ));
        }
        for (column, cell) in table.cells(probe, false) {
            let Start::Weakened(_, carried) = column.start else {
                continue;
            };
            let allowed = carried.iter().any(|name| probe.starts_with(name))
                || probe.starts_with(CONTROL)
                || documented(probe, column, abi).is_some();
            if cell.verdict == Verdict::Reached && !allowed {
                faults.push(format!(
                    "{probe}: held by one wall only, reached in {}",
                    column.name
                ));
            }
        }
        for (column, cell) in table.cells(probe, true) {
            let expected = probe.starts_with(CONTROL)
                || documented(probe, column, abi).is_some() && !table.is_absent(probe);
            let reached = cell.verdict == Verdict::Reached;
            if reached != expected {
                let word = if reached { "reached" } else { "not reached" };
                faults.push(format!("{probe}: {word} in {}: {}", column.name, cell.by));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
