//! What each step of a plan does, in a sentence with the values that it would use.

use std::ffi::OsStr;

use jail::{
    account::identity::Identity,
    door::recording::RECORDINGS,
    plan::{Plan, request::What, steps::Step, world::View},
    process::cgroup::Cgroup,
    world::view::has_log,
};
use jail_config::{
    Access, AccountLimits, Base, Content, Device, Home, Jail, Landlock, Limits, MountMode, Network,
    RootOwner, Seccomp, duration, size,
};

use crate::{
    door::has_jail_shell,
    guest::home,
    shell::{quoted, shown},
};

/// Says what a step does. `passed` is what the jail lets through of the caller's environment, as it is written.
pub(crate) fn of(step: &Step<'_>, plan: &Plan, passed: &str) -> String {
    match step {
        Step::Create(create) => format!(
            "make {}, and the home {}, where they are missing: the home with mode {:03o}{}",
            shown(&plan.world.root),
            shown(plan.process.starts_in()),
            create.mode,
            match create.skeleton.directory() {
                Some(skeleton) => format!(" and a copy of {}", shown(skeleton)),
                None => " and empty".to_owned(),
            }
        ),
        Step::OpenRoot(root) => format!(
            "open {}: walk there from / without following a link; each component must be root's{} and writable by nobody else",
            shown(root),
            match plan.world.root_owner {
                RootOwner::Root => "",
                RootOwner::User => ", the last one root's or the user's,",
            }
        ),
        Step::OpenBase(Base::Directory(base)) => format!(
            "open {} by the same walk: what the root does not have shows through from there, read-only",
            shown(base)
        ),
        Step::OpenBase(Base::Host | Base::None) => {
            let further = plan.world.view.as_ref().map(|view| view.etc.join(", "));
            let further = further.filter(|names| !names.is_empty());
            format!(
                "open the host's /: its /usr, /bin, /sbin and /lib* show through read-only, with an /etc made for this user{}",
                further.map_or_else(String::new, |names| format!(" that has {names} of the host's, too"))
            )
        }
        Step::OpenMount(mount) => format!(
            "open {} by the same walk, whoever owns it, to appear as {}, {}",
            shown(&mount.source),
            shown(&mount.target),
            match mount.mode {
                MountMode::ReadOnly => "read-only",
                MountMode::ReadWrite => "writable",
            }
        ),
        Step::OpenService(service) => {
            let sources = service.shown.iter().map(|it| shown(&it.source));
            format!(
                "open what is there of the service {} by the same walk ({}), to appear read-only where clients look",
                service.name,
                sources.collect::<Vec<_>>().join(", ")
            )
        }
        Step::OpenDevices(devices) => {
            let names = devices.iter().map(Device::as_str);
            format!(
                "open the device nodes {} and look at what they are: no jail gets disks, memory, terminals and their like",
                names.collect::<Vec<_>>().join(", ")
            )
        }
        Step::HostFiles(ids) => format!(
            "look at what root code of the host program will read inside: it must be root's alone, and agree on uid {}, \
             gid {} and the groups",
            ids.uid, ids.gid
        ),
        Step::SessionKeyring => "join a new session keyring, so that the caller's keys stay outside".to_owned(),
        Step::BoundingSet => "empty the capability bounding set".to_owned(),
        Step::Securebits => "lock the securebits: user id 0 means nothing from here on".to_owned(),
        Step::Chroot => "chroot into the open directory (isolation = \"chroot\": no namespaces)".to_owned(),
        Step::Sessions(limit) => format!(
            "count the session: one more is refused while the user has {limit} open"
        ),
        Step::OpenTerminal => {
            "look at the caller's terminal; one that belongs to somebody else's session stays outside, and a new one is made"
                .to_owned()
        }
        Step::Join(_) => {
            "join the namespaces in which a child has done all this; the child is killed after 20 seconds".to_owned()
        }
        Step::CopyTrees(_) => {
            "copy the mounts that the new root is made of, nosuid and nodev; the host's own stay as they are".to_owned()
        }
        Step::ShareWorld(view) => format!(
            "join the world that the user's other logins share, if one listens in /run/login-jail/worlds and is made of the same, else make \
             it; then the steps up to the forks are those of the login that makes it. The world ends with its last {}",
            if view.linger { "process" } else { "session" }
        ),
        Step::PidNamespace => {
            "fork into a pid namespace of its own; the caller's process stays outside as supervisor: it ends a set-up of more than \
             20 seconds, and then gives its privileges up"
                .to_owned()
        }
        Step::Namespaces(network) => format!(
            "enter private mount, ipc and uts namespaces{}",
            match network {
                Network::None => ", and an empty network namespace",
                Network::Host | Network::Ports { .. } => "; the network is the host's",
            }
        ),
        Step::NewRoot(view) => format!(
            "put the root together and leave the old one by pivot_root: {}",
            contents(view)
        ),
        Step::Init(view) => format!(
            "fork the main process off a minimal init: {}",
            if view.linger {
                "what runs in the background stays when it ends"
            } else {
                "everything ends with it"
            }
        ),
        Step::Terminal => "hand session and terminal to the main process".to_owned(),
        Step::Record(recording) => format!(
            "the supervisor makes the file of the recording in {RECORDINGS}, of {} at the most{}; a session that can't be recorded \
             does not begin",
            size(recording.size),
            if recording.input { ", with what is typed while the terminal echoes" } else { "" }
        ),
        Step::Limits(limits) => limits_in_words(limits),
        Step::Cgroup(limits) => format!(
            "join {}, and make sure that all processes of the account together have no more than {}",
            Cgroup::of(plan.process.ids.uid),
            account_limits(limits).join(", ")
        ),
        Step::Groups(groups) => format!("set the supplementary groups: {}", groups_in_words(groups, plan)),
        Step::Gid(gid) => format!("set the group id to {gid}"),
        Step::Uid(uid) => format!("set the user id to {uid}"),
        Step::Capabilities => "empty all capability sets".to_owned(),
        Step::NoNewPrivs => "set no_new_privs: set-user-ID programs have no effect inside".to_owned(),
        Step::Verify(_) => "read all of it back, and try to regain root, which must fail".to_owned(),
        Step::Landlock(wanted) => format!(
            "restrict files to what is below the root{}; {}",
            ports(wanted.network),
            match wanted.mode {
                Landlock::Files => {
                    "a kernel that can't shut files outside, or enforce lists of ports, refuses the login"
                }
                Landlock::Require => "a kernel that can't do all of it refuses the login",
                Landlock::BestEffort => "as far as the kernel can",
                Landlock::Off => "switched off",
            }
        ),
        Step::Seccomp(mode, _) => match mode {
            Seccomp::Default => "refuse the system calls that no session needs".to_owned(),
            Seccomp::Off => "refuse the sockets that the ports of `network` do not cover, and nothing else".to_owned(),
        },
        Step::Umask(mask) => format!("set the umask to {mask:03o}"),
        Step::Home(Home::Set(home)) => format!("as the user, change to {}", shown(home)),
        Step::Home(Home::Default(home)) => {
            format!("as the user, change to {}, or to / where it is not there", shown(home))
        }
        Step::Program(_) | Step::Exec(_) if started_alone(plan).is_some() => {
            let what = match step {
                Step::Exec(_) => "execute",
                _ => "look whether this can start, and expand what names files:",
            };
            format!("{what} {}", started_alone(plan).unwrap_or_default())
        }
        Step::Program(shell) => format!(
            "look whether {}{} can start: itself, its interpreter, its libraries",
            shown(shell),
            match plan.process.request().map(|request| &request.what) {
                Some(What::Sftp { .. }) => " and an sftp-server",
                Some(What::Shell | What::Command { .. } | What::Direct(_)) | None => "",
            }
        ),
        Step::Exec(shell) => format!(
            "execute {}: {}; environment: {}; of the caller's variables these come in: {}",
            shown(shell),
            command_line(plan),
            environment(plan),
            if passed.is_empty() { "none" } else { passed }
        ),
    }
}

