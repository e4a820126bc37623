//! Enters a user's jail as a login would, up to the last step before the shell is started, and looks around there.
//!
//! It runs in a process of its own, because there is no way back out of a jail. What looks around has the user's ids and
//! stands behind every wall: a root made to harm whoever looks at it harms nobody but its own user.

mod apart;
mod files;
mod places;

use std::{
    env,
    ffi::OsStr,
    fs, io,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

use jail::{
    account::identity::Identity,
    door::{
        decision::{Config, jail_of},
        enter, host_program,
        phases::Outcome,
        recording,
        refusal::Refusal,
    },
    log::{Log, running::Running},
    plan::{Plan, allowed},
    process::{cgroup, program::Root, script, start},
    session::supervisor::end_like,
};
use jail_config::{Allowed, Home, Record, Scope};
use jail_roots::shebang;
use nix::errno::Errno;
use rustix::stdio::stdin;
use serde::{Deserialize, Serialize};

use crate::{
    attack::{self, Tried},
    doctor::programs::broken,
    door::{Door, has_no_shell},
    failure::{Failure, Verdict},
    guest::{home, take_ids},
    output::say,
    shell, watch,
};

pub(crate) use places::MountPlaces;

use files::{Libraries, MOST_ENTRIES, nss_services, read, start_of};

/// One thing that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Seen {
    /// The login would be refused.
    Refused {
        /// The code that the user would be told.
        code: String,
        /// The reason that the log would have.
        reason: String,
    },
    /// What stays open because the kernel lacks a part of the second wall that the config lets be missing.
    Weakened(String),
    /// The program that the host starts behind PAM can't start in the jail, and why.
    LoginShell(String),
    /// A program that is there can't start, and why.
    Program(PathBuf, String),
    /// A program of the list of commands is not there, or can't start; and why.
    Command(String, String),
    /// How many more such programs there are.
    MorePrograms(usize),
    /// The home is not there, and the session starts in `/`.
    NoHome(String),
    /// The user can't write to the home.
    HomeNotWritable(String),
    /// There is no sftp-server.
    NoSftpServer,
    /// There is an sftp-server that can't start, and why.
    SftpServer(String),
    /// /dev/null is not there, or is no device.
    NoNull,
    /// No line of /etc/passwd is the user's.
    NoPasswdLine,
    /// The user's line of /etc/passwd has another uid.
    OtherUid(String),
    /// /etc/passwd has this account with uid 0 besides root.
    SecondRoot(String),
    /// Programs use the terminal's description, and there is none.
    NoTerminfo,
    /// There is a C library of GNU and no locale for it.
    NoLocale,
    /// There is no time zone.
    NoTimeZone,
    /// There is no resolv.conf.
    NoResolver,
    /// nsswitch.conf names a service whose library is not there.
    NoNssLibrary(String),
    /// A probe was tried, and this came of it.
    Tried(Tried),
    /// All has been looked at.
    Done,
}

/// How long a rehearsal may take, in seconds.
const LONGEST: &str = "30";

/// What sshd hands over for its subsystem.
pub(crate) const INTERNAL_SFTP: &str = "internal-sftp";

/// How many programs that can't start are listed.
const LISTED: usize = 10;

/// Rehearses a user's login through a door in a process of its own, and gives what was seen.
pub(crate) fn of(user: &str, door: Door, config: &Path) -> Result<Vec<Seen>, Failure> {
    watched("rehearse", user, door, config)
}

/// Rehearses a request for SFTP, as [`of`] does a login. Nothing inside is looked at.
pub(crate) fn of_sftp(user: &str, door: Door, config: &Path) -> Result<Vec<Seen>, Failure> {
    watched("rehearse-sftp", user, door, config)
}

fn watched(task: &str, user: &str, door: Door, config: &Path) -> Result<Vec<Seen>, Failure> {
    let _places = places_of(user, door, config);
    let failed = |error: io::Error| Failure::Failed(format!("start a rehearsal: {error}"));
    // A root may be made so that whoever reads it never comes to an end.
    let mut watched = watch::command(LONGEST, task)?;
    watched.command.arg(config).args([door.name(), user]);
    let output = watch::output(watched).map_err(failed)?;
    let cut_short = watch::cut_short(output.status);
    let seen = read_back(&String::from_utf8_lossy(&output.stdout));
    // Where part of a session was killed, the rest of it says that the login was refused.
    let by_itself = cut_short.is_none() && output.status.code().is_some();
    let is_whole = |it: &Seen| matches!(it, Seen::Done | Seen::Refused { .. });
    if by_itself && seen.iter().any(is_whole) {
        return Ok(seen);
    }
    let why = match cut_short {
        Some(why) => why.to_owned(),
        None => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = Some(said.trim()).filter(|said| !said.is_empty());
            let said = said.map(|said| format!("; {}", shell::shown(said)));
            format!(
                "it ended with {} before all was seen{}",
                output.status,
                said.unwrap_or_default()
            )
        }
    };
    Err(Failure::Failed(format!(
        "rehearse the login of {}: {why}",
        shell::shown(user)
    )))
}

