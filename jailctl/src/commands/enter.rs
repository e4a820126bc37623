//! `jailctl enter`: chroot(1) for administrators, and a rehearsal of a user's login.

mod as_root;

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    io::{self, IsTerminal},
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt, fs::PermissionsExt, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::Command,
};

use clap::{Args, ValueHint};
use jail::{
    account::identity::Identity,
    door::{
        decision::{Config, jail_of},
        host_program::confine,
        refusal::Refusal,
    },
    log::{
        Log,
        call::{Call, Origin},
        running::Running,
    },
    plan::Plan,
    process::{program::Root, start},
    resolve::openat2,
    serve::serve,
    trust::{self, Flaw, Untrusted},
};
use jail_config::{Isolation, Jail};
use nix::sched::{CloneFlags, unshare};
use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags},
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags,
        OpenTreeFlags, fsconfig_create, fsmount, fsopen, mount_change, move_mount, open_tree,
    },
    process::{chdir, chroot, fchdir},
};

use crate::{
    accounts::account,
    doctor::used,
    door::Door,
    failure::{Failure, Verdict, need_root},
    guest::take_ids,
    manual::{self, Manual},
    shell::{quoted, shown},
};

/// Run a command in a root as root, or rehearse a user's login
///
/// With a directory this works as chroot(1): the command runs with all powers of root and without any wall. Use it for
/// rescue and maintenance; it does not keep anybody in. Without a command it starts the shell that $SHELL names, or
/// /bin/sh.
///
/// The command would run as root whatever users could change in the root. Therefore the root, the directories above it,
/// the program, and everything in the directories of programs, libraries and settings must belong to root and must not
/// be writable by anybody else.
///
/// With --user it makes the login of that user: decision, plan and steps are those of a real login, and with scope = "user" it joins the
/// world of the user's logins. It is let in after "until", and when
/// "limits.sessions" is reached. Needs root.
#[derive(Debug, Args)]
#[command(
    override_usage = "jailctl enter [--mount] [--trust-user-files] ROOT [-- COMMAND...]\n       \
                            jailctl enter --user NAME [--door DOOR] [-- COMMAND...]",
    after_long_help = MANUAL.to_string()
)]
pub(crate) struct Arguments {
    /// The root directory
    #[arg(value_name = "ROOT", value_hint = ValueHint::DirPath)]
    pub(crate) root: Option<PathBuf>,
    /// Log this user in: the decision, the plan and every step are those of a login
    #[arg(long, value_name = "NAME", conflicts_with_all = ["root", "mount"], value_hint = ValueHint::Username)]
    pub(crate) user: Option<String>,
    /// With --user: the door of the rehearsal; by default the one that the user has
    ///
    /// Behind pam the account's own login shell is started, as su(1) would start it with "-".
    #[arg(long, value_enum)]
    pub(crate) door: Option<Door>,
    /// Mount /proc, /sys, /dev and resolv.conf in the root, for this command alone
    #[arg(long)]
    pub(crate) mount: bool,
    /// Enter even if users can change the program or its libraries, which then run as root
    #[arg(long, conflicts_with = "user")]
    pub(crate) trust_user_files: bool,
    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  jailctl enter /srv/images/debian                              a shell as root, in a root that belongs to root alone
  jailctl enter --mount /srv/images/debian -- apt-get update    with /proc, /sys, /dev and resolv.conf for as long as it runs
  jailctl enter --trust-user-files /srv/jails/ann               a shell as root, although the root is the user's own
  jailctl enter --user ann                                      make her login, to see whether it works
  jailctl enter --user ann --door pam                           the same as behind pam_jail.so
  jailctl enter --user ann -- id -un                            one command, as her login runs it";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "the command ended with 0",
    found: Some(
        "the command ended with 1; each other exit status of the command is given on as well",
    ),
    differs: None,
    files: &[
        manual::CONFIG,
        manual::USERS_D,
        ("/etc/resolv.conf", "--mount shows it in the root"),
    ],
    examples: EXAMPLES,
};

/// Where a shell is looked for that $SHELL has elsewhere on the host.
const PROGRAM_DIRECTORIES: [&str; 3] = ["/bin", "/usr/bin", "/usr/local/bin"];

/// Who has called, in the log.
const CALLER: &str = "jailctl enter --user";

