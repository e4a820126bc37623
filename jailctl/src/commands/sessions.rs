//! `jailctl sessions`: who is in a jail right now, since when, from where, and with what; and who was.

mod ended;
mod peer;

use std::{collections::BTreeMap, path::Path};

use clap::{Args, ValueHint};
use jail::{door::decision::Config, process::name::supervisor_of};
use jail_config::Scope;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    accounts::{
        account::{self, Accounts, Jailed},
        used_sessions::UsedSessions,
    },
    clock::{local_time, machine_zone},
    command_lines,
    door::JAIL_SHELL,
    failure::{Failure, Verdict, need_root},
    manual::{self, Manual},
    output::{Output, print_columns, print_json, say},
    process::{Host, Namespace, Process, Stat, boot_time},
    record::{self, Recorded},
    shell::{quoted, shown},
};

/// List the sessions of jailed users
///
/// Prints a line for each session: the user, the jail, the main process, when it started, the service that opened it
/// (sshd, su, cron and so on), the address it came from, the terminal and the command.
///
/// A session is all that one login has running, with its background processes. If the login has ended and some of its
/// processes still run, the column SERVICE has a dash. The address is the other end of sshd's connection, as the kernel
/// knows it. The command is what the process calls itself. The jail is the one that the config gives the user now. A
/// login that has not entered its jail yet is listed as "entering"; its processes still run as root. Where limits.sessions
/// is set, a line for each user says how many sessions count: what lingers after its login has ended does not, nor does a
/// session that root has opened by "jailctl enter". SESSION is the id of the session in the record,
/// /var/log/login-jail/sessions.jsonl; --json has all that is recorded of it.
///
/// With scope = "user" the sessions of a user share a world. The column JAIL then has the world's first process as well: sessions with
/// the same one see each other's processes. What lingers there and belongs to no session any more has a line of its own.
///
/// With --ended it lists the sessions of the record that have ended: how long they took and how they ended. An address
/// that only the caller has named is marked as claimed. The end is "closed" where the program behind PAM has closed the session,
/// and "not recorded" where nobody could write it: jail-shell or the program behind PAM was killed, as a client of sshd does by
/// sending KILL, the machine went down, or the session was one with chroot isolation, where no process is left that could. Needs root.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL.to_string())]
pub(crate) struct Arguments {
    /// The accounts; by default all jailed users
    #[arg(value_hint = ValueHint::Username)]
    pub(crate) users: Vec<String>,
    /// List the sessions that have ended, from the record
    #[arg(long)]
    ended: bool,
    /// With --ended: list those alone that have ended since then: 2h, 7d, 2026-01-31 or "2026-01-31 17:30"
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

const EXAMPLES: &str = "\
Examples:
  jailctl sessions            the sessions of all jailed users
  jailctl sessions ann bob    the sessions of these two
  jailctl sessions --json     the same for a program
  jailctl sessions --ended --since 7d
                              the sessions that have ended in the last seven days";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "the list was printed",
    found: None,
    differs: None,
    files: &[manual::CONFIG, manual::USERS_D],
    examples: EXAMPLES,
};

/// A session of a jailed user: its main process, what it came through, and how many processes it has by now.
#[derive(Debug, Serialize)]
pub(crate) struct Session {
    user: String,
    /// The jail that the config gives the user now.
    jail: String,
    /// The main process, or the oldest that is left of the session.
    pid: i32,
    /// When that was started, in seconds since 1970.
    since: Option<u64>,
    /// The other side of the connection of sshd's.
    from: Option<String>,
    terminal: Option<String>,
    /// The program that opened the session, by the name of its PAM stack; none where it has ended and processes linger.
    service: Option<String>,
    /// None where the main process has ended in the meantime.
    command: Option<String>,
    processes: usize,
    /// The first process of the world that it is in, where the user's sessions share one (`scope = "user"`).
    world: Option<i32>,
    /// The login has not got into its jail yet: these are processes of root's.
    entering: bool,
    /// The id of the session in the record.
    session: Option<String>,
    /// What is recorded of its beginning.
    record: Option<Map<String, Value>>,
    /// Its processes and those above them, the nearest first: the one that was called is among them.
    #[serde(skip)]
    around: Vec<i32>,
}

impl Session {
    /// Tells whether the login has not got into its jail yet.
    pub(crate) fn is_entering(&self) -> bool {
        self.entering
    }
}

/// What the processes of one session have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Common {
    PidNamespace(u64),
    MountNamespace(u64),
    /// A session of setsid(2): with chroot isolation there is nothing else.
    Session(i32),
}

