//! The processes of a user, as /proc shows them to root: proc(5).
//!
//! What a process says of itself (its name, its arguments, its environment) is its user's to choose. Who it belongs to,
//! where its root is, its namespaces, its terminal, its parent and its sockets are the kernel's word.

use std::{
    collections::BTreeSet,
    fs, io,
    ops::Range,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use jail::process::{credentials::saved_gid_around, name::login_of};
use jail_config::{Isolation, Jail, Network, Seccomp};
use rustix::fs::{AtFlags, Mode, OFlags, Statx, StatxFlags, open, statx};

use crate::{door::JAIL_SHELL, failure::Failure, pam};

/// Where the fields of stat are, counted from the one behind the name: proc_pid_stat(5).
const STATE: usize = 0;
const PARENT: usize = 1;
const SESSION: usize = 3;
const TERMINAL: usize = 4;
const START: usize = 19;
const ARGUMENTS: usize = 45;
const ARGUMENTS_END: usize = 46;
const ENVIRONMENT_END: usize = 48;

/// How long processes that are ending are waited for, and how long between two looks.
const MOMENT: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A namespace, as /proc/PID/ns names its kind.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Namespace {
    Pid,
    Mount,
    Network,
    User,
}

/// What jails are held against: where this process is, and how sessions come into jails here.
#[derive(Debug)]
pub(crate) struct Host {
    own: Process,
    /// Whether pam_jail.so is in a stack: it makes no pid namespace, and its host program has no no_new_privs.
    has_module: bool,
}

impl Host {
    /// Looks at the host.
    pub(crate) fn new() -> Host {
        Host {
            own: Process::own(),
            has_module: pam::jails_anywhere(),
        }
    }
}

/// A process, which may end at any time: then nothing is said of it.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    directory: PathBuf,
}

/// What stat says of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// It has ended, and its parent has not asked how.
    pub(crate) zombie: bool,
    /// A signal has stopped it.
    pub(crate) stopped: bool,
    pub(crate) parent: i32,
    /// The session of setsid(2).
    pub(crate) session: i32,
    /// The controlling terminal, as the kernel counts devices; 0 for none.
    pub(crate) terminal: u64,
    /// When it started, in ticks since boot.
    pub(crate) start: u64,
}

impl Process {
    /// Names a process, which need not be there.
    pub(crate) fn new(pid: i32) -> Process {
        Process {
            pid,
            directory: PathBuf::from(format!("/proc/{pid}")),
        }
    }

    /// Names a process, by a thread of it that runs.
    pub(crate) fn seen(pid: i32) -> Process {
        Process::new(pid).seen_by_a_thread_that_runs()
    }

    /// Gives the calling process.
    pub(crate) fn own() -> Process {
        Process {
            pid: rustix::process::getpid().as_raw_nonzero().get(),
            directory: PathBuf::from("/proc/self"),
        }
    }

    fn all() -> io::Result<impl Iterator<Item = Process>> {
        let all = fs::read_dir("/proc")?.flatten();
        Ok(all
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .map(Process::new))
    }

    /// Lists the processes with this real user id.
    ///
    /// # Errors
    /// They can't be listed: without /proc there would seem to be none.
    pub(crate) fn of_user(uid: u32) -> Result<Vec<Process>, Failure> {
        Process::listed(|process| process.real_uid() == Some(uid))
    }

    /// Lists the real user ids that processes have, and those of users whom processes of root's are about to let in.
    ///
    /// # Errors
    /// As [`Process::of_user`].
    pub(crate) fn owners() -> Result<BTreeSet<u32>, Failure> {
        let all = Process::listed(|_| true)?;
        let entering = |it: &Process| login_of(&it.name()?);
        let owners = all.iter().filter_map(Process::real_uid);
        Ok(owners.chain(all.iter().filter_map(entering)).collect())
    }

