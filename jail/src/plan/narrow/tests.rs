use std::ffi::OsStr;

use jail_config::{Allowed, Argument, Program};

use super::narrow;
use crate::plan::{
    allowed::NotAllowed,
    request::{Request, What},
};

fn ask(command: &str, list: &[Allowed]) -> Result<What, NotAllowed> {
    let request = Request {
        login: false,
        what: What::Command {
            command: command.into(),
            arguments: Vec::new(),
        },
    };
    narrow(request, list).map(|request| request.what)
}

#[track_caller]
fn started(command: &str, list: &[Allowed]) -> String {
    match ask(command, list) {
        Ok(What::Direct(direct)) => direct.shown().into_string().unwrap(),
        other => panic!("{command:?}: {other:?}"),
    }
}

#[track_caller]
fn refused(command: &str, list: &[Allowed]) -> String {
    match ask(command, list) {
        Err(why) => why.to_string(),
        Ok(what) => panic!("{command:?} is allowed: {what:?}"),
    }
}

fn program(path: &str, arguments: Option<&[&str]>) -> Allowed {
    let argument = |text: &&str| match *text {
        "*" => Argument::One,
        "**" => Argument::Rest,
        text => Argument::Fixed(text.to_owned()),
    };
    Allowed::Program(Program {
        path: path.to_owned(),
        arguments: arguments.map(|list| list.iter().map(argument).collect()),
    })
}

#[test]
fn what_clients_of_rsync_send_is_allowed_and_nothing_that_starts_a_program() {
    let list = [Allowed::Rsync];
    for command in [
        "rsync --server -vlogDtpre.iLsfxCIvu . /up",
        "rsync --server --sender -vlogDtpre.iLsfxCIvu . '~/a b'",
        "/usr/bin/rsync --server -e.LsfxC --delete --partial-dir=.p -T/tmp . up/",
        "rsync --server --sender -e.iLsfxCIvu . *.txt dir/[ab]?",
    ] {
        assert!(
            started(command, &list).starts_with("rsync --server"),
            "{command}"
        );
    }
    for command in [
        "rsync a b",
        "rsync --daemon",
        "rsync --server --daemon .",
        "rsync --server --daemon --config=/up/c .",
        "rsync --server -vse.iLsfx . /up",
        "rsync --server --secluded-args . /up",
        "rsync --server -e sh . /up",
        "rsync --server -vesh . /up",
        "rsync --server -e./sh . /up",
        "rsync --server --rsh=sh . /up",
        "rsync --server . /up --log-file=/up/x",
        "rsync --server -M--log-file=x . /up",
        "rsync --server -e.i . $(id)",
        "rsync --server -e.i . a; id",
        "/up/rsync --server -e.i . /up",
        "sh -c 'rsync --server -e.i . /up'",
    ] {
        refused(command, &list);
    }
}

#[test]
fn scp_serves_and_does_nothing_else() {
    let list = [Allowed::Scp];
    for command in [
        "scp -t /up",
        "scp -r -p -f -- *.txt",
        "scp -vtd ~/x",
        "/usr/bin/scp -f a b",
    ] {
        assert!(started(command, &list).starts_with("scp "), "{command}");
    }
    for command in [
        "scp a b",
        "scp -S /bin/sh -t a",
        "scp -oProxyCommand=id -t a",
        "scp -t",
        "scp -3 -f a",
        "scp -D x -t a",
    ] {
        refused(command, &list);
    }
}

#[test]
fn git_serves_one_repository() {
    let list = [Allowed::Git];
    assert_eq!(
        started("git-upload-pack '/r.git'", &list),
        "git upload-pack /r.git"
    );
    assert_eq!(
        started("git receive-pack 'my r'", &list),
        "git receive-pack 'my r'"
    );
    assert_eq!(
        started("git-upload-archive ''\\''x'", &list),
        "git upload-archive ''\\''x'"
    );
    for command in [
        "git-upload-pack",
        "git-upload-pack a b",
        "git-upload-pack --exec=id",
        "git-upload-pack *",
        "git -c core.sshCommand=id upload-pack a",
        "git daemon",
        "git-shell -c x",
        "git clone ext::id",
    ] {
        refused(command, &list);
    }
}

#[test]
fn a_program_is_allowed_by_its_path_or_its_name_and_with_its_arguments() {
    let list = [
        program("/opt/report", Some(&["--user", "*"])),
        program("/opt/report", Some(&["log", "**"])),
        program("/usr/bin/uptime", None),
    ];
    for command in [
        "/opt/report --user ann",
        "report --user 'a b'",
        "exec report log",
        "report log 1 2",
        "uptime -p",
    ] {
        started(command, &list);
    }
    for command in [
        "report",
        "report --user",
        "report --user a b",
        "report --User a",
        "/bin/report log",
        "report lo*",
        "uptime; id",
        "A=1 uptime",
        "/usr/bin/../bin/uptime",
    ] {
        refused(command, &list);
    }
}

#[test]
fn a_refusal_says_what_is_allowed_and_names_the_word() {
    let list = [Allowed::Rsync, program("/opt/report", None)];
    assert_eq!(
        refused("ls -l", &list),
        "the command \"ls\" is not allowed; allowed: rsync, /opt/report"
    );
    assert!(refused("report \"$HOME\"", &list).contains("act on the $ in \"\\\"$HOME\\\"\""));
    let shell = Request {
        login: true,
        what: What::Shell,
    };
    assert_eq!(
        narrow(shell, &list).unwrap_err().to_string(),
        "a shell is not allowed; allowed: rsync, /opt/report"
    );
}

#[test]
fn the_client_chooses_no_server() {
    let request = || Request {
        login: true,
        what: What::Sftp {
            asked: "/home/ann/sftp-server".into(),
            options: vec!["-l".into()],
            unsure: false,
            shell: true,
        },
    };
    for list in [[Allowed::Sftp], [Allowed::Scp]] {
        let narrowed = narrow(request(), &list).unwrap();
        let What::Sftp { asked, shell, .. } = narrowed.what else {
            panic!("{narrowed:?}");
        };
        assert_eq!(
            (asked.as_os_str(), shell),
            (OsStr::new("internal-sftp"), false)
        );
    }
    assert!(narrow(request(), &[Allowed::Git]).is_err());
}
