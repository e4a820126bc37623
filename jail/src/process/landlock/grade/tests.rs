use jail_config::{Landlock, Network};

use super::{Kernel, Openings, Standing, Way, judge};
use crate::{
    fault::StepFault,
    plan::{process::SecondWall, world::Processes},
};

const NETWORKS: [Network; 2] = [Network::Host, Network::None];

fn ports() -> Network {
    Network::Ports {
        connect: Some(vec![443]),
        bind: None,
    }
}

fn wanted(mode: Landlock, network: &Network) -> SecondWall<'_> {
    SecondWall {
        executables: None,
        mode,
        network,
        processes: Some(Processes::Own),
    }
}

fn refused(wanted: SecondWall<'_>, kernel: Kernel) -> String {
    match judge(wanted, kernel) {
        Err(StepFault::Unfit(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn ways(wanted: SecondWall<'_>, kernel: Kernel) -> Vec<Way> {
    let open = judge(wanted, kernel).unwrap().open;
    open.map(|open| open.ways).unwrap_or_default()
}

#[test]
fn require_refuses_and_names_what_is_missing() {
    let require = |kernel, network: &Network| refused(wanted(Landlock::Require, network), kernel);
    assert_eq!(
        require(Kernel::Abi(5), &Network::Host),
        "no rules for signals and abstract sockets (ABI 6): this kernel has Landlock ABI 5; \
         use Linux 6.12 or newer with Landlock enabled, or set landlock = \"files\""
    );
    assert!(require(Kernel::Abi(3), &ports()).contains("TCP ports (ABI 4)"));
    assert!(!require(Kernel::Abi(3), &Network::Host).contains("TCP ports"));
    assert!(require(Kernel::Nothing, &Network::Host).contains("this kernel has no Landlock"));
    assert!(require(Kernel::NotEnabled, &Network::Host).contains("lsm="));
    // What another wall stops is no excuse here.
    assert!(require(Kernel::Abi(5), &Network::None).contains("signals and abstract sockets"));
}

#[test]
fn nothing_is_open_on_a_kernel_that_has_all() {
    for mode in [Landlock::Files, Landlock::Require, Landlock::BestEffort] {
        for processes in [None, Some(Processes::Own), Some(Processes::Traceable)] {
            for network in [Network::Host, Network::None, ports()] {
                for abi in 6..=12 {
                    let wanted = SecondWall {
                        executables: None,
                        mode,
                        network: &network,
                        processes,
                    };
                    let all = Standing {
                        files: true,
                        open: None,
                    };
                    assert_eq!(judge(wanted, Kernel::Abi(abi)), Ok(all));
                }
            }
        }
    }
}

#[test]
fn files_refuses_where_files_outside_could_be_opened() {
    for kernel in [Kernel::Nothing, Kernel::NotEnabled, Kernel::Abi(0)] {
        let text = refused(wanted(Landlock::Files, &Network::None), kernel);
        assert!(
            text.starts_with("no rules for opening files (ABI 1) (landlock = \"files\"): "),
            "{text}"
        );
        assert!(
            text.ends_with("or set landlock = \"best-effort\""),
            "{text}"
        );
    }
}

#[test]
fn no_mode_goes_on_without_the_lists_of_ports() {
    for mode in [Landlock::Files, Landlock::Require, Landlock::BestEffort] {
        for kernel in [
            Kernel::Nothing,
            Kernel::NotEnabled,
            Kernel::Abi(1),
            Kernel::Abi(3),
        ] {
            let network = ports();
            let text = refused(wanted(mode, &network), kernel);
            assert!(text.contains("TCP ports (ABI 4)"), "{text}");
            assert!(
                text.ends_with("or set network = \"host\" or \"none\""),
                "{text}"
            );
        }
    }
    let network = ports();
    assert!(judge(wanted(Landlock::Files, &network), Kernel::Abi(4)).is_ok());
}

#[test]
fn files_leaves_open_what_no_other_wall_of_the_plan_stops() {
    let [host, none] = &NETWORKS;
    let files = |network, processes| SecondWall {
        executables: None,
        mode: Landlock::Files,
        network,
        processes,
    };
    let own = Some(Processes::Own);
    let traceable = Some(Processes::Traceable);
    for (abi, network, processes, expected) in [
        (1, none, own, &[Way::Truncate][..]),
        (2, none, own, &[Way::Truncate]),
        (2, host, own, &[Way::Truncate, Way::AbstractSockets]),
        (
            2,
            host,
            traceable,
            &[Way::Truncate, Way::Signals, Way::AbstractSockets],
        ),
        (3, host, own, &[Way::AbstractSockets]),
        (3, none, own, &[]),
        (4, none, traceable, &[Way::Signals]),
        (5, host, None, &[Way::Signals, Way::AbstractSockets]),
        (5, none, own, &[]),
    ] {
        let found = ways(files(network, processes), Kernel::Abi(abi));
        assert_eq!(found, expected, "ABI {abi}, {network:?}, {processes:?}");
    }
}

#[test]
fn best_effort_leaves_everything_open_that_the_kernel_lacks() {
    let [host, none] = &NETWORKS;
    let best = |network, processes| SecondWall {
        executables: None,
        mode: Landlock::BestEffort,
        network,
        processes,
    };
    let chroot = ways(best(host, None), Kernel::Nothing);
    assert_eq!(chroot, Way::ALL);
    let full = ways(best(none, Some(Processes::Own)), Kernel::NotEnabled);
    assert_eq!(full, [Way::Files, Way::Truncate]);
    assert_eq!(
        judge(best(none, None), Kernel::Nothing).map(|standing| standing.files),
        Ok(false)
    );
}

fn said(abi: i32, network: &Network, processes: Option<Processes>) -> String {
    let wanted = SecondWall {
        executables: None,
        mode: Landlock::Files,
        network,
        processes,
    };
    let open = judge(wanted, Kernel::Abi(abi)).unwrap().open;
    open.as_ref().map(Openings::to_string).unwrap_or_default()
}

#[test]
fn says_what_is_open_and_what_closes_it() {
    let [host, none] = &NETWORKS;
    assert_eq!(
        said(2, host, Some(Processes::Own)),
        "this kernel has Landlock ABI 2, which does not stop: emptying the user's files outside by a directory \
         descriptor passed in, connecting to abstract sockets of the host; Linux 6.12 or newer stops all of it; \
         network = \"none\" stops abstract sockets"
    );
    assert!(said(2, none, Some(Processes::Own)).ends_with("Linux 6.2 or newer stops all of it"));
    assert!(
        said(4, none, Some(Processes::Traceable))
            .ends_with("jail-shell in place of pam_jail.so stops signals")
    );
    assert!(said(4, host, None).contains("isolation = \"full\" through jail-shell stops signals"));
    assert!(said(1, none, Some(Processes::Own)).contains("can't be moved or linked"));
}

#[test]
fn the_requirement_is_said_where_it_is_not_met() {
    assert_eq!(Kernel::Abi(6).requirement(), None);
    let without = Kernel::Nothing.requirement().unwrap();
    assert!(without.contains("every login is refused"), "{without}");
    let old = Kernel::Abi(2).requirement().unwrap();
    assert!(
        old.ends_with("refused, they take Linux 6.7 or newer"),
        "{old}"
    );
}
