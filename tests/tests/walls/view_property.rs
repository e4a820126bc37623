//! What `view::source` says of each name at the top of a jail, held against what a session sees there: over generated roots,
//! bases and configs, at every door. One sandbox has all of them, and each door serves all users at once.
//!
//! The seed is printed when the test fails; LOGIN_JAIL_SEED=NUMBER makes the same jails again.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::OsStr,
    fmt::Write as _,
    hash::{BuildHasher, Hasher, RandomState},
    path::Path,
};

use jail::{
    account::identity::Identity,
    plan::{
        Plan,
        request::{Request, What},
    },
    world::view::{self, Source, There},
};
use jail_config::{Decision, Policy};
use login_jail_tests::{JAIL_SHELL, Sandbox, fault::install_probe};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use rustix::fs::FileType;

/// How many jails there are. Each is entered by every door.
const JAILS: usize = 48;
const BASES: usize = 3;
const FIRST_UID: u32 = 7300;

/// Names that are somebody's: the host's, the session's own, what root code goes to; and others.
const NAMES: [&str; 18] = [
    "a b", "bin", "data", "dev", "etc", "home", "lib", "lib64", "opt", "proc", "root", "run",
    "sbin", "srv", "sys", "tmp", "usr", "var",
];

/// The shell inside, which lists the top.
const SHELL: &str = "probe";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Directory,
    File,
    Link,
    Fifo,
}

type Top = BTreeMap<&'static str, Kind>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    None,
    Host,
    Directory(usize),
}

#[derive(Clone, Debug)]
struct Case {
    chroot: bool,
    base: Base,
    owned: bool,
    /// Whether proc, dev and tmp are the root's own.
    from_root: [bool; 3],
    mounts: BTreeMap<&'static str, bool>,
    root: Top,
}

#[derive(Clone, Debug)]
struct World {
    bases: Vec<Top>,
    cases: Vec<Case>,
}

fn top() -> impl Strategy<Value = Top> {
    let kind = prop_oneof![
        6 => Just(Kind::Directory),
        2 => Just(Kind::File),
        1 => Just(Kind::Link),
        1 => Just(Kind::Fifo),
    ];
    prop::collection::btree_map(prop::sample::select(&NAMES[..]), kind, 0..14)
}

fn case() -> impl Strategy<Value = Case> {
    let base = prop_oneof![
        Just(Base::None),
        Just(Base::Host),
        (0..BASES).prop_map(Base::Directory)
    ];
    let mounts = prop::collection::btree_map(
        prop::sample::select(&["data", "mnt", "opt", "a b"][..]),
        any::<bool>(),
        0..3,
    );
    let keys = (
        prop::bool::weighted(0.2),
        base,
        prop::bool::weighted(0.3),
        any::<[bool; 3]>(),
    );
    (keys, mounts, top()).prop_map(|((chroot, base, owned, from_root), mounts, root)| Case {
        chroot,
        base,
        owned: owned && !chroot,
        from_root,
        mounts: if chroot { BTreeMap::new() } else { mounts },
        root,
    })
}

fn world() -> impl Strategy<Value = World> {
    let bases = prop::collection::vec(top(), BASES);
    let cases = prop::collection::vec(case(), JAILS);
    (bases, cases).prop_map(|(bases, cases)| World { bases, cases })
}

fn user(number: usize) -> String {
    format!("v{number}")
}

