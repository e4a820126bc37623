//! Keys of a jail that need another one.
//!
//! A wall that stands on another one that is switched off would not be there, so such a jail is
//! refused, and so is one where it might not be there. `[defaults]` is held to the same as a jail: what contradicts
//! itself there helps no jail.

use std::ops::Range;

use crate::commands::{Access, Allowed, has_shell};
use crate::duration::duration;
use crate::fault::Complaint;
use crate::keys::{BaseKey, Keys};
use crate::parse::jail::JailKeys;
use crate::parse::reader::Reader;
use crate::record::RecordWhat;
use crate::walls::{Content, Isolation, Landlock, Network, RootOwner, Scope};
use crate::words::Word;

/// A wall that other keys stand on.
struct Wall {
    /// The key that switches it off, or lets it be missing.
    key: &'static str,
    is_off: fn(&Keys) -> bool,
    /// How it is written there.
    off: &'static str,
    /// How it is written where it stands.
    on: &'static str,
    /// The keys that stand on it.
    dependents: fn(&Keys) -> Vec<Dependent>,
}

/// A key as it is written, and what to do with it where its wall is off.
struct Dependent {
    key: &'static str,
    written: String,
    /// What to write instead; `None` where no value will do.
    instead: Option<&'static str>,
}

const WALLS: &[Wall] = &[
    Wall {
        key: "isolation",
        is_off: |keys| keys.isolation == Some(Isolation::Chroot),
        off: "isolation = \"chroot\"",
        on: "isolation = \"full\"",
        dependents: on_isolation,
    },
    Wall {
        key: "landlock",
        is_off: |keys| keys.landlock == Some(Landlock::Off),
        off: "landlock = \"off\"",
        on: "landlock = \"files\"",
        dependents: on_landlock,
    },
    Wall {
        key: "dev",
        is_off: |keys| keys.dev == Some(Content::Root),
        off: "dev = \"root\"",
        on: "dev = \"private\"",
        dependents: |keys| devices(keys).into_iter().collect(),
    },
    // A kernel before Linux 6.7 can't enforce the lists, and best effort would go on without them.
    Wall {
        key: "landlock",
        is_off: |keys| keys.landlock == Some(Landlock::BestEffort),
        off: "landlock = \"best-effort\"",
        on: "landlock = \"files\"",
        dependents: on_landlock,
    },
];

fn on_isolation(keys: &Keys) -> Vec<Dependent> {
    let base = keys.base.as_ref().filter(|base| **base != BaseKey::None);
    let mounts = keys.mounts.as_ref().filter(|mounts| !mounts.is_empty());
    let contents = [
        ("proc", keys.proc, "proc = \"root\""),
        ("dev", keys.dev, "dev = \"root\""),
        ("tmp", keys.tmp, "tmp = \"root\""),
    ];
    let private = contents
        .into_iter()
        .filter(|(_, content, _)| *content == Some(Content::Private));

    let mut found = Vec::new();
    let mut add = |key, written, instead| {
        found.push(Dependent {
            key,
            written,
            instead,
        });
    };
    if let Some(base) = base {
        let written = format!("base = {:?}", base.as_str());
        add("base", written, Some("base = \"none\""));
    }
    if keys.network == Some(Network::None) {
        let written = "network = \"none\"".to_owned();
        add("network", written, Some("network = \"host\""));
    }
    for (key, _, instead) in private {
        add(key, format!("{key} = \"private\""), Some(instead));
    }
    if mounts.is_some() {
        add("mounts", "a list of mounts".to_owned(), Some("mounts = []"));
    }
    let services = keys.services.as_ref().filter(|list| !list.is_empty());
    if services.is_some() {
        let written = "a list of services".to_owned();
        add("services", written, Some("services = []"));
    }
    if let Some(linger) = keys.linger {
        add("linger", format!("linger = {linger}"), None);
    }
    if keys.scope == Some(Scope::User) {
        let written = "scope = \"user\"".to_owned();
        add("scope", written, Some("scope = \"session\""));
    }
    if keys.root_owner == Some(RootOwner::User) {
        let written = "root_owner = \"user\"".to_owned();
        add("root_owner", written, Some("root_owner = \"root\""));
    }
    found.extend(devices(keys));
    found.extend(record_of_transfers(keys));
    found.extend(commands_alone(keys));
    found.extend(of_the_supervisor(keys));
    found
}