/// Lists the sessions.
pub(crate) fn run(directory: &Path, arguments: &Arguments) -> Result<Verdict, Failure> {
    if let (Some(since), false) = (&arguments.since, arguments.ended) {
        return Err(Failure::Usage(format!(
            "--since is for sessions that have ended; run: jailctl sessions --ended --since {}",
            quoted(since)
        )));
    }
    need_root("see the processes of others")?;
    if arguments.ended {
        let since = arguments.since.as_deref();
        return ended::run(&arguments.users, since, arguments.output);
    }
    let config = Config::read(directory)?;
    let accounts = if arguments.users.is_empty() {
        Accounts::all(&config, directory)?
    } else {
        asked_for(&config, &arguments.users)?
    };
    let mut sessions = Vec::new();
    let owners = Process::owners()?;
    let present = accounts.jailed.iter();
    for jailed in present.filter(|it| owners.contains(&it.identity.uid)) {
        sessions.extend(of(jailed)?);
    }
    // Without a record there is what the kernel knows.
    match record::sessions() {
        Ok(recorded) => add_record(&mut sessions, &recorded),
        Err(failure) => eprintln!("jailctl: {failure}"),
    }
    if arguments.output.json {
        print_json(&sessions)?;
    } else {
        print(&sessions);
        for jailed in &accounts.jailed {
            if let Some(used) = UsedSessions::of(jailed.identity.uid, &jailed.jail) {
                say(format_args!("{}: {used} (limits.sessions)", jailed.name()));
            }
        }
    }
    Ok(Verdict::Fine)
}

/// Decides about the users that were asked for by name. Whom no rule jails has no session in a jail.
fn asked_for(config: &Config, users: &[String]) -> Result<Accounts, Failure> {
    let accounts = Accounts::named(config, users.iter().cloned())?.all_decided()?;
    let jailed = |user: &&String| {
        accounts
            .jailed
            .iter()
            .any(|it| it.identity.name == user.as_str())
    };
    let Some(user) = users.iter().find(|user| !jailed(user)) else {
        return Ok(accounts);
    };
    Err(Failure::Failed(if accounts.unknown.contains(user) {
        let meant = account::suggestion(user);
        format!(
            "there is no account {}; see getent passwd{meant}",
            shown(user)
        )
    } else {
        format!(
            "no rule jails {0}; jailctl explain {0} says what decides",
            shown(user)
        )
    }))
}

/// Gives the sessions of a user that are in a jail, and those that are about to be, the oldest first.
pub(crate) fn of(jailed: &Jailed) -> Result<Vec<Session>, Failure> {
    let (own, host) = (Process::own(), Host::new());
    let mut groups: BTreeMap<Common, Vec<(Process, Stat)>> = BTreeMap::new();
    for process in Process::of_user(jailed.identity.uid)? {
        let Some(stat) = process.stat().filter(|stat| !stat.zombie) else {
            continue;
        };
        if !process.is_inside(&jailed.jail, &host) {
            continue;
        }
        let common = Common::of(&process, &stat, &own);
        groups.entry(common).or_default().push((process, stat));
    }
    let mut sessions: Vec<Session> = groups
        .into_values()
        .flat_map(|world| Part::of_world(world, jailed.jail.scope))
        .filter_map(|part| session(jailed, part))
        .collect();
    sessions.extend(entering(jailed)?);
    sessions.sort_by_key(|session| (session.since, session.pid));
    let pids: Vec<i32> = sessions.iter().map(|session| session.pid).collect();
    let mut commands = command_lines::of(&pids);
    for session in &mut sessions {
        session.command = commands.remove(&session.pid);
    }
    Ok(sessions)
}

impl Common {
    fn of(process: &Process, stat: &Stat, own: &Process) -> Common {
        let apart = |kind| {
            let namespace = process.namespace(kind)?;
            (Some(namespace) != own.namespace(kind)).then_some(namespace)
        };
        if let Some(namespace) = apart(Namespace::Pid) {
            Common::PidNamespace(namespace)
        } else if let Some(namespace) = apart(Namespace::Mount) {
            Common::MountNamespace(namespace)
        } else {
            Common::Session(stat.session)
        }
    }
}