/// Finds what the login would make in the root; nothing where it would be refused before.
fn places_of(user: &str, door: Door, config: &Path) -> Option<MountPlaces> {
    let identity = Identity::named(user).ok()?;
    let jail = jail_of(Config::read(config).ok()?.decide(&identity).ok()?).ok()?;
    let plan = door.plan(jail, None, &identity, []).ok()?;
    Some(MountPlaces::missing(&plan))
}

/// Reads what a rehearsal has printed.
pub(crate) fn read_back(text: &str) -> Vec<Seen> {
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// What is done inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// To look around.
    Look,
    /// To try the probes, to which the outside is sent by standard input.
    Attack,
    /// Nothing: whether the door lets a request for SFTP in is all that is asked.
    Sftp,
}

/// The rehearsal itself: enters and prints, a line for each thing seen.
pub(crate) fn look_inside(
    config: &Path,
    door: Door,
    user: &str,
    task: Task,
) -> Result<Verdict, Failure> {
    let outcome = Identity::named(user)
        .map_err(Refusal::Identity)
        .and_then(|identity| {
            enter(config, &identity, door, task).map(|outcome| (outcome, identity))
        });
    match outcome {
        Ok((Stage::Inside(inside), identity)) => {
            if let Some(missing) = inside.missing {
                tell(&Seen::Weakened(missing))?;
            }
            if let Task::Sftp = task {
                return tell(&Seen::Done).map(|()| Verdict::Fine);
            }
            if let Task::Attack = task {
                for tried in attack::try_all(stdin())? {
                    tell(&Seen::Tried(tried))?;
                }
                return tell(&Seen::Done).map(|()| Verdict::Fine);
            }
            if door == Door::Pam {
                look_at_login_shell(&identity).iter().try_for_each(tell)?;
            }
            let seen = match inside.commands {
                None => look(&identity, &inside.home),
                Some(list) => look_for(&list, &inside.home),
            };
            seen.iter().try_for_each(tell)?;
            tell(&Seen::Done)?;
        }
        // The processes around the session have nothing to say.
        Ok((Stage::Around, _)) => {}
        Err(refusal) => tell(&Seen::Refused {
            code: refusal.code().name().to_owned(),
            reason: refusal.reason(OsStr::new(user)),
        })?,
    }
    Ok(Verdict::Fine)
}

/// Where a process is after entering.
enum Stage {
    /// Inside, as the user.
    Inside(Inside),
    /// Supervisor or init, whose work is done.
    Around,
}

/// What is known of a session inside.
struct Inside {
    /// The home that it starts in.
    home: Home,
    /// What of the second wall is missing.
    missing: Option<String>,
    /// What alone may be started; nothing where a shell may be.
    commands: Option<Vec<Allowed>>,
}

fn enter(config: &Path, identity: &Identity, door: Door, task: Task) -> Result<Stage, Refusal> {
    let mut jail = jail_of(Config::read(config)?.decide(identity)?)?;
    if door != Door::Pam {
        if let Some(recording) = jail.record.recording() {
            recording::look(identity.uid, recording)?;
        }
        // It has no terminal, and nothing of it is worth a record.
        jail.idle = None;
        // What SFTP may be served by depends on it.
        if task != Task::Sftp {
            jail.record = Record::default();
        }
        // And the world that the user's sessions share is theirs.
        jail.scope = Scope::Session;
    }
    let command = (task == Task::Sftp).then_some(OsStr::new(INTERNAL_SFTP));
    let mut plan = door.plan(jail, command, identity, [])?.opened_by_root();
    if let Some(limits) = plan.process.account.take() {
        // It runs nothing, and changes nothing of the host's.
        cgroup::foresee(&limits).map_err(|fault| Refusal::Step("cgroup", fault))?;
    }
    apart::make_apart(&mut plan)?;
    if plan.process.request().is_none() {
        return confine(&plan, identity);
    }
    let watchdog = start::sanitize()?;
    let inherited = start::take_limits()?;
    let (home, commands) = (plan.process.home.clone(), plan.process.commands.clone());
    // A rehearsal is nobody's login, and the log has none of it.
    let mut log = Log::nowhere();
    let mut running = Running::new(&mut log, &plan);
    match enter::enter(plan, &inherited, watchdog, &mut running)? {
        Outcome::Inside(entered) => {
            executable(entered.program())?;
            let missing = entered.missing().map(str::to_owned);
            Ok(Stage::Inside(Inside {
                home,
                missing,
                commands,
            }))
        }
        Outcome::Supervisor(ended) | Outcome::Refused(ended) => end_like(ended),
        Outcome::Init => Ok(Stage::Around),
    }
}