/// What the process around a session does.
fn of_the_supervisor(keys: &Keys) -> impl Iterator<Item = Dependent> {
    let is_recorded = keys
        .record
        .is_some_and(|it| it.what == RecordWhat::Terminal);
    let record = is_recorded.then(|| Dependent {
        key: "record",
        written: "record = \"terminal\"".to_owned(),
        instead: Some("record = \"sessions\""),
    });
    let idle = keys.idle.map(|idle| Dependent {
        key: "idle",
        written: format!("idle = {:?}", duration(idle)),
        instead: None,
    });
    record.into_iter().chain(idle)
}

/// The supervisor writes it.
fn record_of_transfers(keys: &Keys) -> Option<Dependent> {
    let is_on = keys.sftp.as_ref().and_then(|sftp| sftp.log) == Some(true);
    is_on.then(|| Dependent {
        key: "sftp",
        written: "sftp.log = true".to_owned(),
        instead: Some("sftp.log = false"),
    })
}

fn on_landlock(keys: &Keys) -> Vec<Dependent> {
    let has_ports = matches!(keys.network, Some(Network::Ports { .. }));
    let ports = has_ports.then(|| Dependent {
        key: "network",
        written: "a network with lists of ports".to_owned(),
        instead: Some("network = \"host\""),
    });
    ports.into_iter().chain(commands_alone(keys)).collect()
}

/// The nodes are in a /dev that is made for the session.
fn devices(keys: &Keys) -> Option<Dependent> {
    let has_some = keys.devices.as_ref().is_some_and(|list| !list.is_empty());
    has_some.then(|| Dependent {
        key: "devices",
        written: "a list of devices".to_owned(),
        instead: Some("devices = []"),
    })
}

/// Without a shell, what may be started is held by mounts and by Landlock.
fn commands_alone(keys: &Keys) -> Option<Dependent> {
    let is_alone = !has_shell(keys.commands.as_deref());
    is_alone.then(|| Dependent {
        key: "commands",
        written: "a list of commands without \"shell\"".to_owned(),
        instead: None,
    })
}

