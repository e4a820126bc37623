//! Each page of `docs/how-to` is followed on a machine of its own, from its first command to its last.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fs;

use login_jail_tests::directory::Client;
use login_jail_tests::documents::{follow, machine};
use login_jail_tests::{Sandbox, roots, skipped};

const PAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/how-to");

fn page(name: &str) -> String {
    fs::read_to_string(format!("{PAGES}/{name}.md")).unwrap()
}

/// Gives a machine, if there is a program that a page takes.
fn machine_with(program: &str, what: &str) -> Option<Sandbox> {
    let sandbox = machine();
    if sandbox.sh(&format!("command -v {program}")).code() == Some(0) {
        return Some(sandbox);
    }
    skipped(what, format!("{program} is not installed"));
    None
}

#[test]
fn a_user_with_a_shell_is_set_up_by_hand() {
    let machine = machine().with("cp /root/key.pub /root/ann.pub");
    follow(&machine, &page("by-hand"));
}

#[test]
fn a_shared_upload_directory_is_for_uploads_only() {
    follow(&machine(), &page("upload-directory"));
}

#[test]
fn readers_read_and_a_team_shares_by_sftp() {
    follow(&machine(), &page("sftp-access"));
}

#[test]
fn an_account_with_one_job_does_nothing_else() {
    if let Some(sandbox) = machine_with("rsync", "accounts with one job") {
        follow(&sandbox, &page("one-job"));
    }
}

#[test]
fn who_was_in_is_found_afterwards() {
    follow(&machine(), &page("who-was-in"));
}

#[test]
fn numbers_for_prometheus_are_those_of_what_happened() {
    follow(&machine(), &page("monitoring"));
}