/// Makes sure of what execve(2) asks for first, and nothing before it: the execute bit, on a file system that has such, and
/// a file that it knows how to start.
fn executable(program: &Path) -> Result<(), Refusal> {
    rustix::fs::access(program, rustix::fs::Access::EXEC_OK)
        .map_err(|errno| Errno::from_raw(errno.raw_os_error()))
        .and_then(|()| has_a_format(program))
        .map_err(|errno| Refusal::Exec(program.to_owned(), errno))
}

/// Looks at how a program begins, and through `#!` lines at what starts it. What the kernel may have been taught to know
/// (binfmt_misc) is let pass, and so is what can't be read.
fn has_a_format(program: &Path) -> Result<(), Errno> {
    let mut current = program.to_owned();
    for _ in 0..=script::DEEPEST {
        let Some(start) = start_of(&current, script::LONGEST_LINE as u64) else {
            return Ok(());
        };
        let Some(script) = shebang::parse(&start) else {
            let is_blank = start.iter().all(|byte| *byte == 0);
            return if is_blank {
                Err(Errno::ENOEXEC)
            } else {
                Ok(())
            };
        };
        current = script.interpreter.into();
    }
    Err(Errno::ELOOP)
}

/// Enters as pam_jail.so would, in this process, and then takes the user's ids as its host program would.
fn confine(plan: &Plan, identity: &Identity) -> Result<Stage, Refusal> {
    let confined = host_program::confine(plan, |_| Ok(()))?;
    let missing = take_ids(&confined, identity)?.missing;
    // Where host programs go is the account's home, whatever the jail's is, and `/` where it is not there.
    Ok(Stage::Inside(Inside {
        home: Home::Default(home(identity).to_owned()),
        missing,
        commands: plan.process.commands.clone(),
    }))
}

fn tell(seen: &Seen) -> Result<(), Failure> {
    let line = serde_json::to_string(seen)
        .map_err(|error| Failure::Failed(format!("print JSON: {error}")))?;
    say(line);
    Ok(())
}

/// Looks around in the root directory of this process, as the user.
fn look(identity: &Identity, home: &Home) -> Vec<Seen> {
    let mut seen = look_at_home(home);
    seen.extend(look_at_sftp());
    let null = fs::metadata("/dev/null");
    if !null.is_ok_and(|null| null.file_type().is_char_device()) {
        seen.push(Seen::NoNull);
    }
    seen.extend(look_at_passwd(identity));
    seen.extend(look_at_programs(identity));
    seen.extend(look_at_what_is_loaded_late());
    seen
}

/// Looks around where a list of commands is all that may be started: for nothing that a shell would need.
fn look_for(list: &[Allowed], home: &Home) -> Vec<Seen> {
    let mut seen = look_at_home(home);
    let Ok(root) = Root::current(None) else {
        return seen;
    };
    for entry in list {
        // The other programs of git are its own, by other names.
        let started = if *entry == Allowed::Git {
            1
        } else {
            usize::MAX
        };
        for paths in allowed::programs(entry).into_iter().take(started) {
            let there = paths.iter().find(|path| root.has(path));
            let fault = there
                .or(paths.first())
                .and_then(|path| cannot_start(&root, path));
            seen.extend(fault.map(|fault| Seen::Command(entry.name().to_owned(), fault)));
        }
    }
    seen
}

/// Says what keeps a program from starting where nothing else may be executed.
fn cannot_start(root: &Root, program: &Path) -> Option<String> {
    if let Err(fault) = root.check(program) {
        return Some(fault.to_string());
    }
    let start = start_of(program, script::LONGEST_LINE as u64);
    let by_env = start.and_then(|start| shebang::parse(&start)?.program);
    match by_env {
        Some(interpreter) => Some(format!(
            "{} has env start {interpreter:?}, and nothing else may be executed; name the interpreter itself in its first line",
            program.display()
        )),
        None => executable(program).err().map(|refusal| refusal.to_string()),
    }
}