impl Reader<'_> {
    /// Reports a list of entries of the host's /etc in a jail that shows nothing of the host's. `[defaults]` may have one
    /// for the jails that do.
    pub(super) fn etc_without_host(&mut self, own: &JailKeys, defaults: &Keys, jail: Range<usize>) {
        const NEEDS: &str = "needs base = \"host\"";
        let keys = own.keys.over(defaults);
        let is_empty = keys.etc.as_ref().is_none_or(Vec::is_empty);
        let is_wrong_already = own.place("base").is_some() && own.keys.base.is_none();
        if is_empty || is_wrong_already || keys.base == Some(BaseKey::Host) {
            return;
        }
        match (own.place("etc"), own.place("base")) {
            (Some(place), _) => self.lack(
                place,
                Complaint::new(format!("a list for etc {NEEDS}"))
                    .help("write base = \"host\", or remove etc"),
            ),
            (None, base) => self.lack(
                base.unwrap_or(jail),
                Complaint::new(format!("a list for etc, from [defaults], {NEEDS}"))
                    .help("write etc = [] in this jail"),
            ),
        }
    }

    /// Reports an access by SFTP that is no restriction: whoever may start something else than this server writes and reads
    /// by that.
    pub(super) fn restricted_sftp(&mut self, own: &JailKeys, defaults: &Keys, jail: Range<usize>) {
        let keys = own.keys.over(defaults);
        let access = keys.sftp.as_ref().and_then(|sftp| sftp.access);
        let Some(access) = access.filter(|it| *it != Access::ReadWrite) else {
            return;
        };
        let commands = keys.commands.as_deref();
        let other = if has_shell(commands) {
            Some("a list of commands without \"shell\"")
        } else {
            let has = |entry| commands.is_some_and(|list| list.contains(entry));
            match (has(&Allowed::Scp), has(&Allowed::Rsync)) {
                (true, _) => Some(
                    "a list of commands without \"scp\", whose old protocol access does not restrict",
                ),
                (_, true) => {
                    Some("a list of commands without \"rsync\", which access does not restrict")
                }
                _ => None,
            }
        };
        if let Some(needs) = other {
            let message = format!("sftp.access = {:?} needs {needs}", access.word());
            let place = own.place("commands").or(own.place("sftp")).unwrap_or(jail);
            let help = "write commands = [\"sftp\"], or remove access";
            self.lack(place, Complaint::new(message).help(help));
        }
    }

    /// Reports a number of sessions where nobody could count them: with chroot(2), nothing stays outside of a session. Limits
    /// are merged name by name, so that it may come from `[defaults]` beside others of the jail's own.
    pub(super) fn counted_sessions(&mut self, own: &JailKeys, defaults: &Keys, jail: Range<usize>) {
        let keys = own.keys.over(defaults);
        let is_own = own.keys.limits.sessions.is_some();
        // Where both are inherited, [defaults] were reported.
        let is_inherited = !is_own && own.place("isolation").is_none();
        let is_chroot = keys.isolation == Some(Isolation::Chroot);
        if is_inherited || !is_chroot || keys.limits.sessions().is_none() {
            return;
        }
        let (place, from, help) = match own.place("limits") {
            Some(place) if is_own => (place, "", "write isolation = \"full\", or remove sessions"),
            place => (
                place.or(own.place("isolation")).unwrap_or(jail),
                ", from [defaults],",
                "write isolation = \"full\", or limits = { sessions = \"unlimited\" } in this jail",
            ),
        };
        let message = format!("limits.sessions{from} needs isolation = \"full\"");
        self.lack(place, Complaint::new(message).help(help));
    }

    /// Reports the keys of a jail that stand on a wall that is off. `defaults` are without such
    /// keys themselves, or were reported.
    pub(super) fn conflicts(&mut self, own: &JailKeys, defaults: &Keys) {
        for wall in WALLS {
            let is_own = own.place(wall.key).is_some();
            let deciding = if is_own { &own.keys } else { defaults };
            if !(wall.is_off)(deciding) {
                continue;
            }
            for dependent in (wall.dependents)(&own.keys) {
                self.own_conflict(wall, &dependent, own, is_own);
            }
            let inherited = (wall.dependents)(defaults).into_iter();
            for dependent in inherited.filter(|dependent| own.place(dependent.key).is_none()) {
                self.inherited_conflict(wall, &dependent, own);
            }
        }
    }

    fn own_conflict(&mut self, wall: &Wall, dependent: &Dependent, own: &JailKeys, is_own: bool) {
        let Some(place) = own.place(dependent.key) else {
            return;
        };
        let (on, off) = (wall.on, wall.off);
        let needs = format!("{} needs {on}", dependent.written);
        let help = match dependent.instead {
            Some(instead) => format!("write {on}, or {instead}"),
            None => format!("write {on}, or remove {}", dependent.key),
        };
        if is_own {
            self.fault(place, Complaint::new(needs).help(help));
        } else {
            let message = format!("{needs}, and [defaults] has {off}");
            self.lack(place, Complaint::new(message).help(help));
        }
    }

    fn inherited_conflict(&mut self, wall: &Wall, dependent: &Dependent, own: &JailKeys) {
        // Where both are inherited, [defaults] were reported.
        let Some(place) = own.place(wall.key) else {
            return;
        };
        let (written, on) = (&dependent.written, wall.on);
        let message = format!("{written}, from [defaults], needs {on}");
        let help = match dependent.instead {
            Some(instead) => format!("write {instead} in this jail"),
            None => format!("move {} to the jails that can have it", dependent.key),
        };
        self.lack(place, Complaint::new(message).help(help));
    }
}