    /// Gives which of these users have processes, once those that are ending have had a moment to: a login that was rehearsed, or a
    /// session that was ended.
    ///
    /// # Errors
    /// As [`Process::of_user`].
    pub(crate) fn still_running(uids: &BTreeSet<u32>) -> Result<BTreeSet<u32>, Failure> {
        let deadline = Instant::now() + MOMENT;
        loop {
            let running: BTreeSet<u32> = Process::owners()?.intersection(uids).copied().collect();
            if running.is_empty() || Instant::now() >= deadline {
                return Ok(running);
            }
            sleep(LOOK_AGAIN);
        }
    }

    /// Lists the processes with this real user id, and those of root's that are about to let the user in.
    ///
    /// # Errors
    /// As [`Process::of_user`].
    pub(crate) fn of_user_or_login(uid: u32) -> Result<Vec<Process>, Failure> {
        Process::listed(|process| process.is_of(uid))
    }

    /// Tells whether it has this real user id, or is one of root's that is about to let the user in.
    pub(crate) fn is_of(&self, uid: u32) -> bool {
        match self.real_uid() {
            Some(0) => self.enters_for(uid),
            own => own == Some(uid),
        }
    }

    /// Tells whether it has root's ids and is about to let this user in.
    pub(crate) fn enters_for(&self, uid: u32) -> bool {
        self.real_uid() == Some(0)
            && self.name().and_then(|name| login_of(&name)) == Some(uid)
            && self.program().is_some()
    }

    /// Tells whether it is about to let this user in, with root's ids or some of them.
    pub(crate) fn is_entering(&self, uid: u32) -> bool {
        let effective = || self.status("Uid:")?.split_whitespace().nth(1)?.parse().ok();
        self.enters_for(uid)
            || self.real_uid() == Some(uid)
                && effective() == Some(0)
                && self.program().is_some_and(|name| name == JAIL_SHELL)
    }

    fn listed(wanted: impl Fn(&Process) -> bool) -> Result<Vec<Process>, Failure> {
        let proc = Path::new("/proc");
        if !Process::own().directory.exists() {
            return Err(Failure::Failed(
                "list the processes: /proc is not mounted".to_owned(),
            ));
        }
        Ok(Process::all()
            .map_err(|error| Failure::io("list the processes in", proc, &error))?
            .filter(wanted)
            .map(Process::seen_by_a_thread_that_runs)
            .collect())
    }

    /// Lists the processes that have this one as parent, in whatever pid namespace they are.
    pub(crate) fn children(&self) -> Vec<Process> {
        let has_parent = |child: &Process| child.stat().is_some_and(|it| it.parent == self.pid);
        // What can't be listed now is listed the next time: who asks goes on asking.
        Process::all()
            .into_iter()
            .flatten()
            .filter(has_parent)
            .collect()
    }

    /// Lists its children, theirs, and so on.
    pub(crate) fn descendants(&self) -> Vec<Process> {
        let mut found: Vec<Process> = Vec::new();
        let mut next = self.children();
        while let Some(process) = next.pop() {
            // Ids are taken again while this looks: no circle must have no end.
            if found.iter().all(|known| known.pid != process.pid) {
                next.extend(process.children());
                found.push(process);
            }
        }
        found
    }

