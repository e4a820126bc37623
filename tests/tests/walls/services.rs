//! `services`: real servers on the host, real clients in a jail without a network.

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, roots, skipped};

/// ann in a jail with the host's programs, these services and no network, behind jail-shell and behind PAM.
fn both_doors(keys: &str) -> [Sandbox; 2] {
    let keys = format!("base = \"host\"\nnetwork = \"none\"\nshell = \"/bin/bash\"\n{keys}\n");
    [
        jail_shell(&keys),
        Sandbox::with_ann_behind_pam(roots::home(), &keys),
    ]
}

fn jail_shell(keys: &str) -> Sandbox {
    let jail = "[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"";
    Sandbox::new()
        .user("ann")
        .root(roots::home())
        .config(&format!("{jail}\n{keys}\n"))
}

/// Runs a command in ann's jail, by the door that is there.
#[track_caller]
fn ann(sandbox: &Sandbox, command: &str) -> Outcome {
    sandbox.su_c("ann", command)
}

/// Tells whether the host has all of these programs, and says what is skipped where it has not.
fn has(sandbox: &Sandbox, programs: &[&str], what: &str) -> bool {
    let missing = programs
        .iter()
        .find(|program| sandbox.sh(&format!("command -v {program}")).code() != Some(0));
    if let Some(program) = missing {
        skipped(what, format!("{program} is not installed"));
    }
    missing.is_none()
}

/// A MariaDB of its own, stopped and started again by `restart`.
const MARIADB: &str = r#"
set -e
start() {
    install -d -o mysql -g root /run/mysqld
    setsid mariadbd --no-defaults --user=mysql --datadir=/srv/db --socket=/run/mysqld/mysqld.sock --skip-networking \
        </dev/null >/srv/db.log 2>&1 &
    echo $! >/srv/db.pid
    until mariadb-admin ping >/dev/null 2>&1; do sleep 0.05; done
}
"#;

const NEW_MARIADB: &str = r#"
install -d -o mysql /srv/db
mariadb-install-db --no-defaults --user=mysql --datadir=/srv/db --skip-test-db >/dev/null 2>&1
start
mariadb -e 'CREATE DATABASE ann; CREATE USER ann IDENTIFIED VIA unix_socket; GRANT ALL ON ann.* TO ann'
"#;

#[test]
fn mariadb_is_reached_without_a_network_and_again_after_a_restart() {
    for sandbox in both_doors("services = [\"mysql\"]\netc = [\"php\"]") {
        if !has(
            &sandbox,
            &["mariadbd", "mariadb-install-db"],
            "services: mariadb",
        ) {
            return;
        }
        let ask = "mariadb -N -e 'SELECT current_user()'";
        // Not there yet: the login is served without it.
        let seen = ann(&sandbox, &format!("echo in; {ask}"));
        assert!(
            seen.stdout.contains("in\n") && !seen.stdout.contains("ann@"),
            "{seen}"
        );
        sandbox.must(&format!("{MARIADB}{NEW_MARIADB}"));
        assert_eq!(ann(&sandbox, ask).ok(), "ann@%");
        // Where old clients look.
        let old = "mariadb -S /var/run/mysqld/mysqld.sock -N -e 'SELECT 1+1'";
        assert_eq!(ann(&sandbox, old).ok(), "2");
        let php = "php -r 'echo (new mysqli(null, \"ann\"))->query(\"SELECT current_user()\")->fetch_row()[0];'";
        if has(&sandbox, &["php"], "services: php")
            && sandbox.sh("php -m | grep -q mysqli").code() == Some(0)
        {
            assert_eq!(ann(&sandbox, php).ok(), "ann@%");
        } else {
            skipped("services: php", "php-mysql is not installed");
        }
        // As somebody else, or by the network, nobody gets in.
        assert_ne!(
            ann(&sandbox, "mariadb -u root -e 'SELECT 1'").code(),
            Some(0)
        );
        // A new login finds it after the directory was made anew, as systemd does.
        sandbox.must(&format!(
            "{MARIADB}kill $(cat /srv/db.pid); while kill -0 $(cat /srv/db.pid) 2>/dev/null; do sleep 0.05; done
             rm -r /run/mysqld; start"
        ));
        assert_eq!(ann(&sandbox, ask).ok(), "ann@%");
    }
}

