//! Each page of `docs/how-to` is followed on a machine of its own, from its first command to its last.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fs;

use login_jail_tests::documents::{follow, machine};
use login_jail_tests::{Sandbox, skipped};

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
fn a_shared_upload_directory_is_for_uploads_only() {
    follow(&machine(), &page("upload-directory"));
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
