//! What a session can reach besides files: the network, other processes, sockets of the host. All of it is the plan's to say.

use jail::{
    plan::{Plan, world::Processes},
    process::landlock::{Openings, Way},
    world::view::has_log,
};
use jail_config::Network;
use serde::Serialize;

use super::world::{Mounting, ServiceShown};

/// What a session can reach.
#[derive(Debug, Serialize)]
pub(super) struct Reach {
    /// `host`, `none` or `ports`.
    network: &'static str,
    /// The TCP ports that can be connected to; nothing where none is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    connect: Option<Vec<u16>>,
    /// The TCP ports that can be listened on; nothing where none is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    bind: Option<Vec<u16>>,
    /// Whose processes it sees: `session`, `user`, `traceable` or `host`.
    processes: &'static str,
    /// Whether it can signal the user's processes outside.
    signals: bool,
    /// Whether it can connect to abstract sockets of the host.
    abstract_sockets: bool,
    /// Sockets of the host that are mounted, as they are named inside.
    sockets: Vec<String>,
    /// Whether /dev/log is the session's own, from which the supervisor passes on to the host's log.
    log: bool,
}

impl Reach {
    /// Takes what a plan says. `open` is what the kernel leaves open of the second wall.
    pub(super) fn of(plan: &Plan, open: Option<&Openings>, mounts: &[Mounting]) -> Reach {
        let (network, connect, bind) = match &plan.world.network {
            Network::Host => ("host", None, None),
            Network::None => ("none", None, None),
            Network::Ports { connect, bind } => ("ports", connect.clone(), bind.clone()),
        };
        let walled = plan.landlock().is_some();
        let own = plan.world.has_pid_namespace();
        let is_open = |way| open.is_some_and(|open| open.has(way));
        Reach {
            network,
            connect,
            bind,
            processes: match plan.world.view.as_ref().map(|view| view.processes) {
                Some(Processes::Own) if plan.shares_world() => "user",
                Some(Processes::Own) => "session",
                Some(Processes::Traceable) => "traceable",
                None => "host",
            },
            signals: !own && (!walled || is_open(Way::Signals)),
            abstract_sockets: network != "none" && (!walled || is_open(Way::AbstractSockets)),
            sockets: mounts
                .iter()
                .filter(|mount| mount.is_socket)
                .map(|mount| mount.target.clone())
                .collect(),
            log: plan.world.view.as_ref().is_some_and(has_log),
        }
    }

    /// Says which network it has.
    pub(super) fn network(&self) -> String {
        match self.network {
            "none" => "none (only a loopback device of its own)".to_owned(),
            "host" => "the host's".to_owned(),
            _ => format!(
                "the host's; TCP: connects to {}, listens on {}; other protocols are not restricted",
                ports(self.connect.as_deref()),
                ports(self.bind.as_deref())
            ),
        }
    }

    /// Says which processes it has to do with.
    pub(super) fn processes(&self) -> String {
        let sees = match self.processes {
            "session" => return "only those of the session".to_owned(),
            "user" => return "those of all sessions of the user, which share a world".to_owned(),
            "traceable" => "no pid namespace; a private /proc shows only those of the session",
            _ => "no pid namespace: process numbers are the host's",
        };
        let signals = match self.signals {
            true => "; the user's own processes outside CAN be signalled",
            false => "; signals stay in the session",
        };
        format!("{sees}{signals}")
    }

    /// Says which sockets of the host it can connect to, those of services included.
    pub(super) fn sockets(&self, services: &[ServiceShown]) -> String {
        let services = services.iter().filter(|it| !it.at.is_empty());
        let of_services = services.map(|it| format!("those of {}", it.name));
        let all: Vec<String> = self.sockets.iter().cloned().chain(of_services).collect();
        let named = match all.as_slice() {
            [] => "none of the host's".to_owned(),
            all => format!("of the host's only {}", all.join(", ")),
        };
        let named = match self.abstract_sockets {
            true => format!("{named} by path; ALL abstract ones of the host"),
            false => named,
        };
        match self.log {
            true => format!("{named}; /dev/log to the host's log, marked as from inside"),
            false => named,
        }
    }
}

/// Names the ports of a list.
fn ports(list: Option<&[u16]>) -> String {
    match list {
        None => "any port".to_owned(),
        Some([]) => "no port".to_owned(),
        Some([one]) => format!("port {one} only"),
        Some(list) => {
            let numbers: Vec<String> = list.iter().map(u16::to_string).collect();
            format!("ports {} only", numbers.join(" "))
        }
    }
}