/// The host's PostgreSQL, with a cluster that nobody has used, started and restarted as Debian does it.
const POSTGRESQL: &str = r#"
rm -rf /etc/postgresql/* /var/lib/postgresql/* /run/postgresql
install -d -m 2775 -o postgres -g postgres /run/postgresql
version=$(ls /usr/lib/postgresql | tail -n 1)
pg_createcluster $version main >/dev/null
pg_ctlcluster $version main start
mv /usr/local/sbin/systemctl /usr/local/sbin/systemctl.ssh
cat >/usr/local/sbin/systemctl <<'END'
#!/bin/sh
[ "$*" = "restart postgresql" ] || exec systemctl.ssh "$@"
pg_ctlcluster $(ls /etc/postgresql) main restart
END
chmod 755 /usr/local/sbin/systemctl
"#;

#[test]
fn a_database_is_reached_by_its_socket_and_not_by_the_network() {
    if let Some(sandbox) = machine_with("pg_createcluster", "a database by its socket") {
        sandbox.must(POSTGRESQL);
        follow(&sandbox, &page("database-socket"));
    }
}

/// What Debian's packages of SSSD and nslcd set up when they are installed, and systemctl for both.
const DIRECTORY: &str = r#"
cat >/etc/pam.d/common-account <<END
account [success=3 new_authtok_reqd=done default=ignore] pam_unix.so
account [success=2 default=ignore] pam_ldap.so minimum_uid=1000
account [success=1 default=ignore] pam_sss.so
account requisite pam_deny.so
account required pam_permit.so
END
install -d -o nslcd -g nslcd /run/nslcd
mv /usr/local/sbin/systemctl /usr/local/sbin/systemctl.ssh
cat >/usr/local/sbin/systemctl <<'END'
#!/bin/sh
case "$*" in
"stop sssd") kill $(pidof sssd) ;;
"stop nslcd") kill $(pidof nslcd) ;;
"restart sssd") sssd -D; until id -Gn lisa 2>/dev/null | grep -q students; do sleep 0.1; done ;;
"restart nslcd") nslcd; until id -Gn lisa 2>/dev/null | grep -q students; do sleep 0.1; done ;;
*) exec systemctl.ssh "$@" ;;
esac
END
chmod 755 /usr/local/sbin/systemctl
"#;

#[test]
fn accounts_come_from_ldap_by_sssd_and_by_nslcd() {
    let sandbox = machine();
    let key = sandbox.read("/root/key.pub");
    let more = format!(
        "\ndn: cn=lisa,ou=people,dc=example,dc=org\nobjectClass: account\nobjectClass: extensibleObject\nobjectClass: posixAccount\n\
         objectClass: ldapPublicKey\nuid: lisa\ncn: lisa\nuidNumber: 25000\ngidNumber: 20000\nhomeDirectory: /home/lisa\n\
         loginShell: /usr/bin/jail-shell\nsshPublicKey: {key}\n\
         \ndn: cn=students,ou=groups,dc=example,dc=org\nobjectClass: posixGroup\ncn: students\ngidNumber: 35000\nmemberUid: lisa\n"
    );
    if let Some(sandbox) = sandbox.directory(Client::None, 5, 2, &more) {
        sandbox.must(DIRECTORY);
        follow(&sandbox, &page("ldap"));
    }
}

#[test]
fn a_class_from_a_list_is_shut_out_on_its_day() {
    let sandbox = machine();
    for user in ["ann", "bob", "cid"] {
        sandbox.must(&format!(
            "install -D -m 644 /root/key.pub /root/keys/{user}.pub"
        ));
    }
    follow(&sandbox, &page("class-until"));
}

#[test]
fn a_contractor_has_rsync_and_one_repository_and_nothing_else() {
    if let Some(sandbox) = machine_with("rrsync", "a contractor with rsync and git") {
        follow(&sandbox, &page("contractor"));
    }
}

#[test]
fn a_contractors_sessions_are_recorded_and_played() {
    if let Some(sandbox) = machine_with("rsync", "a recorded session") {
        follow(&sandbox, &page("record-session"));
    }
}

/// Two targets and a machine that is none, each with an sshd and an account `deploy`.
const TARGETS: &str = r#"
printf '127.0.0.2 web1.internal\n127.0.0.3 web2.internal\n127.0.0.4 db.internal\n' >>/etc/hosts
useradd -m -p '*' -s /bin/bash deploy
install -m 644 /root/key.pub /etc/ssh/deploy
cat >/etc/ssh/targets <<'END'
ListenAddress 127.0.0.2
ListenAddress 127.0.0.3
ListenAddress 127.0.0.4
PidFile /run/targets.pid
AuthorizedKeysFile /etc/ssh/%u
END
/usr/sbin/sshd -f /etc/ssh/targets
until [ -s /run/targets.pid ]; do sleep 0.01; done
"#;

#[test]
fn a_jump_host_leads_to_two_targets_and_has_no_session() {
    let sandbox = machine();
    sandbox.must(TARGETS);
    follow(&sandbox, &page("jump-host"));
}

/// A mirror of Debian in the image's /srv, with packages that this machine has installed, and one that greets.
const MIRROR: &str = r#"
cd /srv/images/debian/srv
pack() {
    mkdir -p /tmp/$1/DEBIAN
    dpkg -L $1 | while read -r file; do
        [ -d "$file" ] && [ ! -h "$file" ] || echo "$file"
    done | tar -cf - -T - 2>/dev/null | tar -xf - -C /tmp/$1
    dpkg-query -s $1 | grep -v '^Status:\|^Conffiles:\|^ /' >/tmp/$1/DEBIAN/control
    for script in postinst prerm triggers; do
        for file in /var/lib/dpkg/info/$1.$script /var/lib/dpkg/info/$1:*.$script; do
            [ ! -e $file ] || cp $file /tmp/$1/DEBIAN/$script
        done
    done
    dpkg-deb -b /tmp/$1 . >/dev/null
}
pack fakeroot
pack libfakeroot
mkdir -p /tmp/hello/DEBIAN /tmp/hello/usr/bin
printf 'Package: hello\nVersion: 1\nArchitecture: all\nMaintainer: tests\nDescription: greets\n' >/tmp/hello/DEBIAN/control
printf '#!/bin/sh\necho "Hello, world!"\n' >/tmp/hello/usr/bin/hello
chmod 755 /tmp/hello/usr/bin/hello
dpkg-deb -b /tmp/hello . >/dev/null
dpkg-scanpackages . >Packages 2>/dev/null
rm -rf ../etc/apt/sources.list.d
echo 'deb [trusted=yes] file:/srv ./' >../etc/apt/sources.list
"#;

#[test]
fn apt_installs_in_an_image_as_root_and_in_a_users_own_root_by_fakeroot() {
    let what = "apt inside a jail";
    let mount = match roots::mount_debian("/srv/images/debian") {
        Ok(mount) => mount,
        Err(reason) => return skipped(what, reason),
    };
    if let Some(sandbox) = machine_with("fakeroot", what) {
        sandbox.must(&mount);
        sandbox.must(MIRROR);
        follow(&sandbox, &page("apt-inside"));
    }
}

/// VS Code itself is not here: the page has a server that is brought, started and reached as VS Code does it.
#[test]
fn a_server_in_the_jail_is_reached_as_vs_code_does_it_and_nothing_else_is() {
    follow(&machine(), &page("vscode-remote"));
}

#[test]
fn a_tmux_session_of_one_login_is_attached_by_the_next_until_a_kick() {
    if let Some(sandbox) = machine_with("tmux", "tmux and long jobs") {
        follow(&sandbox, &page("shared-world"));
    }
}

#[test]
fn two_old_jails_become_one_config_and_can_come_back() {
    if let Some(sandbox) = machine_with("jk_init", "from ChrootDirectory and jailkit at once") {
        follow(&sandbox, &page("merge-migration"));
    }
}

#[test]
fn removing_it_says_whom_it_concerns_and_leaves_nobody_unjailed_by_surprise() {
    let sandbox = machine();
    sandbox.must(&format!("ln -s {PAGES}/../.. /usr/src/login-jail"));
    follow(&sandbox, &page("removing"));
}

#[test]
fn every_page_is_listed_followed_and_says_how_to_see_it_work_and_how_to_take_it_back() {
    let (tests, list) = (include_str!("how_to.rs"), page("README"));
    for file in fs::read_dir(PAGES).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let name = name.strip_suffix(".md").unwrap();
        if name == "README" {
            continue;
        }
        assert!(tests.contains(&format!("&page(\"{name}\")")), "{name}");
        assert!(list.contains(&format!("]({name}.md)")), "{name}");
        let text = page(name);
        for part in ["Set it up", "See that it works", "Take it back"] {
            assert!(text.contains(&format!("\n## {part}\n")), "{name}: {part}");
        }
    }
}