impl Case {
    /// The lines of the config.
    fn jail(&self, number: usize) -> String {
        let user = user(number);
        let mut text = format!(
            "[jails.{user}]\nroot = \"/srv/jails/{user}\"\nshell = \"/{SHELL}\"\nroot_owner = \"{}\"\n",
            if self.owned { "user" } else { "root" }
        );
        if self.chroot {
            text.push_str("isolation = \"chroot\"\n");
            return text;
        }
        match self.base {
            Base::None => {}
            Base::Host => text.push_str("base = \"host\"\n"),
            Base::Directory(base) => writeln!(text, "base = \"/srv/bases/{base}\"").unwrap(),
        }
        for (key, from_root) in ["proc", "dev", "tmp"].iter().zip(self.from_root) {
            let value = if from_root { "root" } else { "private" };
            writeln!(text, "{key} = \"{value}\"").unwrap();
        }
        let mounts: Vec<String> = self
            .mounts
            .iter()
            .map(|(target, writable)| {
                let mode = if *writable { "rw" } else { "ro" };
                format!("{{ source = \"/srv/sources/{target}\", target = \"/{target}\", mode = \"{mode}\" }}")
            })
            .collect();
        writeln!(text, "mounts = [{}]", mounts.join(", ")).unwrap();
        text
    }

    fn plan(&self, number: usize, door: Door) -> Option<Plan> {
        let name = user(number);
        let uid = FIRST_UID + u32::try_from(number).unwrap();
        let identity = Identity {
            shell: format!("/{SHELL}").into(),
            ..Identity::example(&name, uid)
        };
        let text = format!("[users]\n{name} = \"{name}\"\n{}", self.jail(number));
        let policy = Policy::parse(Path::new("config.toml"), text.as_bytes()).unwrap();
        let Ok(Decision::Jail(jail)) = policy.decide(&identity.account(), None) else {
            panic!("{name} has a rule");
        };
        let request = Request {
            login: false,
            what: What::Shell,
        };
        match door {
            Door::Pam => Plan::behind_pam(*jail, &identity).ok(),
            Door::LoginShell | Door::ForceCommand => Plan::new(*jail, &identity, request, []).ok(),
        }
    }
}

/// A command that makes the entries below `$top`, for an account `$user`.
fn make(top: &Top) -> String {
    let mut script = String::new();
    for (name, kind) in top {
        let line = match kind {
            Kind::Directory => format!("mkdir \"$top/{name}\""),
            Kind::File => format!("echo text >\"$top/{name}\""),
            Kind::Link => format!("ln -s nowhere \"$top/{name}\""),
            Kind::Fifo => format!("mkfifo \"$top/{name}\""),
        };
        script.push_str(&line);
        script.push('\n');
    }
    if top.get("etc") == Some(&Kind::Directory) {
        script.push_str(
            "getent passwd root $user >$top/etc/passwd; getent group root $user >$top/etc/group\n",
        );
    }
    script
}

/// One name at a top, as the probe has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    mode: u32,
    file: String,
    mount: String,
    link: String,
}

impl Entry {
    fn is(&self, kind: u32) -> bool {
        self.mode & 0o170_000 == kind
    }

    fn is_shown(&self) -> bool {
        view::is_shown(FileType::from_raw_mode(self.mode))
    }

    /// Tells whether this is the file itself: a link is made again.
    fn is_of(&self, other: &Entry, whole: bool) -> bool {
        if self.is(0o120_000) && other.is(0o120_000) && !whole {
            return self.link == other.link;
        }
        (self.mode, &self.file) == (other.mode, &other.file)
    }

    fn is_read_only(&self) -> bool {
        self.mount.starts_with("ro")
    }
}

type Listed = BTreeMap<String, Entry>;

/// Reads what the probe said; nothing where it did not come to its end.
fn listed(text: &str) -> Option<Listed> {
    let mut all = Listed::new();
    let mut is_done = false;
    for line in text.lines() {
        is_done |= line == "DONE";
        let fields: Vec<&str> = line.split('\t').collect();
        if let ["TOP", name, mode, file, mount, link] = fields[..] {
            let entry = Entry {
                mode: u32::from_str_radix(mode, 8).unwrap(),
                file: file.to_owned(),
                mount: mount.to_owned(),
                link: link.to_owned(),
            };
            all.insert(name.to_owned(), entry);
        }
    }
    is_done.then_some(all)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    LoginShell,
    ForceCommand,
    Pam,
}

