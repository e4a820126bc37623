use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use super::{LONGEST_COMMAND, Request, What};
use crate::{
    account::identity::Identity, code::Code, door::refusal::Refusal, process::program::Root,
};

fn caller() -> Identity {
    Identity {
        shell: "/usr/bin/jail-shell".into(),
        ..Identity::example("ann", 1001)
    }
}

fn parse(arguments: &[&str], original: Option<&str>) -> Result<Request, Code> {
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    Request::parse(&arguments, original.map(OsString::from), true, &caller())
        .map_err(|fault| Refusal::from(fault).code())
}

fn command(text: &str) -> What {
    What::Command {
        command: text.into(),
        arguments: Vec::new(),
    }
}

#[test]
fn a_dash_makes_a_login_shell_that_ignores_the_ssh_request() {
    let request = parse(&["-jail-shell"], Some("id")).unwrap();
    assert_eq!(
        request,
        Request {
            login: true,
            what: What::Shell
        }
    );
}

#[test]
fn passes_a_command_on_as_one_argument() {
    let text = "echo $(id) 'a\nb' \"c\"";
    let request = parse(&["jail-shell", "-c", text], None).unwrap();
    assert_eq!(
        request,
        Request {
            login: false,
            what: command(text)
        }
    );
    assert!(parse(&["-jail-shell", "-c", text], None).unwrap().login);
}

#[test]
fn passes_positional_parameters_on() {
    let request = parse(&["jail-shell", "-c", "echo $1", "x", "-y"], None).unwrap();
    let arguments = vec!["x".into(), "-y".into()];
    assert_eq!(
        request.what,
        What::Command {
            command: "echo $1".into(),
            arguments
        }
    );
}

#[test]
fn a_forced_command_runs_what_the_client_asked_for() {
    assert_eq!(
        parse(&["jail-shell"], Some("id")).unwrap().what,
        command("id")
    );
    assert_eq!(
        parse(&["/usr/bin/jail-shell"], None).unwrap().what,
        What::Shell
    );
}

#[test]
fn a_forced_command_under_jail_shell_as_login_shell_is_no_command_of_the_users() {
    for own in ["/usr/bin/jail-shell", "jail-shell"] {
        assert_eq!(
            parse(&["jail-shell", "-c", own], Some("id")).unwrap().what,
            command("id")
        );
        let shell = parse(&["jail-shell", "-c", own], None).unwrap();
        assert_eq!(
            shell,
            Request {
                login: true,
                what: What::Shell
            }
        );
    }
    for spelt in [
        "exec /usr/bin/jail-shell",
        "/usr/bin//jail-shell\t",
        "'jail-shell'",
    ] {
        let request = parse(&["jail-shell", "-c", spelt], Some("id")).unwrap();
        assert_eq!(request.what, command("id"), "{spelt}");
    }
    let elsewhere = parse(&["jail-shell", "-c", "/tmp/jail-shell"], Some("id")).unwrap();
    assert_eq!(elsewhere.what, command("/tmp/jail-shell"));
}

#[test]
fn internal_sftp_becomes_the_jails_sftp_server() {
    let what = parse(&["jail-shell"], Some("internal-sftp -l INFO"))
        .unwrap()
        .what;
    let sftp = |asked: &str, options: &[&str], unsure| What::Sftp {
        asked: asked.into(),
        options: options.iter().map(Into::into).collect(),
        unsure,
        shell: true,
    };
    assert_eq!(what, sftp("internal-sftp", &["-l", "INFO"], false));
    let server = "/usr/lib/openssh/sftp-server";
    let what = parse(&["jail-shell", "-c", server], None).unwrap().what;
    assert_eq!(what, sftp(server, &[], true));
    let what = parse(&["jail-shell"], Some("internal-sftpd")).unwrap().what;
    assert_eq!(what, command("internal-sftpd"));
}

#[test]
fn sftp_is_started_without_a_usual_shell() {
    let server = Path::new("/usr/lib/sftp-server");
    let start = |shell: &str, command: &str| {
        let request = parse(&["jail-shell"], Some(command)).unwrap();
        let start = request.start(Path::new(shell), Path::new(shell), Some(server));
        (start.program, start.arguments)
    };
    let itself = (
        server.to_owned(),
        ["sftp-server", "-l", "INFO"].map(OsString::from).to_vec(),
    );
    assert_eq!(start("/bin/sh", "internal-sftp  -l INFO"), itself);
    assert_eq!(start("/usr/bin/bash", "internal-sftp -l INFO"), itself);
    let through = |shell: &str, options: &str| {
        let command = format!("/usr/lib/sftp-server{options}");
        let name = Path::new(shell).file_name().unwrap().to_owned();
        let arguments = vec![name, "-c".into(), command.into()];
        assert_eq!(
            start(shell, &format!("internal-sftp{options}")),
            (shell.into(), arguments)
        );
    };
    // It may be there to refuse sftp.
    through("/usr/bin/git-shell", "");
    through("/usr/bin/git-shell", " -d '/a b'");
    assert_eq!(
        start("/bin/sh", "exec /usr/lib//openssh/sftp-server\t-d '/a b'").1,
        ["sftp-server", "-d", "/a b"].map(OsString::from)
    );
}