/// Looks whether the shell that host programs start is there. One that lets nobody in is nobody's loss.
fn look_at_login_shell(identity: &Identity) -> Option<Seen> {
    if has_no_shell(identity) {
        return None;
    }
    let shell = identity.shell.as_path();
    Root::current(None)
        .and_then(|root| root.check(shell))
        .map_err(Refusal::Program)
        .and_then(|()| executable(shell))
        .err()
        .map(|refusal| Seen::LoginShell(refusal.to_string()))
}

fn look_at_home(home: &Home) -> Vec<Seen> {
    let (Home::Set(wanted) | Home::Default(wanted)) = home;
    let shown = wanted.display().to_string();
    if !env::current_dir().is_ok_and(|here| here == *wanted) && !wanted.is_dir() {
        return vec![Seen::NoHome(shown)];
    }
    let access = rustix::fs::access(wanted, rustix::fs::Access::WRITE_OK);
    match access {
        Ok(()) => Vec::new(),
        Err(_) => vec![Seen::HomeNotWritable(shown)],
    }
}

fn look_at_sftp() -> Option<Seen> {
    let root = Root::current(None).ok()?;
    match root.sftp_server(Path::new(INTERNAL_SFTP)) {
        None => Some(Seen::NoSftpServer),
        Some(server) => root
            .check(&server)
            .err()
            .map(|fault| Seen::SftpServer(fault.to_string())),
    }
}

fn look_at_passwd(identity: &Identity) -> Vec<Seen> {
    let text = read("/etc/passwd");
    let mut seen = Vec::new();
    let mut own = false;
    for line in text.lines() {
        let mut fields = line.split(':');
        let (Some(name), Some(uid)) = (fields.next(), fields.nth(1)) else {
            continue;
        };
        let is_user = identity.name == *name;
        own |= is_user;
        if is_user && uid != identity.uid.to_string() {
            seen.push(Seen::OtherUid(uid.to_owned()));
        } else if uid.trim_start_matches('0').is_empty() && !uid.is_empty() && name != "root" {
            seen.push(Seen::SecondRoot(name.to_owned()));
        }
    }
    if !own {
        seen.push(Seen::NoPasswdLine);
    }
    seen
}

/// Looks for what programs load while they run, and no list of libraries names. Where nothing inside uses it, its
/// absence is no finding.
fn look_at_what_is_loaded_late() -> Vec<Seen> {
    let libraries = Libraries::here();
    let mut seen = Vec::new();
    if !libraries.has("libc.so.6") {
        return seen;
    }
    let uses_terminal = libraries.has("libtinfo.so.") || libraries.has("libncurses");
    let terminals = [
        "/usr/share/terminfo",
        "/lib/terminfo",
        "/etc/terminfo",
        "/usr/lib/terminfo",
    ];
    if uses_terminal && !terminals.iter().any(|path| has_entries(path)) {
        seen.push(Seen::NoTerminfo);
    }
    // /usr/share/locale has what programs say in a language, and no locale.
    if !has_entries("/usr/lib/locale") {
        seen.push(Seen::NoLocale);
    }
    let any_of = |paths: &[&str]| paths.iter().any(|path| Path::new(path).exists());
    if !any_of(&["/etc/localtime", "/usr/share/zoneinfo"]) {
        seen.push(Seen::NoTimeZone);
    }
    if !any_of(&["/etc/resolv.conf"]) {
        seen.push(Seen::NoResolver);
    }
    let services = read("/etc/nsswitch.conf");
    for service in nss_services(&services) {
        if !libraries.has(&format!("libnss_{service}.so.2")) {
            seen.push(Seen::NoNssLibrary(service));
        }
    }
    seen
}

/// Tells whether a directory is there and holds something; for one of directories, whether one of these does.
fn has_entries(path: &str) -> bool {
    let entries = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
    entries(Path::new(path))
        .take(MOST_ENTRIES)
        .any(|entry| !entry.path().is_dir() || entries(&entry.path()).next().is_some())
}

/// Looks at the programs besides the shell, whose absence keeps everybody out.
fn look_at_programs(identity: &Identity) -> Vec<Seen> {
    let broken = broken(&[identity.shell.as_path()]);
    let more = broken.len().saturating_sub(LISTED);
    let listed = broken.into_iter().take(LISTED);
    listed
        .map(|(program, fault)| Seen::Program(program, fault))
        .chain((more > 0).then_some(Seen::MorePrograms(more)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Seen;

    #[test]
    fn what_is_seen_survives_the_way_out() {
        let all = [
            Seen::Refused {
                code: "root-unsafe".into(),
                reason: "a \"b\"\nc".into(),
            },
            Seen::NoNssLibrary("x".into()),
            Seen::Done,
        ];
        for seen in all {
            let line = serde_json::to_string(&seen).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Seen>(&line).unwrap(), seen);
        }
    }
}