/// Says what the program that has asked PAM does after the last step: none of it is ours.
pub(crate) fn of_host_program(identity: &Identity, command: Option<&OsStr>, jail: &Jail) -> String {
    // In there, jail-shell is the jail's shell by another name.
    let shell = if has_jail_shell(identity) {
        &jail.shell
    } else {
        &identity.shell
    };
    let started = match command {
        Some(command) => format!("{} -c {}", shown(shell), quoted(command)),
        None => shown(shell),
    };
    let groups: Vec<String> = identity.groups.iter().map(u32::to_string).collect();
    format!(
        "the host program goes on by itself, in the jail: it sets user id {}, group id {}, the supplementary groups {} and \
         an environment of its own, changes to {}, and starts {started}; cron and at start /bin/sh, vsftpd nothing",
        identity.uid,
        identity.gid,
        groups.join(" "),
        shown(home(identity))
    )
}

/// Says what of a session is recorded, where its terminal is.
pub(crate) fn recorded(jail: &Jail) -> Option<String> {
    let recording = jail.record.recording()?;
    Some(format!(
        "what a terminal shows{}, in {RECORDINGS}, {} a session and {} a user at the most; a shell without a terminal is refused",
        if recording.input {
            ", and what is typed while it echoes"
        } else {
            ""
        },
        size(recording.size),
        size(recording.total)
    ))
}

