//! `jailctl check --attack`: enters a jail as its user and tries what is known to lead out of jails.
//!
//! The probes are calls of this program's own, made behind every wall of a rehearsal. They read, or ask for what changes
//! nothing: arguments are such that a kernel that lets the call through finds nothing to do, and what a call makes ends
//! with the process that made it. Each is a process of its own. What there is to reach outside is put up for it, see
//! [`outside`].
//!
//! Each line of the list of threats "from inside" has probes here, but for what can't be tried without harm, or can't be
//! told from inside:
//!
//! * renaming a directory out of the root: it takes a rename on the host, in the user's root, and leaves a file when it
//!   is stopped half-way;
//! * writing through a descriptor that was sent in (create, unlink, truncate, rename, link, chmod): it would change the
//!   host's files where the wall is missing. The rule that refuses to open is the one that refuses these;
//! * signals that arrive, kill(-1), SIGIO, memory that is written: signal 0 and reading ask for the same right;
//! * reboot(2): never called;
//! * TIOCSTI and socket(2) by `int 0x80`: the entry is refused before its arguments are looked at;
//! * keys of the user's keyring: keyctl(2) itself is refused;
//! * a set-user-ID file, a hard link to one, a file with capabilities, a device node: none is planted. Whether it would
//!   count is asked of the mounts and of no_new_privs.

mod files;
mod kernel;
mod outside;
mod probe;
mod probes;
mod processes;
mod raw;
mod wall;

use std::{env, fmt, path::Path, process::Stdio};

use jail::{
    account::identity::Identity,
    door::refusal::Refusal,
    plan::Plan,
    process::landlock::{self, Openings, Way},
};
use nix::errno::Errno;
use serde::{Serialize, Serializer};

use self::{outside::Outside, probe::Answer, probes::all, wall::Wall};
use crate::{
    account::Jailed,
    check::Finding,
    cli::Unwalled,
    door::used,
    failure::{Failure, Verdict},
    output::{print_columns, say},
    rehearsal::{self, Seen},
    shell::{self, shown},
    watch,
};

pub(crate) use outside::be_accomplice;
pub(crate) use probe::Tried;
pub(crate) use probes::try_all;

/// How long all probes may take, in seconds.
const LONGEST: &str = "30";

/// What a probe has come to, held against what the config asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
enum Outcome {
    /// It got through a jail that should have held it.
    Reached {
        /// The walls that stand, and should have.
        walls: Vec<Wall>,
    },
    /// It did not get through.
    Held {
        /// The wall that stopped it; none where the kernel did, or its settings.
        wall: Option<Wall>,
        /// What the call said.
        #[serde(serialize_with = "by_name")]
        errno: Option<Errno>,
    },
    /// It got through, and no wall stands there.
    NotWalled {
        /// The lines of the config that take the walls down.
        why: String,
    },
    /// There is nothing to reach.
    Absent {
        /// What there is not.
        why: String,
    },
    /// It could not be tried.
    Untried {
        /// What failed.
        why: String,
    },
}

fn by_name<S: Serializer>(errno: &Option<Errno>, to: S) -> Result<S::Ok, S::Error> {
    errno.map(|errno| format!("{errno:?}")).serialize(to)
}

impl Serialize for Wall {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.name().serialize(to)
    }
}

/// One probe of one user's jail.
#[derive(Clone, Debug, Serialize)]
struct Attempt {
    threat: String,
    probe: String,
    #[serde(flatten)]
    outcome: Outcome,
}

/// All probes of one user's jail.
#[derive(Debug, Serialize)]
pub(crate) struct Attack {
    user: String,
    door: &'static str,
    probes: Vec<Attempt>,
}

/// What an attack has found besides the table.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) findings: Vec<Finding>,
    pub(crate) unchecked: Vec<String>,
}

/// Attacks the jail of a user through the door that they have.
///
/// # Errors
/// Nothing could be put up outside, or the login that is attacked does not get into its jail.
pub(crate) fn run(jailed: &Jailed, config: &Path) -> Result<(Attack, Found), Failure> {
    let door = used::of(&jailed.identity);
    let plan = door.plan(jailed.jail.clone(), None, &jailed.identity, [])?;
    let user = jailed.identity.name.to_string_lossy().into_owned();
    let outside = Outside::of(&user)?;
    let told = to_json(&outside.told)?;
    let attack_failed = |why: &dyn fmt::Display| {
        Failure::Failed(format!("attack the jail of {}: {why}", jailed.name()))
    };
    let said = probed(
        &outside,
        &[
            "--config".as_ref(),
            config.as_os_str(),
            "rehearse".as_ref(),
            "--door".as_ref(),
            door.name().as_ref(),
            "--attack".as_ref(),
            told.as_ref(),
            "--".as_ref(),
            user.as_ref(),
        ],
    )
    .map_err(|why| attack_failed(&why))?;
    // What is not there any more is not reached, and no wall has held.
    if !outside.stands() {
        return Err(attack_failed(
            &"what stood outside to be reached was ended, by another process of the user's",
        ));
    }
    let seen = rehearsal::read_back(&said);
    let mut tried = Vec::new();
    let mut is_done = false;
    for seen in seen {
        match seen {
            Seen::Refused { reason, .. } => {
                return Err(attack_failed(&format!(
                    "the login is refused: {}",
                    shown(reason)
                )));
            }
            Seen::Tried(one) => tried.push(one),
            Seen::Done => is_done = true,
            _ => {}
        }
    }
    if !is_done {
        return Err(attack_failed(&format!(
            "it ended after {} of {} probes",
            tried.len(),
            all().count()
        )));
    }
    let judge = Judge {
        plan: &plan,
        open: landlock::foresee(&plan).ok().flatten(),
        port: outside.told.target.port,
    };
    let attempts: Vec<Attempt> = tried.into_iter().map(|one| judge.attempt(one)).collect();
    let found = findings(&attempts, jailed);
    let attack = Attack {
        user: jailed.name(),
        door: door.name(),
        probes: attempts,
    };
    Ok((attack, found))
}