#[test]
fn an_open_session_reaches_a_server_that_was_restarted_in_its_directory() {
    let sandbox = jail_shell(
        "base = \"host\"\nnetwork = \"none\"\nshell = \"/bin/bash\"\nservices = [\"redis\"]",
    );
    if !has(&sandbox, &["redis-server", "redis-cli"], "services: redis") {
        return;
    }
    let start = "runuser -u redis -- redis-server --port 0 --unixsocket /run/redis/redis-server.sock --unixsocketperm 770 \
        --dir /tmp --daemonize yes >/dev/null; until [ -S /run/redis/redis-server.sock ]; do sleep 0.05; done";
    sandbox.must(&format!(
        "install -d -m 2755 -o redis -g redis /run/redis; usermod -aG redis ann; {start}"
    ));
    let ask = "redis-cli -s /run/redis/redis-server.sock";
    assert_eq!(
        ann(&sandbox, &format!("{ask} set key value; {ask} get key")).ok(),
        "OK\nvalue"
    );
    let mut pty = sandbox.ssh_tty("ann", None);
    pty.line(&format!("{ask} ping; echo READY$((1+1))"));
    pty.expect("READY2");
    sandbox.must(&format!(
        "redis-cli -s /run/redis/redis-server.sock shutdown nosave; while [ -S /run/redis/redis-server.sock ]; do sleep 0.05; done
         {start}"
    ));
    pty.line(&format!(
        "{ask} set again yes; echo now-$({ask} get again); exit"
    ));
    let seen = pty.finish();
    assert!(seen.stdout.contains("now-yes"), "{seen}");
    // Whoever is not in the server's group stays out.
    sandbox.must("gpasswd -d ann redis");
    assert!(
        !ann(&sandbox, &format!("{ask} ping"))
            .stdout
            .contains("PONG")
    );
}

#[test]
fn postgresql_is_reached_as_the_user_that_the_kernel_names() {
    for sandbox in both_doors("services = [\"postgresql\"]") {
        if !has(
            &sandbox,
            &["pg_createcluster", "psql"],
            "services: postgresql",
        ) {
            return;
        }
        sandbox.must(
            "rm -rf /etc/postgresql/* /var/lib/postgresql/* /run/postgresql
             install -d -m 2775 -o postgres -g postgres /run/postgresql
             version=$(ls /usr/lib/postgresql | tail -n 1)
             pg_createcluster $version main >/dev/null && pg_ctlcluster $version main start
             cd / && runuser -u postgres -- createuser ann && runuser -u postgres -- createdb --owner ann ann",
        );
        assert_eq!(
            ann(&sandbox, "psql -qAtc 'SELECT current_user'").ok(),
            "ann"
        );
        let other = ann(&sandbox, "psql -U postgres -c 'SELECT 1'");
        assert!(
            other.stderr.contains("Peer authentication failed"),
            "{other}"
        );
        sandbox.must("pg_ctlcluster $(ls /etc/postgresql) main restart");
        assert_eq!(
            ann(&sandbox, "psql -qAtc 'SELECT current_user'").ok(),
            "ann"
        );
    }
}

/// A mail server that listens on the host's loopback device, behind a socket as the manual has it.
const MAIL: &str = r#"
cat >/srv/smtpd.conf <<'END'
listen on lo port 25
action here maildir "/srv/mail/%{user.username}"
match from local for local action here
END
install -d -m 1777 /srv/mail
useradd -m bob
smtpd -f /srv/smtpd.conf 2>/dev/null
install -d /run/submission
setsid systemd-socket-activate -l /run/submission/smtp /lib/systemd/systemd-socket-proxyd 127.0.0.1:25 </dev/null >/dev/null 2>&1 &
until [ -S /run/submission/smtp ]; do sleep 0.05; done
chmod 666 /run/submission/smtp
printf 'account default\nhost localhost\nsocket /run/submission/smtp\nfrom %%U@sandbox\n' >/etc/msmtprc
"#;

#[test]
fn mail_goes_to_the_hosts_server_without_any_right() {
    for sandbox in both_doors("services = [\"mail\"]\netc = [\"msmtprc\"]") {
        if !has(
            &sandbox,
            &["smtpd", "msmtp", "systemd-socket-activate"],
            "services: mail",
        ) {
            return;
        }
        sandbox.must(MAIL);
        ann(
            &sandbox,
            "printf 'Subject: hello\\n\\nfrom inside\\n' | msmtp bob@$(hostname)",
        )
        .ok();
        let wait = "until grep -rqs 'from inside' /srv/mail; do sleep 0.05; done; grep -rh '^From: ' /srv/mail";
        assert!(sandbox.must(wait).contains("ann@"));
    }
}

/// A server that speaks as much SMTP as it takes, and keeps one message. A host with a mail server of its own is no host on which
/// `jailctl check` finds nothing.
const SMTP: &str = r#"
cat >/srv/smtp.py <<'END'
import os, socket
s = socket.socket(socket.AF_UNIX); s.bind('/run/submission/smtp'); os.chmod('/run/submission/smtp', 0o666); s.listen()
c, _ = s.accept(); f = c.makefile('rwb', buffering=0); f.write(b'220 here\r\n'); kept = []
while True:
    line = f.readline()
    if line.upper().startswith(b'DATA'):
        f.write(b'354 go\r\n')
        while (text := f.readline()) != b'.\r\n': kept.append(text)
        open('/srv/message', 'wb').write(b''.join(kept))
    if line.upper().startswith(b'QUIT') or not line: break
    f.write(b'250 fine\r\n')
