//! Clients as people use them, each against the jails of docs/clients.md: what README's table says is what is seen here.
//!
//! What a client does is a script of `tests/clients`, which knows nothing of jails.

mod rows;

use std::time::{Duration, Instant};

use login_jail_tests::{Outcome, Sandbox, roots, skipped};

use rows::{CLIENTS, Cell, Client};

const README: &str = include_str!("../../../../README.md");
const DOCUMENT: &str = include_str!("../../../../docs/clients.md");
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");

/// How long a client that is refused may take to say so. It takes a second on an idle machine; a client that hangs never ends.
const AT_ONCE: Duration = Duration::from_secs(20);
const LONGEST: Duration = Duration::from_secs(90);

/// The columns of the table: the name of the account, which is that of its jail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Jail {
    /// SFTP and nothing else, in a root directory that is empty; the home is a mount.
    Sftp,
    /// A list of commands, with the host's programs.
    Listed,
    /// A shell, with the host's programs.
    View,
    /// A shell, in a Debian of the jail's own.
    Debian,
}

impl Jail {
    fn name(self) -> &'static str {
        match self {
            Jail::Sftp => "sftp",
            Jail::Listed => "listed",
            Jail::View => "view",
            Jail::Debian => "debian",
        }
    }

    fn keys(self) -> &'static str {
        match self {
            Jail::Sftp => {
                "commands = [\"sftp\"]\nmounts = [{ source = \"/srv/files/{user}\", target = \"/home/{user}\", mode = \"rw\" }]"
            }
            Jail::Listed => {
                "base = \"host\"\ncommands = [\"sftp\", \"scp\", \"rsync\", \"git\", { program = \"/usr/bin/borg\", arguments = [\"serve\", \"**\"] }]"
            }
            Jail::View => "base = \"host\"\nshell = \"/bin/bash\"",
            Jail::Debian => "shell = \"/bin/bash\"",
        }
    }

    /// Gives the cell of a row that is this jail's.
    fn cell(self, client: &Client) -> Cell {
        match self {
            Jail::Sftp => client.sftp,
            Jail::Listed => client.listed,
            Jail::View => client.view,
            Jail::Debian => client.debian,
        }
    }

    /// What a client is told that asks for something else.
    fn sentence(self) -> &'static str {
        match self {
            Jail::Sftp => "This account is for SFTP only.",
            _ => "allowed: sftp, scp, rsync, git, /usr/bin/borg serve **",
        }
    }

    /// A machine with the account and its jail, and with what a client needs to reach it.
    fn machine(self) -> Result<Sandbox, String> {
        let name = self.name();
        let sandbox = Sandbox::new().user(name);
        let sandbox = match self {
            Jail::Debian => sandbox.root(roots::debian()?.then(PROGRAMS)),
            Jail::Sftp => sandbox.with(
                "install -d /srv/jails/sftp /srv/files; install -d -o sftp -g sftp /srv/files/sftp",
            ),
            _ => sandbox.root(roots::home()),
        };
        let sandbox = sandbox.config(&format!(
            "[users]\n{name} = \"{name}\"\n[jails.{name}]\nroot = \"/srv/jails/{{user}}\"\n{}\n",
            self.keys()
        ));
        sandbox.must(&format!(
            "mkdir -m 700 -p ~/.ssh; printf 'Host {name}\\nHostName 127.0.0.1\\nUser {name}\\nIdentityFile /etc/ssh/sandbox/client\\n\
             StrictHostKeyChecking no\\nUserKnownHostsFile /dev/null\\nLogLevel ERROR\\nKexAlgorithms curve25519-sha256\\n' >~/.ssh/config"
        ));
        // The first login starts sshd.
        let words = sandbox.ssh_argv(name, &[], None);
        assert_eq!(words.first().map(String::as_str), Some("ssh"));
        Ok(sandbox)
    }
}

/// Brings programs of the host, which is of the same release, into a Debian that has only what is essential.
const PROGRAMS: &str = r#"
programs="/usr/lib/openssh/sftp-server $(for name in scp rsync git git-upload-pack git-receive-pack git-upload-archive borg python3 mosh-server tmux screen ssh-add ps; do
    command -v $name || :; done)"
trees="$(ls -d /usr/lib/git-core /usr/lib/python3* /usr/share/terminfo /usr/lib/terminfo /lib/terminfo 2>/dev/null || :)"
tar -C / -c --exclude=__pycache__ --exclude='*/test' --exclude=dist-packages/ansible --exclude=ansible_test $trees 2>/dev/null | tar -C $root -x
loaded=$(find /usr/lib/python3* -name '*.so' | grep -e lib-dynload -e borg -e msgpack)
for file in $programs; do cp -L --parents $file $root; done
for library in $(ldd $programs $(readlink -f /usr/bin/python3) /usr/lib/git-core/git $loaded 2>/dev/null | sed -n 's,.*=> \(/[^ ]*\) (.*,\1,p' | sort -u); do
    [ -e $root$library ] || cp -L --parents $library $root
done
"#;

