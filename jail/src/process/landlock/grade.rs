//! What of the second wall a kernel has, what a jail must have of it, and what stays open without the rest. Pure: it
//! asks the kernel nothing.

use std::fmt;

use jail_config::{Landlock, Network};
use landlock::LandlockStatus;

use crate::{
    fault::StepFault,
    plan::{process::SecondWall, world::Processes},
};

/// What is asked of the kernel, with the ABI and the Linux that brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Open,
    Move,
    Truncate,
    Ports,
    DeviceIoctl,
    Scopes,
}

impl Part {
    const ALL: [Part; 6] = [
        Part::Open,
        Part::Move,
        Part::Truncate,
        Part::Ports,
        Part::DeviceIoctl,
        Part::Scopes,
    ];

    fn abi(self) -> i32 {
        match self {
            Part::Open => 1,
            Part::Move => 2,
            Part::Truncate => 3,
            Part::Ports => 4,
            Part::DeviceIoctl => 5,
            Part::Scopes => 6,
        }
    }

    fn linux(self) -> &'static str {
        match self {
            Part::Open => "5.13",
            Part::Move => "5.19",
            Part::Truncate => "6.2",
            Part::Ports => "6.7",
            Part::DeviceIoctl => "6.10",
            Part::Scopes => "6.12",
        }
    }

    /// Tells whether a login is refused without this part.
    fn is_required(self, wanted: SecondWall<'_>) -> bool {
        let lists_ports = matches!(wanted.network, Network::Ports { .. });
        match (self, wanted.mode) {
            (Part::Ports, _) => lists_ports,
            (_, Landlock::Require) => true,
            (Part::Open, Landlock::Files) => true,
            (_, Landlock::Files | Landlock::BestEffort | Landlock::Off) => false,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Open => "opening files",
            Part::Move => "moving files between directories",
            Part::Truncate => "truncating files",
            Part::Ports => "TCP ports",
            Part::DeviceIoctl => "ioctl on devices",
            Part::Scopes => "signals and abstract sockets",
        })
    }
}

/// What the kernel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Landlock is not built in.
    Nothing,
    /// It is built in, and not among the security modules chosen at boot.
    NotEnabled,
    /// It has this ABI.
    Abi(i32),
}

impl From<LandlockStatus> for Kernel {
    fn from(status: LandlockStatus) -> Kernel {
        match status {
            LandlockStatus::NotImplemented => Kernel::Nothing,
            LandlockStatus::NotEnabled => Kernel::NotEnabled,
            LandlockStatus::Available {
                effective_abi,
                kernel_abi,
            } => Kernel::Abi(kernel_abi.unwrap_or(effective_abi as i32)),
        }
    }
}

impl Kernel {
    fn abi(self) -> i32 {
        match self {
            Kernel::Nothing | Kernel::NotEnabled => 0,
            Kernel::Abi(abi) => abi,
        }
    }

    fn has(self, part: Part) -> bool {
        part.abi() <= self.abi()
    }

    /// Says what a jail by default has on this kernel, with the way to more; nothing where it has all.
    #[must_use]
    pub fn requirement(self) -> Option<String> {
        let wanted = SecondWall {
            executables: None,
            mode: Landlock::Files,
            network: &Network::Host,
            processes: Some(Processes::Own),
        };
        match judge(wanted, self) {
            Ok(standing) => standing.open.map(|open| {
                format!(
                    "{open}; lists of ports in network: {}",
                    match self.has(Part::Ports) {
                        true => "enforced",
                        false => "refused, they take Linux 6.7 or newer",
                    }
                )
            }),
            Err(_) => Some(format!("{self}: every login is refused. {REQUIREMENT}")),
        }
    }
}

/// What a jail takes of a kernel.
const REQUIREMENT: &str =
    "A jail needs Linux 5.13 or newer with Landlock enabled; Linux 6.12 or newer closes everything";

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kernel::Nothing => f.write_str("this kernel has no Landlock"),
            Kernel::NotEnabled => f.write_str(
                "this kernel has Landlock, not enabled: add landlock to lsm= on the kernel's command line",
            ),
            Kernel::Abi(abi) => write!(f, "this kernel has Landlock ABI {abi}"),
        }
    }
}

/// What a session can do past a wall that the kernel lacks and that no other wall of its plan stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Open files outside of the root, by a directory descriptor from outside.
    Files,
    /// Trace the user's processes outside, which includes reading their memory.
    Tracing,
    /// Empty files outside of the root by truncate(2), in the same manner.
    Truncate,
    /// Signal the user's processes outside.
    Signals,
    /// Connect to abstract sockets outside.
    AbstractSockets,
}

impl Way {
    const ALL: [Way; 5] = [
        Way::Files,
        Way::Tracing,
        Way::Truncate,
        Way::Signals,
        Way::AbstractSockets,
    ];

    /// Gives the part of Landlock that stops it. That a device outside can't be opened is enough against ioctl(2), so
    /// nothing stands on that part alone.
    fn stopped_by(self) -> Part {
        match self {
            Way::Files | Way::Tracing => Part::Open,
            Way::Truncate => Part::Truncate,
            Way::Signals | Way::AbstractSockets => Part::Scopes,
        }
    }