/// Gives the logins of a user that have not got into the jail yet: it takes a moment, or as long as a file system does not answer.
fn entering(jailed: &Jailed) -> Result<Vec<Session>, Failure> {
    let uid = jailed.identity.uid;
    let mut all = Process::of_user_or_login(uid)?;
    all.retain(|it| it.is_entering(uid) && it.stat().is_some_and(|stat| !stat.zombie));
    let is_one = |process: &Process| all.iter().any(|it| it.pid == process.pid);
    let mut logins: BTreeMap<i32, Vec<(Process, Stat)>> = BTreeMap::new();
    for process in &all {
        let first = process.ancestors().filter(is_one).last();
        let first = first.map_or(process.pid, |it| it.pid);
        if let Some(stat) = process.stat() {
            let login = logins.entry(first).or_default();
            login.push((process.clone(), stat));
        }
    }
    let logins = logins.into_iter().filter_map(|(first, processes)| {
        let count = processes.len();
        let (main, stat) = processes.into_iter().find(|(it, _)| it.pid == first)?;
        let above: Vec<Process> = main.ancestors().collect();
        Some(Session {
            terminal: stat.terminal(),
            entering: true,
            ..opened(jailed, &main, &stat, &above, count)
        })
    });
    Ok(logins.collect())
}

/// Describes a session by its main process and those above it: what opened it is the first that is not jail-shell.
fn opened(
    jailed: &Jailed,
    main: &Process,
    stat: &Stat,
    above: &[Process],
    processes: usize,
) -> Session {
    let opener = above.iter().find(|process| !is_jail_shell(process));
    Session {
        user: jailed.name(),
        jail: shown(&jailed.jail.name),
        pid: main.pid,
        since: started(stat),
        from: above
            .iter()
            .filter(|process| is_sshd(process))
            .find_map(peer::of)
            .map(|peer| peer.to_string()),
        terminal: None,
        service: opener
            .and_then(|opener| opener.program().or_else(|| opener.name()))
            .map(|name| shown(service_of(&name))),
        command: None,
        processes,
        world: None,
        entering: false,
        session: None,
        record: None,
        around: [main].into_iter().chain(above).map(|it| it.pid).collect(),
    }
}

/// Puts what is recorded of the sessions that still run to what was found of them.
fn add_record(sessions: &mut [Session], recorded: &[Recorded]) {
    let running: BTreeMap<i32, &Recorded> = recorded
        .iter()
        .filter_map(|it| Some((it.running()?, it)))
        .collect();
    for session in sessions {
        let found = session.around.iter().find_map(|pid| running.get(pid));
        if let Some(found) =
            found.filter(|it| shown(record::text(&it.enter, "user")) == session.user)
        {
            session.session = Some(record::text(&found.enter, "session"));
            session.record = Some(found.enter.clone());
        }
    }
}

/// The processes of one session of a world, or what lingers in it.
struct Part {
    processes: Vec<(Process, Stat)>,
    /// The pids of the world's first process, and of the session's supervisor outside.
    shared: Option<(i32, Option<i32>)>,
}

impl Part {
    /// Takes a world apart that several sessions may share: a keeper stands for each, which its init has started.
    fn of_world(processes: Vec<(Process, Stat)>, scope: Scope) -> Vec<Part> {
        let init = processes.iter().find(|(process, _)| process.is_init());
        let Some((init, maker)) = init.map(|(process, stat)| (process.pid, stat.parent)) else {
            return vec![Part {
                processes,
                shared: None,
            }];
        };
        let supervisor_of = |(process, stat): &(Process, Stat)| {
            let name = process.name().filter(|_| stat.parent == init)?;
            let supervisor = supervisor_of(&name)?;
            process.is_around().then_some((process.pid, supervisor))
        };
        let keepers: Vec<(i32, i32)> = processes.iter().filter_map(supervisor_of).collect();
        let parents: BTreeMap<i32, i32> = processes
            .iter()
            .map(|(process, stat)| (process.pid, stat.parent))
            .collect();
        let keeper_of = |pid: i32| {
            let above = std::iter::successors(Some(pid), |pid| parents.get(pid).copied());
            let mut above = above.take(parents.len() + 1);
            above.find_map(|pid| keepers.iter().find(|(keeper, _)| *keeper == pid))
        };
        let mut parts: BTreeMap<Option<i32>, Vec<(Process, Stat)>> = BTreeMap::new();
        for (process, stat) in processes {
            let supervisor = keeper_of(process.pid).map(|(_, supervisor)| *supervisor);
            let part = parts.entry(supervisor).or_default();
            part.push((process, stat));
        }
        if !keepers.is_empty() && parts.get(&None).is_some_and(|rest| rest.len() == 1) {
            // Nothing lingers beside its init.
            parts.remove(&None);
        }
        // Where all sessions have ended, a world that was to be shared has no supervisor above it.
        let is_left = scope == Scope::User && !is_jail_shell(&Process::seen(maker));
        let is_shared = !keepers.is_empty() || is_left;
        let parts = parts.into_iter().map(|(supervisor, processes)| Part {
            processes,
            shared: is_shared.then_some((init, supervisor)),
        });
        parts.collect()
    }
}