/// What execvp(3) searches where PATH is not set.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Enters a root directory, or logs a user in.
pub(crate) fn run(config: &Path, arguments: &Arguments) -> Result<Verdict, Failure> {
    if let (Some(door), None) = (arguments.door, &arguments.user) {
        return Err(Failure::Usage(format!(
            "--door is for the login of a user; run: jailctl enter --user NAME --door {}",
            door.name()
        )));
    }
    if arguments.user.is_none() && arguments.root.is_none() {
        return Err(Failure::Usage(
            "a root directory or --user NAME is missing; run: jailctl enter ROOT, or: jailctl enter --user NAME"
                .to_owned(),
        ));
    }
    need_root("enter a root directory")?;
    match (&arguments.user, &arguments.root) {
        (Some(user), _) => rehearse(config, user, arguments.door, &arguments.command),
        (None, Some(root)) => enter_root(root, arguments),
        (None, None) => Err(Failure::Usage(
            "name a root directory, or --user".to_owned(),
        )),
    }
}

/// Follows a login of this user from the decision to the shell.
fn rehearse(
    config: &Path,
    user: &str,
    door: Option<Door>,
    command: &[OsString],
) -> Result<Verdict, Failure> {
    let identity = account::named(user)?;
    let command = command_line(command);
    let config = Config::read(config)?;
    let jail = jail_of(config.decide(&identity)?)?;
    drop(config);
    let door = door.unwrap_or_else(|| used::of(&identity));
    let no_supervisor = jail.isolation == Isolation::Chroot || door == Door::Pam;
    if no_supervisor && io::stdin().is_terminal() {
        // There is no supervisor that could stand between the two.
        eprintln!(
            "jailctl: this session has your terminal, and what it leaves behind can go on reading it: leave by closing that, \
             or have one made for it: script -qc 'jailctl enter --user {}' /dev/null",
            quoted(&identity.name)
        );
    }
    match door {
        Door::Pam => open_session(jail, &identity, command.as_deref()),
        door => {
            let plan = door.plan(jail, command.as_deref(), &identity, env::vars_os())?;
            become_jail_shell(plan.opened_by_root(), door)
        }
    }
}

/// Makes a line for the shell of words. One word is a line already, as ssh(1) and su(1) have it; several keep their bounds.
fn command_line(words: &[OsString]) -> Option<OsString> {
    match words {
        [] => None,
        [line] => Some(line.clone()),
        words => {
            let quoted: Vec<String> = words.iter().map(quoted).collect();
            Some(quoted.join(" ").into())
        }
    }
}

/// Goes on as jail-shell does.
fn become_jail_shell(plan: Plan, door: Door) -> Result<Verdict, Failure> {
    let watchdog = start::sanitize().map_err(Refusal::from)?;
    let mut log = Log::open(call(door));
    let inherited = start::take_limits().map_err(Refusal::from)?;
    Err(serve(plan, &inherited, watchdog, &mut log).into())
}

/// Says who has called.
fn call(door: Door) -> Call {
    Call {
        from: Some(Origin::Known(CALLER.into())),
        ..Call::of_this_process(door.name())
    }
}

/// Goes on as pam_jail.so does, and then as the program that has asked it.
fn open_session(
    jail: Jail,
    identity: &Identity,
    command: Option<&OsStr>,
) -> Result<Verdict, Failure> {
    let plan = Door::Pam.plan(jail, None, identity, [])?.opened_by_root();
    let mut log = Log::open(call(Door::Pam));
    let mut running = Running::new(&mut log, &plan);
    running.begin().map_err(Refusal::from)?;
    let confined = confine(&plan, |root| {
        running.session.root_file = root;
        Ok(running.enter()?)
    })?;
    let guest = take_ids(&confined, identity)?;
    if let Some(missing) = &guest.missing {
        running.weakened(missing);
    }
    Err(guest
        .start_shell(identity, command, env::var_os("TERM"))
        .into())
}

/// Says why a root is not entered. One that is missing is often a user's name: that asks for a login.
fn not_opened(root: &Path, untrusted: &Untrusted) -> Failure {
    if untrusted.flaw != Flaw::Missing {
        return Failure::Failed(format!(
            "open root {untrusted}; --trust-user-files enters it as root all the same"
        ));
    }
    let is_name = root.components().count() == 1 && Identity::of_name(root.as_os_str()).is_ok();
    if !is_name {
        return Failure::Failed(format!("open root {untrusted}"));
    }
    let name = quoted(root);
    Failure::Failed(format!(
        "there is no directory {name}, but a user of this name; to rehearse the user's login, run: jailctl enter --user {name}"
    ))
}