/// Runs this program with the descriptors of the outside as its standard input, and gives what it printed, or why it did
/// not come to that.
fn probed(outside: &Outside, arguments: &[&std::ffi::OsStr]) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("start the probes: {error}");
    let mut command = watch::command(LONGEST).map_err(failed)?;
    command
        .args(arguments)
        .stdin(Stdio::from(outside.sent().map_err(failed)?));
    let output = watch::output(command).map_err(failed)?;
    if let Some(why) = watch::cut_short(output.status) {
        return Err(why.to_owned());
    }
    if !output.stderr.is_empty() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(shown(said.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn to_json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::Failed(format!("print JSON: {error}")))
}

/// Gives the names of the walls that probes have, for the test of the help.
#[cfg(test)]
pub(crate) fn wall_names() -> impl Iterator<Item = &'static str> {
    all().flat_map(|probe| probe.walls).map(|wall| wall.name())
}

/// Tries all probes where no wall stands: as the user, or as root with a user's objects outside. It is what shows that a
/// probe that is held somewhere would otherwise have got through.
///
/// # Errors
/// Nothing could be put up outside.
pub(crate) fn try_unwalled(arguments: &Unwalled) -> Result<Verdict, Failure> {
    if let Some(told) = &arguments.told {
        for tried in try_all(told)? {
            say(to_json(&Seen::Tried(tried))?);
        }
        return Ok(Verdict::Fine);
    }
    let user = arguments.user.as_str();
    let identity = Identity::named(user).map_err(Refusal::Identity)?;
    let outside = Outside::of(user)?;
    let told = to_json(&outside.told)?;
    let own = env::current_exe()
        .map_err(|error| Failure::Failed(format!("find this program: {error}")))?;
    let mut command = shell::program("timeout");
    command.arg(LONGEST);
    if !arguments.root {
        let group = identity.gid.to_string();
        command.args([
            "setpriv",
            "--reuid",
            user,
            "--regid",
            &group,
            "--init-groups",
        ]);
    }
    let sent = outside
        .sent()
        .map_err(|error| Failure::Failed(format!("send descriptors: {error}")))?;
    let status = command
        .arg(own)
        .args(["unwalled", "--told", &told, "--", user])
        .stdin(Stdio::from(sent))
        .status()
        .map_err(|error| Failure::Failed(format!("start the probes: {error}")))?;
    Ok(Verdict::of(!status.success()))
}

/// What answers are held against.
#[derive(Debug)]
struct Judge<'a> {
    plan: &'a Plan,
    /// What stays open because the kernel lacks a part of Landlock that the config lets be missing.
    open: Option<Openings>,
    port: u16,
}

impl Judge<'_> {
    fn attempt(&self, tried: Tried) -> Attempt {
        let probe = all().find(|it| it.threat == tried.threat && it.name == tried.probe);
        let walls = probe.map_or(&[][..], |probe| probe.walls);
        Attempt {
            outcome: self.outcome(walls, tried.answer),
            threat: tried.threat,
            probe: tried.probe,
        }
    }

    fn outcome(&self, walls: &[Wall], answer: Answer) -> Outcome {
        let lowered: Vec<(Wall, Option<String>)> = walls
            .iter()
            .map(|wall| (*wall, self.lowered(*wall)))
            .collect();
        let standing = || {
            lowered
                .iter()
                .filter(|(_, why)| why.is_none())
                .map(|(wall, _)| *wall)
        };
        match answer {
            Answer::Absent(why) => Outcome::Absent { why },
            Answer::Broken(why) => Outcome::Untried { why },
            Answer::Killed => Outcome::Held {
                wall: standing().find(|wall| wall.name() == Wall::Seccomp.name()),
                errno: None,
            },
            Answer::Held(number) => {
                let errno = number.map(Errno::from_raw);
                let wall = standing().find(|wall| wall.answers(errno));
                match (wall, errno) {
                    (None, Some(errno)) if is_unknown(errno) => Outcome::Absent {
                        why: format!("this kernel has none ({errno:?})"),
                    },
                    // Nothing of that name is below the root.
                    (None, Some(Errno::ENOENT)) => Outcome::Held {
                        wall: Some(Wall::Root),
                        errno,
                    },
                    _ => Outcome::Held { wall, errno },
                }
            }
            Answer::Reached if standing().next().is_some() => Outcome::Reached {
                walls: standing().collect(),
            },
            Answer::Reached => Outcome::NotWalled {
                why: self.why(lowered.into_iter().filter_map(|(_, why)| why)),
            },
        }
    }

    fn lowered(&self, wall: Wall) -> Option<String> {
        let way = match wall {
            Wall::Landlock => Some(Way::Files),
            Wall::Signals => Some(Way::Signals),
            Wall::AbstractSockets => Some(Way::AbstractSockets),
            _ => None,
        };
        match (&self.open, way) {
            (Some(open), Some(way)) if open.has(way) => Some(open.to_string()),
            _ => wall.lowered(self.plan, self.port),
        }
    }

    fn why(&self, lowered: impl Iterator<Item = String>) -> String {
        let mut reasons: Vec<String> = lowered.collect();
        reasons.dedup();
        if reasons.is_empty() {
            return "Landlock has no rule for it so far".to_owned();
        }
        reasons.join(", ")
    }
}