fn session(jailed: &Jailed, part: Part) -> Option<Session> {
    let Part {
        mut processes,
        shared,
    } = part;
    processes.sort_by_key(|(process, stat)| (stat.start, process.pid));
    let init = processes.iter().find(|(process, _)| process.is_init());
    // sshd's own process is in the jail behind PAM, and is what carries the session, not what runs in it.
    let (main, stat) = processes
        .iter()
        .find(|(process, _)| !process.is_init() && !is_around(process))
        .or_else(|| processes.first())?;
    // Init's parent is the supervisor. Where it carries between two terminals, the login's is its own, and the one inside
    // the session's; where it does not, it has handed the login's on.
    let outermost = init.map_or(main, |(process, _)| process);
    let above: Vec<Process> = match shared {
        None => outermost.ancestors().collect(),
        Some((_, None)) => Vec::new(),
        Some((_, Some(supervisor))) => {
            let supervisor = Process::seen(supervisor);
            let above: Vec<Process> = supervisor.ancestors().collect();
            [supervisor].into_iter().chain(above).collect()
        }
    };
    let inside = stat.terminal();
    let is_apart = shared.is_some() || init.is_some();
    let terminal = match (is_apart.then_some(()), above.first()) {
        (Some(()), Some(supervisor)) => supervisor.stat().and_then(|it| it.terminal()).or(inside),
        // The number is one of the jail's own: the login's terminal went with the supervisor.
        (Some(()), None) => None,
        (None, _) => inside,
    };
    Some(Session {
        terminal,
        world: shared.map(|(init, _)| init),
        ..opened(jailed, main, stat, &above, processes.len())
    })
}

/// Names the program that opened a session as its stack of PAM is called: newer versions of sshd have several programs.
fn service_of(name: &str) -> &str {
    if name.starts_with("sshd") {
        "sshd"
    } else {
        name
    }
}

fn is_jail_shell(process: &Process) -> bool {
    process.program().is_some_and(|name| name == JAIL_SHELL)
}

fn is_sshd(process: &Process) -> bool {
    process
        .program()
        .is_some_and(|name| name.starts_with("sshd"))
}

fn is_around(process: &Process) -> bool {
    is_sshd(process) || is_jail_shell(process)
}

fn started(stat: &Stat) -> Option<u64> {
    let each_second = rustix::param::clock_ticks_per_second();
    Some(boot_time()? + stat.start.checked_div(each_second)?)
}

/// How many sessions of one user are printed: with chroot isolation a user makes as many as they like, by setsid(1).
const MOST_PRINTED: usize = 50;

/// Prints sessions in columns, the first of each user.
pub(crate) fn print(sessions: &[Session]) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut printed = Vec::new();
    for session in sessions {
        let count = counts.entry(&session.user).or_default();
        *count += 1;
        if *count <= MOST_PRINTED {
            printed.push(session);
        }
    }
    print_rows(&printed);
    for (user, count) in counts {
        if let more @ 1.. = count.saturating_sub(MOST_PRINTED) {
            say(format_args!(
                "{more} more sessions of {user}; jailctl sessions --json {} lists all",
                quoted(user)
            ));
        }
    }
}

fn print_rows(sessions: &[&Session]) {
    let mut rows = vec![
        [
            "USER", "JAIL", "PID", "SINCE", "SERVICE", "FROM", "TTY", "SESSION", "COMMAND",
        ]
        .map(str::to_owned),
    ];
    let zone = machine_zone();
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    rows.extend(sessions.iter().map(|session| {
        [
            session.user.clone(),
            match session.world {
                Some(world) => format!("{} (world {world})", session.jail),
                None => session.jail.clone(),
            },
            session.pid.to_string(),
            or_none(&session.since.and_then(|since| local_time(since, &zone))),
            or_none(&session.service),
            or_none(&session.from),
            or_none(&session.terminal),
            or_none(&session.session),
            match session.entering {
                true => format!("{} (entering)", or_none(&session.command)),
                false => or_none(&session.command),
            },
        ]
    }));
    print_columns(&rows);
}
