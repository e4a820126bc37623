use jail_config::Home;

use nix::sys::resource::Resource;

use super::{Arrival, Head, limits};
use crate::{
    plan::request::{Request, What},
    process::start::Limit,
};

fn arrival(what: What) -> Arrival {
    Arrival {
        world: "0.1 \"ann\" World { .. }".to_owned(),
        request: Request { login: true, what },
        umask: 0o027,
        home: Home::Default("/home/ann".into()),
        environment: vec![
            ("TERM".into(), "xterm".into()),
            ("EMPTY".into(), "".into()),
            ("LINES".into(), "a\nb".into()),
        ],
        limits: limits::ALL
            .into_iter()
            .zip(0..)
            .map(|(resource, soft)| Limit {
                resource,
                soft,
                hard: u64::MAX,
            })
            .collect(),
    }
}

#[test]
fn what_a_login_brings_is_read_as_it_was_written() {
    let options = vec!["-R".into(), "".into()];
    for what in [
        What::Shell,
        What::Command {
            command: "echo 'a b'; true".into(),
            arguments: vec!["".into(), "x".into()],
        },
        What::Sftp {
            asked: "/usr/lib/openssh/sftp-server".into(),
            options,
            unsure: true,
            shell: false,
        },
    ] {
        let written = arrival(what);
        assert_eq!(Arrival::decode(&written.encode()), Some(written.clone()));
        let file = written.write().unwrap();
        assert_eq!(Arrival::read(file), Some(written));
    }
}

#[test]
fn what_a_keeper_has_to_know_is_read_as_it_was_written() {
    let head = Head {
        kinds: "0120tc",
        supervisor: i32::MAX,
        processes: Limit {
            resource: Resource::RLIMIT_NPROC,
            soft: u64::MAX - 1,
            hard: u64::MAX,
        },
        terminal: "own 0",
    };
    let written = head.encode();
    assert!(written.len() <= Head::LONGEST);
    assert_eq!(Head::decode(written.as_bytes()), Some(head));
    for wrong in [
        "",
        "0120",
        "0120 x 1 2 own",
        "0120 1 2 -3 own",
        "0120 1 2 3",
    ] {
        assert_eq!(Head::decode(wrong.as_bytes()), None, "{wrong}");
    }
}

#[test]
fn what_is_cut_off_or_too_long_makes_no_sense() {
    let whole = arrival(What::Shell).encode();
    for length in 0..whole.len() {
        assert_eq!(Arrival::decode(&whole[..length]), None, "{length}");
    }
    assert_eq!(Arrival::decode(&[&whole[..], b"more\0"].concat()), None);
}
