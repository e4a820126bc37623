//! What a probe has come to, held against what the config asks for: a table, and findings.

use std::fmt;

use jail::{
    plan::Plan,
    process::landlock::{Openings, Way},
};
use nix::errno::Errno;
use serde::{Serialize, Serializer};

use super::{
    probe::{Answer, Tried},
    probes::all,
    wall::Wall,
};
use crate::{
    door::Door,
    output::{print_columns, say},
    shell::shown,
};

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
    door: Door,
    probes: Vec<Attempt>,
}

/// What answers are held against.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    pub(crate) plan: &'a Plan,
    /// What stays open because the kernel lacks a part of Landlock that the config lets be missing.
    pub(crate) open: Option<Openings>,
    pub(crate) port: u16,
}

impl Judge<'_> {
    /// Holds all that was tried against the plan.
    pub(crate) fn attack(&self, user: String, door: Door, tried: Vec<Tried>) -> Attack {
        Attack {
            user,
            door,
            probes: tried.into_iter().map(|one| self.attempt(one)).collect(),
        }
    }

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

/// The names of walls, as a sentence has them.
struct Names<'a>(&'a [Wall]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|wall| wall.name()).collect();
        f.write_str(&names.join(", "))
    }
}

impl Attack {
    /// Says which probes got through a jail that should have held them, and past which walls.
    pub(crate) fn got_through(&self) -> impl Iterator<Item = String> {
        self.probes.iter().filter_map(|attempt| {
            let Outcome::Reached { walls } = &attempt.outcome else {
                return None;
            };
            let Attempt { threat, probe, .. } = attempt;
            Some(format!(
                "{threat}: {probe}: got through, past: {}",
                Names(walls)
            ))
        })
    }

    /// Says which probes could not be tried, and why.
    pub(crate) fn untried(&self) -> impl Iterator<Item = String> {
        self.probes.iter().filter_map(|attempt| {
            let Outcome::Untried { why } = &attempt.outcome else {
                return None;
            };
            let Attempt { threat, probe, .. } = attempt;
            Some(format!("{threat}: {probe}: {why}"))
        })
    }

    /// Prints the table.
    pub(crate) fn print(&self) {
        say(format_args!("{}, {}:", self.user, self.door.name()));
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