/// Says how SFTP is served.
pub(crate) fn sftp(jail: &Jail) -> Option<String> {
    let sftp = jail.sftp.as_ref()?;
    let access = match sftp.access {
        Access::ReadWrite => "read and write",
        Access::ReadOnly => "read-only",
        Access::UploadOnly => "upload-only",
    };
    let directory = sftp.directory.as_deref();
    let parts = [
        Some(access.to_owned()),
        directory.map(|it| format!("starts in {}", shown(it))),
        sftp.umask.map(|umask| format!("umask {umask:03o}")),
        sftp.log
            .then(|| "each transfer is one line of the log".to_owned()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Some(parts.join(", "))
}

/// Says how long a terminal may be idle.
pub(crate) fn idle(jail: &Jail) -> Option<String> {
    let limit = duration(jail.idle?);
    Some(format!(
        "a terminal session without input or output for {limit} ends"
    ))
}

fn contents(view: &View) -> String {
    let words = |name, content, private: &str| match content {
        Content::Private => format!("{name} {private}"),
        Content::Root => format!("{name} as the root has it"),
    };
    let dev = match has_log(view) {
        true => "with the usual nodes, its own pts and its own log socket",
        false => "with the usual nodes and its own pts",
    };
    [
        words("/proc", view.proc, "of the session's own processes"),
        words("/dev", view.dev, dev),
        words("/tmp", view.tmp, "private"),
    ]
    .join(", ")
}

fn ports(network: &Network) -> String {
    let Network::Ports { connect, bind } = network else {
        return ", signals and abstract sockets to the session".to_owned();
    };
    let list = |what: &str, ports: &Option<Vec<u16>>| {
        let Some(ports) = ports else {
            return String::new();
        };
        let numbers: Vec<String> = ports.iter().map(u16::to_string).collect();
        match numbers.as_slice() {
            [] => format!(", TCP {what} to none"),
            numbers => format!(", TCP {what} to port {}", numbers.join(" ")),
        }
    };
    format!(
        ", signals and abstract sockets to the session{}{}",
        list("connections", connect),
        list("listening", bind)
    )
}

/// Lists the limits that a config sets for each process.
pub(super) fn limits(limits: &Limits) -> Vec<String> {
    shown_limits([
        ("nofile", limits.nofile),
        ("nproc", limits.nproc),
        ("fsize", limits.fsize),
        ("as", limits.as_),
        ("core", limits.core),
        ("cpu", limits.cpu),
    ])
}

/// Lists the limits that a config sets for all of an account's processes together.
fn account_limits(limits: &AccountLimits) -> Vec<String> {
    let mut all = shown_limits([("memory", limits.memory), ("tasks", limits.tasks)]);
    all.extend(limits.cpu.map(|percent| format!("cpu {percent}%")));
    all.extend(limits.io.map(|weight| format!("io weight {weight}")));
    all
}

fn shown_limits<const N: usize>(limits: [(&str, Option<u64>); N]) -> Vec<String> {
    let shown = limits.into_iter().filter_map(|(name, value)| match value? {
        u64::MAX => Some(format!("{name} unlimited")),
        value if Limits::is_size(name) => Some(format!("{name} {}", size(value))),
        value => Some(format!("{name} {value}")),
    });
    shown.collect()
}

fn limits_in_words(set: &Limits) -> String {
    match limits(set).as_slice() {
        [] => "give back the caller's resource limits".to_owned(),
        set => format!(
            "set the resource limits {}, the others as the caller has them",
            set.join(", ")
        ),
    }
}

fn groups_in_words(groups: &[u32], plan: &Plan) -> String {
    let named: Vec<String> = groups
        .iter()
        .map(|gid| {
            let name = plan
                .process
                .group_names
                .iter()
                .find(|(known, _)| known == gid);
            name.map_or_else(
                || gid.to_string(),
                |(_, name)| format!("{gid} ({})", shown(name)),
            )
        })
        .collect();
    if named.is_empty() {
        return "none".to_owned();
    }
    named.join(", ")
}

/// Gives the command line that is started without a shell, as the list of commands has it.
fn started_alone(plan: &Plan) -> Option<String> {
    match plan.process.request().map(|request| &request.what) {
        Some(What::Direct(direct)) => Some(shown(direct.shown())),
        _ => None,
    }
}

fn command_line(plan: &Plan) -> String {
    if let Some(What::Sftp { asked, options, .. }) =
        plan.process.request().map(|request| &request.what)
    {
        let words = std::iter::once(asked.as_os_str()).chain(options.iter().map(AsRef::as_ref));
        let words: Vec<String> = words.map(quoted).collect();
        let server = format!("the jail's own sftp-server in place of {}", words.join(" "));
        let itself = plan
            .process
            .request()
            .and_then(|it| it.options_without_shell(&plan.process.shell));
        return match itself {
            Some(_) => format!("{server}, itself and without the shell"),
            None => format!(
                "-c with {server}; where {} is a link inside to one of the usual shells, the server itself and without the shell",
                shown(&plan.process.shell)
            ),
        };
    }
    let start = plan.process.start();
    let arguments: Vec<String> = start
        .iter()
        .flat_map(|it| &it.arguments)
        .map(quoted)
        .collect();
    format!("arguments {}", arguments.join(" "))
}

fn environment(plan: &Plan) -> String {
    let (Home::Set(home) | Home::Default(home)) = &plan.process.home;
    let home = format!("HOME={}", quoted(home));
    let variables = plan
        .process
        .environment
        .iter()
        .map(|(name, value)| format!("{}={}", shown(name), quoted(value)));
    std::iter::once(home)
        .chain(variables)
        .collect::<Vec<_>>()
        .join(" ")
}