/// A sandbox with every user, root and base of a world.
fn stage(world: &World) -> Sandbox {
    let sandbox = Sandbox::new().sshd("ForceCommand /usr/bin/jail-shell");
    let probe = install_probe(&sandbox, "top");
    let mut config = "[users]\n".to_owned();
    let mut script =
        "mkdir -p /srv/jails /srv/bases /srv/sources; cd /srv/sources; mkdir data mnt opt 'a b'\n"
            .to_owned();
    for (number, base) in world.bases.iter().enumerate() {
        write!(
            script,
            "user=; top=/srv/bases/{number}; mkdir $top\n{}",
            make(base)
        )
        .unwrap();
    }
    let mut jails = String::new();
    for (number, case) in world.cases.iter().enumerate() {
        let (user, uid) = (user(number), FIRST_UID as usize + number);
        writeln!(config, "{user} = \"{user}\"").unwrap();
        jails.push_str(&case.jail(number));
        let owner = if case.owned {
            "chown -Rh $user: $top"
        } else {
            ":"
        };
        write!(
            script,
            "user={user}; top=/srv/jails/$user; mkdir $top
             useradd -M -u {uid} -U -p '*' -s /bin/sh $user
             cp {probe} $top/{SHELL}\n{}{owner}\n",
            make(&case.root)
        )
        .unwrap();
    }
    sandbox.write("/etc/login-jail/config.toml", format!("{config}{jails}"));
    sandbox.must(&script);
    sandbox
}

/// Runs a command for each user, some at once; what it prints is in a file of the user's.
fn serve(sandbox: &Sandbox, door: Door) -> Vec<Option<Listed>> {
    let command = match door {
        Door::LoginShell => {
            format!("setpriv --reuid $1 --regid $1 --clear-groups --reset-env {JAIL_SHELL} -c top")
        }
        Door::ForceCommand => {
            let words = sandbox.ssh_argv("$1", &["-T"], Some("top"));
            words.join(" ")
        }
        Door::Pam => {
            sandbox.must(&format!(
                "echo 'session required pam_jail.so' >>/etc/pam.d/su
                 sed -i '/^v[0-9]*:/s,[^:]*$,/{SHELL},' /etc/passwd"
            ));
            "su $1 -c top".to_owned()
        }
    };
    sandbox.write(
        "/run/one",
        format!("#!/bin/sh\n{command} >/run/said.$1 2>/run/errors.$1 </dev/null\ntrue\n"),
    );
    sandbox.must(&format!(
        "rm -f /run/said.*; seq 0 {} | sed s/^/v/ | xargs -P 4 -n 1 sh /run/one",
        JAILS - 1
    ));
    let all = sandbox.must("cd /run; for user in $(seq 0 99); do [ -e said.v$user ] || break; cat said.v$user; echo ====; done");
    all.split("====\n").take(JAILS).map(listed).collect()
}

/// What is at the tops of all roots and bases, and of the sources of mounts.
struct Host {
    roots: Vec<Listed>,
    bases: Vec<Listed>,
    root: Listed,
    sources: Listed,
}

impl Host {
    fn of(sandbox: &Sandbox) -> Host {
        let tops = |directories: &[String]| -> Vec<Listed> {
            let words = directories.join(" ");
            let all = sandbox.must(&format!(
                "for top in {words}; do /usr/local/bin/top list $top; echo ====; done"
            ));
            let all = all.split("====\n").take(directories.len());
            all.map(|text| listed(text).unwrap()).collect()
        };
        let roots: Vec<String> = (0..JAILS)
            .map(|it| format!("/srv/jails/{}", user(it)))
            .collect();
        let bases: Vec<String> = (0..BASES).map(|it| format!("/srv/bases/{it}")).collect();
        Host {
            roots: tops(&roots),
            bases: tops(&bases),
            root: tops(&["/".to_owned()]).remove(0),
            sources: tops(&["/srv/sources".to_owned()]).remove(0),
        }
    }
}