/// Tells how a kernel says that it was built without something.
fn is_unknown(errno: Errno) -> bool {
    let words = [
        Errno::ENOSYS,
        Errno::EAFNOSUPPORT,
        Errno::EPROTONOSUPPORT,
        Errno::EOPNOTSUPP,
    ];
    words.contains(&errno)
}

/// Makes a finding of each probe that got through, and a note of each that could not be tried.
fn findings(attempts: &[Attempt], jailed: &Jailed) -> Found {
    let mut found = Found::default();
    for attempt in attempts {
        let Attempt { threat, probe, .. } = attempt;
        match &attempt.outcome {
            Outcome::Reached { walls } => found.findings.push(
                Finding::error(
                    "reached",
                    format!("{threat}: {probe}: got through, past: {}", Names(walls)),
                )
                .of(jailed),
            ),
            Outcome::Untried { why } => found
                .unchecked
                .push(format!("{}: {threat}: {probe}: {why}", jailed.name())),
            Outcome::Held { .. } | Outcome::NotWalled { .. } | Outcome::Absent { .. } => {}
        }
    }
    found
}

/// The names of walls, as a sentence has them.
struct Names<'a>(&'a [Wall]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|wall| wall.name()).collect();
        f.write_str(&names.join(", "))
    }
}

impl Attack {
    /// Prints the table.
    pub(crate) fn print(&self) {
        say(format_args!("{}, {}:", self.user, self.door));
        let rows: Vec<[String; 4]> = self
            .probes
            .iter()
            .map(|attempt| {
                let [word, by] = attempt.outcome.words();
                [
                    format!("  {}", attempt.threat),
                    attempt.probe.clone(),
                    word.to_owned(),
                    by,
                ]
            })
            .collect();
        print_columns(&rows);
        let count =
            |is: fn(&Outcome) -> bool| self.probes.iter().filter(|it| is(&it.outcome)).count();
        say(format_args!(
            "{}: {} held, {} not walled, {} absent, {} not tried, {} got through",
            self.user,
            count(|it| matches!(it, Outcome::Held { .. })),
            count(|it| matches!(it, Outcome::NotWalled { .. })),
            count(|it| matches!(it, Outcome::Absent { .. })),
            count(|it| matches!(it, Outcome::Untried { .. })),
            count(|it| matches!(it, Outcome::Reached { .. })),
        ));
    }
}

impl Outcome {
    /// Says it in two cells of a row.
    fn words(&self) -> [String; 2] {
        let (word, by) = match self {
            Outcome::Reached { walls } => ("GOT THROUGH", Names(walls).to_string()),
            Outcome::Held { wall, errno } => {
                let by = wall.map_or("no wall of the jail", Wall::name);
                let errno = errno.map(|errno| format!(" ({errno:?})"));
                ("held by", format!("{by}{}", errno.unwrap_or_default()))
            }
            Outcome::NotWalled { why } => ("not walled", why.clone()),
            Outcome::Absent { why } => ("absent", why.clone()),
            Outcome::Untried { why } => ("not tried", why.clone()),
        };
        [word.to_owned(), shown(by)]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{all, wall::Wall};

    #[test]
    fn every_probe_has_a_name_of_its_own_and_a_wall() {
        let mut names = HashSet::new();
        for probe in all() {
            assert!(names.insert((probe.threat, probe.name)), "{}", probe.name);
            assert!(
                !probe.walls.is_empty() || probe.name == "sent in, stat",
                "{}",
                probe.name
            );
        }
        assert!(names.len() > 100, "{}", names.len());
    }

    #[test]
    fn what_was_found_and_is_not_the_hosts_is_any_walls_answer() {
        for wall in all().flat_map(|probe| probe.walls) {
            assert!(wall.answers(None), "{wall:?}");
            assert!(!wall.answers(Some(nix::errno::Errno::EIO)), "{wall:?}");
        }
        assert!(!Wall::Pids.answers(Some(nix::errno::Errno::EPERM)));
    }
}
