//! Each page of `docs/how-to` is followed on a machine of its own, from its first command to its last.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fs;

use login_jail_tests::documents::{follow, machine};
use login_jail_tests::skipped;

const PAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/how-to");

fn page(name: &str) -> String {
    fs::read_to_string(format!("{PAGES}/{name}.md")).unwrap()
}

#[test]
fn a_shared_upload_directory_is_for_uploads_only() {
    follow(&machine(), &page("upload-directory"));
}

/// The host's PostgreSQL, with a cluster that nobody has used, started as Debian starts it.
const POSTGRESQL: &str = "
    rm -rf /etc/postgresql/* /var/lib/postgresql/* /run/postgresql; install -d -m 2775 -o postgres -g postgres /run/postgresql
    version=$(ls /usr/lib/postgresql | tail -n 1)
    pg_createcluster $version main >/dev/null; pg_ctlcluster $version main start";

#[test]
fn a_database_is_reached_by_its_socket_and_not_by_the_network() {
    let sandbox = machine();
    if sandbox.sh("command -v pg_createcluster").code() != Some(0) {
        return skipped("a database by its socket", "postgresql is not installed");
    }
    sandbox.must(POSTGRESQL);
    follow(&sandbox, &page("database-socket"));
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