/// Says where one name is not what the view has of it.
fn compare(
    case: &Case,
    plan: &Plan,
    name: &str,
    host: [Option<&Entry>; 3],
    seen: Option<&Entry>,
) -> Result<(), String> {
    let [in_root, in_base, mounted] = host;
    let whole = case.chroot || case.base == Base::None;
    let is_of = |there: &Entry| seen.is_some_and(|seen| seen.is_of(there, whole));
    if let (Some(source), Some(writable)) = (mounted, case.mounts.get(name)) {
        let right = is_of(source) && seen.is_some_and(|seen| seen.is_read_only() != *writable);
        return right.then_some(()).ok_or("the mount".to_owned());
    }
    let there = There {
        root: in_root.is_some_and(|it| whole || it.is_shown()),
        base: in_base.is_some_and(Entry::is_shown),
    };
    let source = view::source(plan, OsStr::new(name), there);
    let right = match (source, in_root, in_base) {
        (Source::Root, None, _) => seen.is_none(),
        (Source::Root, Some(there), _) => {
            is_of(there) && (case.chroot || !seen.is_some_and(Entry::is_read_only))
        }
        (Source::Base, _, Some(there)) => {
            is_of(there) && seen.is_none_or(|seen| seen.is_read_only() || seen.mount == "-")
        }
        (Source::Base, _, None) => false,
        // The session's own, or nothing: none of the files that are there.
        (Source::Made, _, _) => !in_root.is_some_and(is_of) && !in_base.is_some_and(is_of),
    };
    let is_safe = case.chroot
        || seen.is_none_or(|seen| {
            seen.mount == "-"
                || seen.mount.contains("nosuid") && (name == "dev" || seen.mount.contains("nodev"))
        });
    match (right, is_safe) {
        (true, true) => Ok(()),
        (true, false) => Err("the attributes of the mount".to_owned()),
        (false, _) => Err(format!("{source:?}")),
    }
}

/// Makes a seed, or takes that of an earlier run.
fn seed() -> u64 {
    let given = env::var("LOGIN_JAIL_SEED").ok();
    given.map_or_else(
        || RandomState::new().build_hasher().finish(),
        |text| text.parse().expect("LOGIN_JAIL_SEED is a number"),
    )
}

#[test]
fn every_door_shows_at_the_top_what_the_view_says() {
    let seed = seed();
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let world = world().new_tree(&mut runner).unwrap().current();
    let sandbox = stage(&world);
    let mut flaws = Vec::new();
    for door in [Door::LoginShell, Door::ForceCommand, Door::Pam] {
        let served = serve(&sandbox, door);
        let host = Host::of(&sandbox);
        let mut entered = 0;
        for (number, case) in world.cases.iter().enumerate() {
            let (Some(seen), Some(plan)) = (&served[number], case.plan(number, door)) else {
                continue;
            };
            entered += 1;
            let root = &host.roots[number];
            let empty = Listed::new();
            let base = match case.base {
                _ if case.chroot => &empty,
                Base::None => &empty,
                Base::Host => &host.root,
                Base::Directory(base) => &host.bases[base],
            };
            let names: BTreeSet<&String> = [root, base, seen]
                .into_iter()
                .flat_map(|it| it.keys())
                .collect();
            for name in names {
                let there = [root, base, &host.sources].map(|it| it.get(name));
                if let Err(what) = compare(case, &plan, name, there, seen.get(name)) {
                    flaws.push(format!(
                        "{door:?}, {}: /{name}: {what}: {there:?}, seen: {:?}\n{case:?}",
                        user(number),
                        seen.get(name)
                    ));
                }
            }
        }
        let refused = sandbox.must("cat /run/errors.* | sort | uniq -c");
        assert!(
            entered >= JAILS / 3,
            "seed {seed}: only {entered} of {JAILS} got in by {door:?}: {refused}\n{}",
            sandbox.syslog()
        );
    }
    assert!(
        flaws.is_empty(),
        "seed {seed}: {} flaws:\n{}",
        flaws.len(),
        flaws.join("\n")
    );
}