    /// Tells whether another wall of the plan stops it.
    fn is_stopped_elsewhere(self, wanted: SecondWall<'_>) -> bool {
        match self {
            Way::Files | Way::Truncate => false,
            // No process outside has a number in a pid namespace.
            Way::Tracing | Way::Signals => wanted.processes == Some(Processes::Own),
            // An abstract socket belongs to a network namespace.
            Way::AbstractSockets => *wanted.network == Network::None,
        }
    }

    /// Says what of the config stops it, where something does.
    fn closed_by(self, wanted: SecondWall<'_>) -> Option<&'static str> {
        match (self, wanted.processes) {
            (Way::Files | Way::Truncate, _) => None,
            (Way::AbstractSockets, _) => Some("network = \"none\" stops abstract sockets"),
            (Way::Tracing | Way::Signals, Some(Processes::Own)) => None,
            (Way::Tracing | Way::Signals, Some(Processes::Traceable)) => {
                Some("jail-shell in place of pam_jail.so stops signals")
            }
            (Way::Tracing | Way::Signals, None) => {
                Some("isolation = \"full\" through jail-shell stops signals")
            }
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Files => "opening files outside by a directory descriptor passed in",
            Way::Tracing => "tracing the user's processes outside",
            Way::Truncate => {
                "emptying the user's files outside by a directory descriptor passed in"
            }
            Way::Signals => "signals to the user's processes outside",
            Way::AbstractSockets => "connecting to abstract sockets of the host",
        })
    }
}

/// What stays open in a session, and how it can be closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Openings {
    kernel: Kernel,
    ways: Vec<Way>,
    /// What the config could do about some of them.
    remedies: Vec<&'static str>,
    /// Files can't be moved from one directory to another at all: before ABI 2 the kernel refuses it.
    no_moves: bool,
}

impl Openings {
    /// Tells whether a way is open.
    #[must_use]
    pub fn has(&self, way: Way) -> bool {
        self.ways.contains(&way)
    }

    fn newest_part(&self) -> Part {
        let stops = self.ways.iter().map(|way| way.stopped_by());
        stops.max_by_key(|part| part.abi()).unwrap_or(Part::Move)
    }
}

impl fmt::Display for Openings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kernel)?;
        let ways: Vec<String> = self.ways.iter().map(Way::to_string).collect();
        if !ways.is_empty() {
            write!(f, ", which does not stop: {}", ways.join(", "))?;
        }
        if self.no_moves {
            f.write_str("; files can't be moved or linked to another directory inside")?;
        }
        write!(f, "; Linux {} or newer", self.newest_part().linux())?;
        f.write_str(match (self.kernel, self.ways.is_empty()) {
            (_, true) => " allows that",
            (Kernel::Nothing | Kernel::NotEnabled, false) => {
                " with Landlock enabled stops all of it"
            }
            (_, false) => " stops all of it",
        })?;
        self.remedies
            .iter()
            .try_for_each(|remedy| write!(f, "; {remedy}"))
    }
}

/// What of the second wall stands, or will.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "what stays open belongs in the log"]
pub(crate) struct Standing {
    /// Files outside can't be opened, which can be tried.
    pub(crate) files: bool,
    /// What stays open, for the log.
    pub(crate) open: Option<Openings>,
}

/// Holds what the kernel has against what a jail must have, and against what its other walls stop.
///
/// # Errors
/// A part that the jail must have is missing.
pub(crate) fn judge(wanted: SecondWall<'_>, kernel: Kernel) -> Result<Standing, StepFault> {
    let missing = |part: &Part| !kernel.has(*part);
    let required: Vec<Part> = Part::ALL
        .into_iter()
        .filter(|part| part.is_required(wanted))
        .filter(missing)
        .collect();
    if let Some(newest) = required.last() {
        return Err(StepFault::Unfit(refusal(
            wanted, kernel, &required, *newest,
        )));
    }
    let ways: Vec<Way> = Way::ALL
        .into_iter()
        .filter(|way| missing(&way.stopped_by()) && !way.is_stopped_elsewhere(wanted))
        .collect();
    let mut remedies: Vec<&str> = ways
        .iter()
        .filter_map(|way| way.closed_by(wanted))
        .collect();
    remedies.dedup();
    let no_moves = kernel.has(Part::Open) && missing(&Part::Move);
    Ok(Standing {
        files: kernel.has(Part::Open),
        open: (no_moves || !ways.is_empty()).then_some(Openings {
            kernel,
            ways,
            remedies,
            no_moves,
        }),
    })
}

/// Says which required parts are missing, and what would do.
fn refusal(wanted: SecondWall<'_>, kernel: Kernel, missing: &[Part], newest: Part) -> String {
    let names: Vec<String> = missing
        .iter()
        .map(|part| format!("{part} (ABI {})", part.abi()))
        .collect();
    let lists_ports = missing.contains(&Part::Ports);
    let instead = if lists_ports {
        "set network = \"host\" or \"none\""
    } else if kernel.has(Part::Open) {
        "set landlock = \"files\""
    } else {
        "set landlock = \"best-effort\""
    };
    let because = match (wanted.mode, lists_ports) {
        (Landlock::Files, false) => " (landlock = \"files\")",
        _ => "",
    };
    format!(
        "no rules for {}{because}: {kernel}; use Linux {} or newer with Landlock enabled, or {instead}",
        names.join(", "),
        newest.linux()
    )
}

#[cfg(test)]
mod tests;