END
install -d /run/submission
setsid python3 /srv/smtp.py </dev/null >/dev/null 2>&1 &
until [ -S /run/submission/smtp ]; do sleep 0.05; done
"#;

#[test]
fn mail_goes_by_msmtp_to_any_server_behind_a_socket() {
    for sandbox in both_doors("services = [\"mail\"]") {
        if !has(&sandbox, &["msmtp", "python3"], "services: mail by msmtp") {
            return;
        }
        sandbox.must(SMTP);
        let send = "printf 'Subject: hello\\n\\nfrom inside\\n' |
            msmtp --host=localhost --socket=/run/submission/smtp --from=ann@example.org bob@example.org";
        ann(&sandbox, send).ok();
        let kept = sandbox.must("until [ -s /srv/message ]; do sleep 0.05; done; cat /srv/message");
        assert!(kept.contains("from inside"), "{kept}");
    }
}

/// A service of the administrator's, of an account that may do with its directory as it likes.
const OWN: &str = "install -d /etc/login-jail/services.d
printf 'about = \"x\"\\n[[show]]\\nsource = \"/run/own\"\\ntarget = [\"/run/own\", \"/var/run/own\"]\\n' >/etc/login-jail/services.d/own.toml
install -d -o bin -g bin /run/own; echo secret >/srv/secret; chmod 644 /srv/secret";

#[test]
fn what_a_service_plants_in_its_directory_shows_nothing_else_of_the_host() {
    for sandbox in both_doors("services = [\"own\"]") {
        sandbox.must(&format!(
            "{OWN}; cd /run/own; ln -s /srv/secret link; ln -s / top; ln -s /srv directory
             install -m 4755 -o bin /usr/bin/id id; mknod -m 666 zero c 1 5; chmod 777 ."
        ));
        for command in [
            "cat /run/own/link",
            "ls /run/own/directory/secret",
            "cat /run/own/top/srv/secret",
            "/run/own/id",
            "head -c 1 /run/own/zero",
            "touch /run/own/new",
            "rm /run/own/link",
            "touch /var/run/own/new",
        ] {
            assert_ne!(ann(&sandbox, command).code(), Some(0), "{command}");
        }
        let flags = ann(&sandbox, "grep -o ' /run/own [a-z,]*' /proc/self/mountinfo");
        for flag in ["ro", "nosuid", "nodev", "noexec"] {
            assert!(flags.stdout.contains(flag), "{flags}");
        }
        // In place of the directory: a login shows it, or is refused, and never follows it.
        for plant in [
            "ln -s /srv /run/own",
            "mkfifo /run/own",
            "mknod /run/own c 1 5",
        ] {
            sandbox.must(&format!("rm -rf /run/own; {plant}"));
            assert!(
                !ann(&sandbox, "echo GOTIN").stdout.contains("GOTIN"),
                "{plant}"
            );
        }
        sandbox.must("rm /run/own; mkdir -p /run/a; install -d -o bin /run/own");
        assert_eq!(ann(&sandbox, "ls -A /run/own; echo in").ok(), "in");
    }
}

#[test]
fn a_link_of_the_jail_leads_a_service_nowhere() {
    let sandbox = Sandbox::new()
        .user("ann")
        .root(roots::busybox())
        .config(
            "[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\nroot_owner = \"user\"\nservices = [\"own\"]\n",
        )
        .with(&format!("{OWN}; touch /run/own/socket; chown ann /srv/jails/ann"));
    let root = "/srv/jails/ann";
    // As on most systems.
    sandbox.must(&format!(
        "cd {root}; mkdir run var; ln -s /run var/run; chown -h ann run var var/run"
    ));
    let look = "ls /run/own /var/run/own";
    assert_eq!(
        ann(&sandbox, look).ok(),
        "/run/own:\nsocket\n\n/var/run/own:\nsocket"
    );
    // With a place of its own, made as the owner of what is above it.
    sandbox.must(&format!("cd {root}; rm -r var; mkdir var; chown ann var"));
    assert_eq!(
        ann(&sandbox, look).ok(),
        "/run/own:\nsocket\n\n/var/run/own:\nsocket"
    );
    assert_eq!(
        sandbox.must(&format!("stat -c %U {root}/var/run/own")),
        "ann"
    );
    for plant in [
        "ln -s /etc run",
        "mkdir run; ln -s /etc run/own",
        "mkdir run; touch run/own",
    ] {
        sandbox.must(&format!("cd {root}; rm -rf run; {plant}"));
        assert!(
            !ann(&sandbox, "echo GOTIN").stdout.contains("GOTIN"),
            "{plant}"
        );
    }
}