    /// Looks at a process by another thread where the first one has ended: then that is a zombie, without a root, and
    /// all the others go on.
    fn seen_by_a_thread_that_runs(self) -> Process {
        if self.stat().is_none_or(|stat| !stat.zombie) {
            return self;
        }
        let threads = fs::read_dir(self.directory.join("task"));
        let mut runs = threads
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| Process {
                pid: self.pid,
                directory: entry.path(),
            });
        let found = runs.find(|thread| thread.stat().is_some_and(|stat| !stat.zombie));
        found.unwrap_or(self)
    }

    /// Gives the real user id. The owner of the directory is root where the process is not dumpable.
    pub(crate) fn real_uid(&self) -> Option<u32> {
        self.status("Uid:")?.split_whitespace().next()?.parse().ok()
    }

    /// Tells whether it stands around a session of jail-shell's, with all that concerns it: no program that a user starts has such a
    /// saved group ID, which execve(2) sets.
    pub(crate) fn is_around(&self) -> bool {
        let gids = self.status("Gid:").unwrap_or_default();
        let mut gids = gids.split_whitespace().map(str::parse::<u32>);
        let (real, saved) = (gids.next(), gids.nth(1));
        matches!((real, saved), (Some(Ok(real)), Some(Ok(saved))) if saved == saved_gid_around(real))
            && self.program().is_some_and(|name| name == JAIL_SHELL)
    }

    /// Tells whether it is the first process of a pid namespace below ours.
    pub(crate) fn is_init(&self) -> bool {
        self.status("NSpid:").is_some_and(|pids| {
            let mut pids = pids.split_whitespace().skip(1).peekable();
            pids.peek().is_some() && pids.last() == Some("1")
        })
    }

    /// Tells whether it is in a jail like this one, by what no user can bring about outside of it: without privileges a
    /// root or a mount namespace takes a user namespace first, and no jail makes one.
    pub(crate) fn is_inside(&self, jail: &Jail, host: &Host) -> bool {
        if !self.shares(Namespace::User, &host.own) {
            // Where the filter of system calls is off it may have made one inside: then it is where it comes from.
            let from = || {
                let mut above = self.ancestors();
                above.find(|it| it.shares(Namespace::User, &host.own))
            };
            return jail.seccomp == Seccomp::Off
                && from().is_some_and(|it| it.is_inside(jail, host));
        }
        let apart = |kind| self.namespace(kind).is_some() && !self.shares(kind, &host.own);
        let has_root = self
            .root()
            .is_some_and(|root| Some(root) != host.own.root());
        let is_walled = match jail.isolation {
            Isolation::Full => {
                apart(Namespace::Mount) && (host.has_module || apart(Namespace::Pid))
            }
            Isolation::Chroot => {
                host.has_module || self.status("NoNewPrivs:").is_some_and(|set| set == "1")
            }
        };
        has_root && is_walled
    }

    /// Tells whether the jail keeps from its processes what this one, which is in a jail, can reach: it entered before the config was
    /// changed. Only a namespace shows it.
    pub(crate) fn is_in_weaker_jail(&self, jail: &Jail, host: &Host) -> bool {
        let has_none = matches!(jail.isolation, Isolation::Full) && jail.network == Network::None;
        has_none && self.shares(Namespace::Network, &host.own)
    }

    fn shares(&self, kind: Namespace, other: &Process) -> bool {
        let own = self.namespace(kind);
        own.is_some() && own == other.namespace(kind)
    }

    /// Tells whether root has taken every capability out of its reach, in whatever it may start too: users can't.
    pub(crate) fn has_empty_bounding_set(&self, host: &Host) -> bool {
        let bounding = self.status("CapBnd:");
        let bounding = bounding.and_then(|set| u64::from_str_radix(&set, 16).ok());
        bounding == Some(0) && self.shares(Namespace::User, &host.own)
    }

    /// Tells whether it has not ended meanwhile.
    pub(crate) fn is_there(&self) -> bool {
        let again = Process::seen(self.pid);
        again.stat().is_some_and(|stat| !stat.zombie)
    }

    fn status(&self, key: &str) -> Option<String> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.trim().to_owned())
    }

    /// Reads one of its files. Its name is in some of them, and need not be UTF-8.
    fn read(&self, name: &str) -> Option<String> {
        let text = fs::read(self.directory.join(name)).ok()?;
        Some(String::from_utf8_lossy(&text).into_owned())
    }

    /// Gives what its root directory is: file system and inode.
    pub(crate) fn root(&self) -> Option<((u32, u32), u64)> {
        let root = examined(&self.directory.join("root"))?;
        Some(((root.stx_dev_major, root.stx_dev_minor), root.stx_ino))
    }

    /// Tells whether a directory is the root of a process, as by chroot(2).
    ///
    /// # Errors
    /// As [`Process::of_user`].
    pub(crate) fn has_root(directory: &Path) -> Result<bool, Failure> {
        let Some(wanted) = examined(directory) else {
            return Ok(false);
        };
        let wanted = ((wanted.stx_dev_major, wanted.stx_dev_minor), wanted.stx_ino);
        Ok(!Process::listed(|process| process.root() == Some(wanted))?.is_empty())
    }

    /// Gives the number of one of its namespaces: namespaces(7).
    pub(crate) fn namespace(&self, kind: Namespace) -> Option<u64> {
        let name = match kind {
            Namespace::Pid => "ns/pid",
            Namespace::Mount => "ns/mnt",
            Namespace::Network => "ns/net",
            Namespace::User => "ns/user",
        };
        let entry = fs::metadata(self.directory.join(name)).ok()?;
        Some(entry.ino())
    }

    /// Gives the name of the program that it runs, which it can change.
    pub(crate) fn name(&self) -> Option<String> {
        Some(self.read("comm")?.trim_end_matches('\n').to_owned())
    }

    /// Gives the name of the file that it runs, where root alone can write that: it can choose the name that it goes by,
    /// not this one.
    pub(crate) fn program(&self) -> Option<String> {
        let link = self.directory.join("exe");
        let file = examined(&link)?;
        if file.stx_uid != 0 || file.stx_mode & 0o022 != 0 {
            return None;
        }
        let path = fs::read_link(link).ok()?;
        let name = path.file_name()?.to_str()?;
        // Replaced by an upgrade since it was started: proc_pid_exe(5).
        Some(name.strip_suffix(" (deleted)").unwrap_or(name).to_owned())
    }

    /// Gives its arguments, which it may have none of; nothing where they are in a file, whose file system need not answer.
    /// A process that puts one there right now makes the caller wait without end: see [`crate::commands`].
    pub(crate) fn arguments(&self) -> Option<String> {
        let stat = self.read("stat")?;
        let range = argument_range(&stat)?;
        if !is_own_memory(&self.read("maps")?, &range) {
            return None;
        }
        let arguments = self.read("cmdline")?.replace('\0', " ");
        Some(arguments.trim_end().to_owned())
    }

    /// Reads stat.
    pub(crate) fn stat(&self) -> Option<Stat> {
        Stat::parse(&self.read("stat")?)
    }

    /// Gives the processes above it, the nearest first, up to the host's init.
    pub(crate) fn ancestors(&self) -> impl Iterator<Item = Process> {
        let above = |process: &Process| {
            let parent = process.stat()?.parent;
            (parent > 1).then(|| Process::new(parent))
        };
        // Ids are taken again: what has ended in between can't make a circle without an end.
        std::iter::successors(above(self), move |process| above(process)).take(64)
    }

    /// Gives the paths of its control group, in the hierarchies that systemd keeps: cgroups(7).
    pub(crate) fn control_groups(&self) -> Vec<PathBuf> {
        let groups = self.read("cgroup").unwrap_or_default();
        let path = |line: &str| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            ["", "name=systemd"]
                .contains(&controllers)
                .then(|| PathBuf::from(path))
        };
        groups.lines().filter_map(path).collect()
    }

    /// Lists the sockets that it has open, by inode number.
    pub(crate) fn sockets(&self) -> Vec<u64> {
        let Ok(all) = fs::read_dir(self.directory.join("fd")) else {
            return Vec::new();
        };
        all.flatten()
            .filter_map(|entry| fs::read_link(entry.path()).ok())
            .filter_map(|link| {
                let number = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
                number.parse().ok()
            })
            .collect()
    }

    /// Reads a table of the network that it is in, such as `tcp`.
    pub(crate) fn network_table(&self, name: &str) -> String {
        self.read(&format!("net/{name}")).unwrap_or_default()
    }
}