/// Makes a directory the root of this process and becomes a command there.
fn enter_root(root: &Path, arguments: &Arguments) -> Result<Verdict, Failure> {
    let tried =
        |action: &str, errno: rustix::io::Errno| Failure::io(action, root, &io::Error::from(errno));
    if arguments.mount {
        unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| {
            Failure::Failed(format!("make a mount namespace: {}", errno.desc()))
        })?;
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).map_err(|errno| tried("make the mounts private for", errno))?;
    }
    // After the namespace: a directory opened before is on a mount of the other one.
    let opened = if arguments.trust_user_files {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat2(CWD, root, flags, Mode::empty(), ResolveFlags::empty())
            .map_err(|errno| tried("open root", errno))?
    } else {
        let whole = std::path::absolute(root).map_err(|error| Failure::io("find", root, &error))?;
        let opened =
            trust::open_directory(&whole).map_err(|untrusted| not_opened(root, &untrusted))?;
        as_root::check(&opened, &whole)?;
        opened
    };
    if arguments.mount {
        mount_host_views(&opened, root)?;
    }
    fchdir(&opened)
        .and_then(|()| chroot("."))
        .and_then(|()| chdir("/"))
        .map_err(|errno| tried("enter root", errno))?;
    let (program, words) = match arguments.command.split_first() {
        Some((program, words)) => (find(program, root)?, words.to_vec()),
        None => (default_shell(env::var_os("SHELL")), vec!["-i".into()]),
    };
    if !arguments.trust_user_files {
        as_root::check_program(&opened, root, &program)?;
    }
    // The kernel says "no such file" of a program whose loader or library is missing.
    Root::current(env::var_os("LD_LIBRARY_PATH").as_deref())
        .and_then(|inside| inside.check(&program))
        .map_err(|fault| Failure::Failed(shown(fault.to_string())))?;
    let mut command = Command::new(&program);
    if let Some(name) = arguments.command.first() {
        command.arg0(name);
    }
    let error = command.args(words).exec();
    Err(Failure::io("execute in the root", &program, &error))
}

/// Finds a command by PATH, in the root that this process has by now.
fn find(program: &OsStr, root: &Path) -> Result<PathBuf, Failure> {
    if program.as_bytes().contains(&b'/') {
        return Ok(PathBuf::from(program));
    }
    let path = env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    let is_program = |file: &PathBuf| {
        fs::metadata(file).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(is_program)
        .ok_or_else(|| {
            Failure::Failed(format!(
                "find {} in {}: it is in no directory of PATH ({}); give its path inside, or copy it there",
                shown(program),
                shown(root),
                shown(path)
            ))
        })
}

/// Chooses the shell that $SHELL names, wherever the root has it, or /bin/sh.
fn default_shell(named: Option<OsString>) -> PathBuf {
    let named = named.map(PathBuf::from).unwrap_or_default();
    let elsewhere = named
        .file_name()
        .map(|name| PROGRAM_DIRECTORIES.map(|directory| Path::new(directory).join(name)));
    std::iter::once(named.clone())
        .filter(|path| path.is_absolute())
        .chain(elsewhere.into_iter().flatten())
        .find(|path| path.is_file())
        .unwrap_or_else(|| "/bin/sh".into())
}

/// Mounts what programs expect of a system. The mount namespace is this process's own and ends with it, so nothing has to
/// be taken away. Targets are opened inside the root without following a link.
fn mount_host_views(opened: &OwnedFd, root: &Path) -> Result<(), Failure> {
    let nosuid = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let views = [
        ("proc", new_file_system(c"proc", nosuid)),
        (
            "sys",
            new_file_system(c"sysfs", nosuid | MountAttrFlags::MOUNT_ATTR_RDONLY),
        ),
        ("dev", copy(Path::new("/dev"), OpenTreeFlags::AT_RECURSIVE)),
    ];
    for (name, view) in views {
        let attached = view.and_then(|view| attach(&view, opened, Path::new(name)));
        match attached {
            Ok(()) => {}
            Err(rustix::io::Errno::NOENT) => {
                return Err(Failure::Failed(format!(
                    "mount /{name}: the root has no directory {name} for it; make one in {}",
                    shown(root)
                )));
            }
            Err(errno) => {
                let error = io::Error::from(errno);
                return Err(Failure::io("mount on", &root.join(name), &error));
            }
        }
    }
    let resolver = copy(Path::new("/etc/resolv.conf"), OpenTreeFlags::empty())
        .and_then(|file| attach(&file, opened, Path::new("etc/resolv.conf")));
    if resolver.is_err() {
        let target = shown(root.join("etc/resolv.conf"));
        eprintln!(
            "jailctl: names do not resolve inside: there is no file {target} to mount the host's on"
        );
    }
    Ok(())
}

fn new_file_system(
    kind: &std::ffi::CStr,
    attributes: MountAttrFlags,
) -> rustix::io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

fn copy(path: &Path, flags: OpenTreeFlags) -> rustix::io::Result<OwnedFd> {
    let flags = flags | OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(CWD, path, flags)
}

fn attach(mount: &OwnedFd, root: &OwnedFd, path: &Path) -> rustix::io::Result<()> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let target = openat2(
        root,
        path,
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        resolve,
    )?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, "", target, "", flags)
}