/// Runs a client's script, and gives how it ended and how long that took.
fn run(sandbox: &Sandbox, jail: Jail, client: &Client) -> (Outcome, Duration) {
    let (script, arguments) = client.script.split_first().unwrap_or((&"", &[]));
    let path = format!("{SCRIPTS}/{script}");
    let interpreter: &[&str] = match script.ends_with(".py") {
        true => &["python3", "-B"],
        false => &["sh", "-eu"],
    };
    let words = [interpreter, &[path.as_str(), jail.name()], arguments].concat();
    let begun = Instant::now();
    let seen = sandbox.run_within(LONGEST, &words);
    (seen, begun.elapsed())
}

/// Tells what is wrong with a row, if anything is.
fn wrong(sandbox: &Sandbox, jail: Jail, client: &Client) -> Option<String> {
    let cell = jail.cell(client);
    let missing = client.needs.iter().find(|it| {
        sandbox
            .sh(&format!(
                "command -v {it} || test -e {it} || python3 -c 'import {it}'"
            ))
            .code()
            != Some(0)
    });
    if let Some(missing) = missing {
        skipped(
            &format!("the client {} against a jail ({jail:?})", client.name),
            format!("{missing} is not installed"),
        );
        return None;
    }
    let (mut seen, mut taken) = run(sandbox, jail, client);
    // A client that notices the end of the connection first may show nothing of what ssh says. borg does so now and then.
    for _ in 0..3 {
        let said = format!("{}{}", seen.stdout, seen.stderr);
        if cell != Cell::Refused || said.contains(jail.sentence()) || seen.code() == Some(0) {
            break;
        }
        (seen, taken) = run(sandbox, jail, client);
    }
    if let (Some(reason), true) = (client.impossible, seen.code() == Some(77)) {
        skipped(
            &format!("the client {} against a jail ({jail:?})", client.name),
            reason,
        );
        return None;
    }
    let said = format!("{}{}", seen.stdout, seen.stderr);
    let holds = match cell {
        Cell::Works => seen.code() == Some(0),
        Cell::Refused => {
            seen.code() != Some(0) && said.contains(jail.sentence()) && taken < AT_ONCE
        }
        Cell::Fails => seen.code() != Some(0) && taken < AT_ONCE,
    };
    (!holds).then(|| {
        format!(
            "== {} should be {cell:?}, after {taken:?}: {seen}",
            client.name
        )
    })
}

/// Goes through a column of the table.
fn column(jail: Jail) {
    let sandbox = match jail.machine() {
        Ok(sandbox) => sandbox,
        Err(reason) => return skipped(&format!("clients against a jail ({jail:?})"), reason),
    };
    let only = std::env::var("LOGIN_JAIL_CLIENT").ok();
    let mut found = Vec::new();
    for client in CLIENTS {
        if only.as_ref().is_none_or(|only| only == client.name) {
            if let Some(fault) = wrong(&sandbox, jail, client) {
                found.push(fault);
            }
        }
    }
    if jail == Jail::Sftp {
        assert_eq!(sandbox.must("ls -A /srv/jails/sftp"), "", "still empty");
    }
    assert!(
        found.is_empty(),
        "{jail:?}:\n{}\n{}",
        found.join("\n"),
        sandbox.log().join("\n")
    );
}

#[test]
fn clients_of_an_account_that_has_sftp_alone_and_an_empty_root_directory() {
    column(Jail::Sftp);
}

#[test]
fn clients_of_a_list_of_commands() {
    column(Jail::Listed);
}

#[test]
fn clients_with_the_hosts_programs() {
    column(Jail::View);
}

#[test]
fn clients_of_a_debian_root() {
    column(Jail::Debian);
}

/// README has a row for the clients that all jails treat alike, and names each client once.
#[test]
fn readme_says_what_is_seen_of_each_client() {
    let (_, rest) = README
        .split_once("\n| client | ")
        .expect("README's table of clients");
    let rows = rest
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let without_note = |text: &str| text.split("[^").next().unwrap_or_default().to_owned();
    let mut named = Vec::new();
    for row in rows {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let names = cells.next().unwrap_or_default();
        let said: Vec<String> = cells.map(without_note).collect();
        for name in names.split(", ").map(without_note) {
            let client = CLIENTS.iter().find(|client| client.name == name);
            let client = client.unwrap_or_else(|| panic!("no test of {name}"));
            let cells = [client.sftp, client.listed, client.view, client.debian];
            let seen = cells.map(|cell| match cell {
                Cell::Works => "works",
                Cell::Refused => "refused",
                Cell::Fails => "no",
            });
            assert_eq!(said, seen, "{name}: left is README's");
            named.push(client.name);
        }
    }
    let mut all: Vec<&str> = CLIENTS.iter().map(|client| client.name).collect();
    all.sort_unstable();
    named.sort_unstable();
    assert_eq!(named, all, "left is README's");
}

/// The jails are those that the document shows.
#[test]
fn the_document_has_the_jails_that_clients_are_tried_in() {
    for jail in [Jail::Sftp, Jail::Listed, Jail::View, Jail::Debian] {
        let root = "root = \"/srv/jails/{user}\"";
        let table = format!("[jails.{}]\n{root}\n{}\n", jail.name(), jail.keys());
        assert!(
            DOCUMENT.contains(&table),
            "docs/clients.md has not: {table}"
        );
    }
}