impl Stat {
    /// Reads the line. The name in it may have spaces and brackets, and is between the first one and the last.
    fn parse(line: &str) -> Option<Stat> {
        let (_, behind) = line.rsplit_once(')')?;
        let fields: Vec<&str> = behind.split_whitespace().collect();
        let field = |index: usize| fields.get(index).copied();
        Some(Stat {
            zombie: matches!(field(STATE)?, "Z" | "X"),
            stopped: field(STATE)? == "T",
            parent: field(PARENT)?.parse().ok()?,
            session: field(SESSION)?.parse().ok()?,
            terminal: field(TERMINAL)?.parse().ok()?,
            start: field(START)?.parse().ok()?,
        })
    }

    /// Names the controlling terminal as ps(1) does.
    pub(crate) fn terminal(&self) -> Option<String> {
        let major = (self.terminal >> 8) & 0xfff;
        let minor = (self.terminal & 0xff) | ((self.terminal >> 12) & 0xfff00);
        match (major, minor) {
            (0, 0) => None,
            (4, 64..) => Some(format!("ttyS{}", minor - 64)),
            (4, _) => Some(format!("tty{minor}")),
            // Unix98 terminals have eight majors of 256: Documentation/admin-guide/devices.txt of Linux.
            (136..=143, _) => Some(format!("pts/{}", (major - 136) * 256 + minor)),
            _ => Some(format!("{major}:{minor}")),
        }
    }
}