#[test]
fn sftp_is_started_without_a_shell_that_leads_to_a_usual_one() {
    let directory = std::env::temp_dir().join(format!("jail-request-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let program = |to: &str| {
        let link = directory.join("our-shell");
        drop(std::fs::remove_file(&link));
        std::os::unix::fs::symlink(to, &link).unwrap();
        let request = parse(&["jail-shell"], Some("internal-sftp")).unwrap();
        let server = Path::new("/usr/lib/sftp-server");
        let leads_to = Root::current(None).unwrap().leads_to(&link);
        let start = request.start(&link, &leads_to, Some(server));
        (start.program == server).then_some(())
    };
    let seen = ["/nowhere/bash", "/nowhere/git-shell"].map(program);
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(seen, [Some(()), None]);
}

#[test]
fn refuses_a_server_that_only_a_shell_could_start() {
    for line in [
        "internal-sftp -d \"$HOME\"",
        "internal-sftp ; id",
        "/usr/lib/openssh/sftp-server -d ~",
        "umask 027; exec /usr/lib/openssh/sftp-server",
        "nice /usr/lib/openssh/sftp-server",
    ] {
        assert_eq!(parse(&["jail-shell"], Some(line)), Err(Code::Usage));
        for original in [None, Some("internal-sftp"), Some("id")] {
            let seen = parse(&["jail-shell", "-c", line], original);
            assert_eq!(seen, Err(Code::Usage), "{line}");
        }
    }
}

#[test]
fn a_forced_server_serves_nobody_who_asked_for_something_else() {
    let forced = ["jail-shell", "-c", "/usr/lib/openssh/sftp-server -e"];
    let sshd = |original: Option<&str>| {
        let arguments: Vec<OsString> = forced.iter().map(OsString::from).collect();
        Request::parse(&arguments, original.map(OsString::from), true, &caller())
    };
    for original in [
        "id",
        "",
        "scp -t /x",
        "rsync --server . x",
        "jail-shell",
        "sftp;id",
    ] {
        let refusal = Refusal::from(sshd(Some(original)).unwrap_err());
        assert!(matches!(&refusal, Refusal::SftpOnly(it) if it == original));
        assert_eq!(refusal.status(), 1);
    }
    for (original, expected) in [
        (None, true),
        (Some("/usr/local/bin/our-sftp"), true),
        (Some("/usr/lib/openssh/sftp-server -d ~"), true),
        (Some("internal-sftp"), false),
        (Some("/usr/libexec/openssh/sftp-server -l INFO"), false),
    ] {
        let What::Sftp { unsure, .. } = sshd(original).unwrap().what else {
            panic!("{original:?}");
        };
        assert_eq!(unsure, expected, "{original:?}");
    }
    // Without sshd there is no client, and the variable is anybody's.
    let arguments = forced.map(OsString::from);
    let request = Request::parse(&arguments, Some("id".into()), false, &caller()).unwrap();
    assert!(matches!(request.what, What::Sftp { unsure: false, .. }));
}

#[test]
fn a_call_for_sftp_is_known_before_the_account_is() {
    let is_for_sftp = |arguments: &[&str], original: Option<&str>| {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        Request::is_for_sftp(&arguments, original.map(OsStr::new))
    };
    let server = "/usr/lib/openssh/sftp-server";
    assert!(is_for_sftp(&["jail-shell", "-c", server], None));
    assert!(is_for_sftp(&["jail-shell"], Some(server)));
    assert!(is_for_sftp(
        &["jail-shell", "-c", "exec /usr/bin/jail-shell"],
        Some(server)
    ));
    assert!(is_for_sftp(&["jail-shell", "-c", "nice sftp-server"], None));
    assert!(!is_for_sftp(&["jail-shell", "-c", "id"], Some(server)));
    assert!(!is_for_sftp(
        &["jail-shell", "-c", server],
        Some("scp -t x")
    ));
    assert!(!is_for_sftp(&["-jail-shell"], None));
    assert!(!is_for_sftp(&[], None));
}

#[test]
fn refuses_everything_else() {
    let long = "x".repeat(LONGEST_COMMAND + 1);
    for arguments in [
        &[][..],
        &[""],
        &["", "-c", "id"],
        &["jail-shell", "-c"],
        &["jail-shell", "-l"],
        &["jail-shell", "--config", "/tmp/x"],
        &["jail-shell", "id"],
        &["jail-shell", "-c", &long],
    ] {
        assert_eq!(parse(arguments, None), Err(Code::Usage), "{arguments:?}");
    }
}