#[test]
fn a_base_that_nothing_can_be_made_in_keeps_nobody_out() {
    let sandbox = Sandbox::new()
        .user("ann")
        .root(roots::busybox())
        .config(
            "[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"/srv/base\"\nservices = [\"own\"]\n",
        )
        .with(&format!(
            "{OWN}; touch /run/own/socket; mv /srv/jails/ann /srv/base; mkdir -p /srv/jails/ann /srv/base/var/lib"
        ));
    assert_eq!(ann(&sandbox, "ls /run/own; ls /var").ok(), "socket\nlib");
}

#[test]
fn refuses_a_service_in_a_place_that_others_than_root_could_exchange() {
    for sandbox in both_doors("services = [\"own\"]") {
        for plant in ["chown bin /run/a", "chmod 777 /run/a", "chown ann /run/a"] {
            sandbox.must(&format!(
                "{OWN}; rm -rf /run/a; mkdir -p /run/a/b; {plant}; sed -i 's:/run/own\"$:/run/a/b\":' /etc/login-jail/services.d/own.toml"
            ));
            assert!(
                !ann(&sandbox, "echo GOTIN").stdout.contains("GOTIN"),
                "{plant}"
            );
        }
    }
}

#[test]
fn a_fault_in_services_d_names_file_and_line_at_a_login_and_in_check() {
    let sandbox = jail_shell("base = \"host\"\nshell = \"/bin/bash\"\nservices = [\"own\"]");
    let file = "/etc/login-jail/services.d/own.toml";
    let fails = |part: &str| {
        let seen = sandbox.run_as("ann", &[JAIL_SHELL, "-c", "echo GOTIN"]);
        assert!(!seen.stdout.contains("GOTIN"), "{seen}");
        sandbox.logged_last(&["refused code=config-", &part.replace('"', "\\\"")]);
        let check = sandbox.run(&["jailctl", "check"]);
        assert!(check.stdout.contains(part), "{check}");
    };
    fails("there is no service \"own\"");
    sandbox.must("sed -i 's/own/mysq/' /etc/login-jail/config.toml");
    fails("config.toml:7:13: there is no service \"mysq\"; did you mean \"mysql\"?");
    sandbox.must(&format!(
        "sed -i 's/mysq/own/' /etc/login-jail/config.toml; {OWN}"
    ));
    sandbox.run_as("ann", &[JAIL_SHELL, "-c", "true"]).ok();
    sandbox.must(&format!("echo 'sorce = \"/run/own\"' >>{file}"));
    fails("own.toml:5:1: unknown key \"sorce\"; did you mean \"source\"?");
    sandbox.must(&format!("{OWN}; sed -i 's:/run/own:/etc/ssh:' {file}"));
    fails("own.toml:4:");
    sandbox.must(&format!("{OWN}; chown bin {file}"));
    fails(file);
    // What an editor leaves behind is no service.
    sandbox.must(&format!(
        "chown root {file}; cp {file} {file}~; echo x >/etc/login-jail/services.d/.own.toml"
    ));
    sandbox.run_as("ann", &[JAIL_SHELL, "-c", "true"]).ok();
}

#[test]
fn a_service_that_is_not_there_is_a_note_of_check_and_explain_says_so() {
    let sandbox =
        jail_shell("base = \"host\"\nshell = \"/bin/bash\"\nservices = [\"mysql\", \"own\"]")
            .with(OWN);
    sandbox.must("rm -rf /run/mysqld");
    let check = sandbox.run(&["jailctl", "check", "--notes"]);
    assert!(check.stdout.contains("services names \"mysql\""), "{check}");
    assert!(
        check.stdout.contains("[service-missing]") && !check.stdout.contains("\"own\""),
        "{check}"
    );
    let explain = sandbox.run(&["jailctl", "explain", "ann"]);
    assert!(
        explain
            .stdout
            .contains("mysql: the host has no socket of it"),
        "{explain}"
    );
    assert!(explain.stdout.contains("own: at /run/own"), "{explain}");
    let sockets = explain
        .stdout
        .lines()
        .find(|line| line.starts_with("sockets"));
    assert_eq!(
        sockets,
        Some(
            "sockets    of the host's only those of own; /dev/log to the host's log, marked as from inside"
        ),
        "{explain}"
    );
    sandbox
        .run_as("ann", &[JAIL_SHELL, "-c", "test -d /run/own"])
        .ok();
}