/// Reads from where to where the kernel takes a process's arguments: they may go on into its environment.
fn argument_range(stat: &str) -> Option<Range<u64>> {
    let (_, behind) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = behind.split_whitespace().collect();
    let field = |index: usize| fields.get(index)?.parse().ok();
    let (start, end): (u64, u64) = (field(ARGUMENTS)?, field(ARGUMENTS_END)?);
    Some(start..end.max(field(ENVIRONMENT_END)?))
}

/// Tells whether no file is mapped in a range of a process's memory: proc_pid_maps(5).
fn is_own_memory(maps: &str, range: &Range<u64>) -> bool {
    let in_file = |line: &str| {
        let mut fields = line.split_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let start = u64::from_str_radix(start, 16).ok()?;
        let end = u64::from_str_radix(end, 16).ok()?;
        let inode = fields.nth(3)?;
        Some(start < range.end && range.start < end && inode != "0")
    };
    maps.lines().all(|line| in_file(line) == Some(false))
}

/// Examines what a link of /proc leads to, without asking its file system anything: a user who serves it need never answer.
fn examined(link: &Path) -> Option<Statx> {
    let opened = open(link, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    statx(opened, "", flags, StatxFlags::BASIC_STATS).ok()
}

/// Gives when the machine was started, in seconds since 1970.
pub(crate) fn boot_time() -> Option<u64> {
    let stat = fs::read_to_string(Path::new("/proc/stat")).ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Process, Stat, argument_range, is_own_memory};

    #[test]
    fn a_name_can_not_forge_the_fields_behind_it() {
        let line = "12 (a) S 1 1 1 34816 x) R 7 8 9 34819 9 4194304 0 0 0 0 0 0 0 0 20 0 1 0 555 0";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.parent, stat.session, stat.start), (7, 9, 555));
        assert_eq!(stat.terminal().as_deref(), Some("pts/3"));
    }

    #[test]
    fn arguments_in_a_file_are_told_from_those_in_memory() {
        let own = Process::own();
        let range = argument_range(&own.read("stat").unwrap()).unwrap();
        assert!(range.start > 0 && range.start < range.end, "{range:?}");
        assert!(own.arguments().unwrap().contains("jailctl"));
        let maps = "1000-2000 r--p 00000000 00:2b 7 /f\n3000-5000 rw-p 00000000 00:00 0 [stack]\n";
        for (range, own) in [
            (0x3000..0x5000, true),
            (0x3800..0x4800, true),
            (0x1800..0x1900, false),
            (0x1fff..0x3001, false),
        ] {
            assert_eq!(is_own_memory(maps, &range), own, "{range:?}");
        }
        assert!(!is_own_memory("no such line", &range));
    }

    #[test]
    fn the_own_process_is_there_and_is_no_init() {
        let own = Process::own();
        assert!(
            own.stat()
                .is_some_and(|stat| stat.start > 0 && !stat.zombie)
        );
        assert!(!own.is_init());
        assert!(own.root().is_some());
        assert!(own.ancestors().next().is_some());
    }
}
