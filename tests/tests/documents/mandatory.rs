//! The module for SELinux and the profile for AppArmor: compiled here by their own tools, and enforced nowhere here.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use login_jail_tests::skipped;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn source(path: &str) -> String {
    fs::read_to_string(Path::new(REPOSITORY).join("packaging").join(path)).expect("a source")
}

fn is_there(program: &str) -> bool {
    let found = Command::new("sh")
        .args([
            "-c",
            &format!("PATH=$PATH:/usr/sbin:/sbin; command -v {program}"),
        ])
        .output();
    found.is_ok_and(|found| found.status.success())
}

/// Runs a script in an empty directory of its own below target, with `$sources` for packaging.
#[track_caller]
fn run(name: &str, script: &str) -> String {
    let directory = Path::new(REPOSITORY).join("target/mandatory").join(name);
    fs::remove_dir_all(&directory).ok();
    fs::create_dir_all(&directory).expect("a directory");
    let sources = fs::canonicalize(Path::new(REPOSITORY).join("packaging")).expect("packaging");
    let output = Command::new("sh")
        .args(["-ec", script])
        .current_dir(&directory)
        .env("sources", sources)
        .env(
            "PATH",
            format!(
                "{}:/usr/sbin:/sbin",
                std::env::var("PATH").unwrap_or_default()
            ),
        )
        .output()
        .expect("sh");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}{errors}");
    said + &errors
}

const COMPILE: &str = "checkmodule -M -m -o login_jail.mod $sources/selinux/login_jail.te
semodule_package -o login_jail.pp -m login_jail.mod -f $sources/selinux/login_jail.fc\n";

#[test]
fn the_module_for_selinux_is_compiled() {
    if !is_there("checkmodule") || !is_there("semodule_package") {
        return skipped(
            "the SELinux module",
            "checkpolicy and semodule-utils are not installed",
        );
    }
    run("compiled", COMPILE);
}

/// Debian's reference policy, all 330 modules of it, unpacked below target and linked with ours.
const LINK: &str = "
apt-get download selinux-policy-default policycoreutils >/dev/null 2>&1 || exit 0
for package in *.deb; do dpkg-deb -x $package all; done
mkdir cil
pp=all/usr/libexec/selinux/hll/pp
for module in all/usr/share/selinux/default/*.pp.bz2; do
    name=$(basename $module .pp.bz2)
    bunzip2 -c $module >one.pp
    $pp one.pp cil/$name.cil
done
$pp login_jail.pp cil/login_jail.cil
secilc -M 1 -o policy -f /dev/null cil/*.cil
# The assertions of the policy are looked at: one that is violated is an error.
cat >bad.te <<'END'
module bad 1;
require { attribute login_jail_door; type memory_device_t; class chr_file { read }; }
allow login_jail_door memory_device_t:chr_file read;
END
checkmodule -M -m -o bad.mod bad.te
semodule_package -o bad.pp -m bad.mod
$pp bad.pp cil/bad.cil
if secilc -M 1 -o /dev/null -f /dev/null cil/*.cil 2>errors; then exit 1; fi
grep -q 'neverallow check failed' errors
echo linked
";

#[test]
#[ignore = "long: make test-long links 330 modules"]
fn the_module_for_selinux_is_linked_with_the_reference_policy_and_violates_none_of_its_assertions()
{
    let what = "the SELinux module in the reference policy";
    if !["checkmodule", "semodule_package", "secilc", "bunzip2"]
        .iter()
        .all(|it| is_there(it))
    {
        return skipped(
            what,
            "checkpolicy, semodule-utils and secilc are not installed",
        );
    }
    if !run("linked", &format!("{COMPILE}{LINK}")).contains("linked") {
        skipped(what, "Debian's packages can't be fetched");
    }
}

#[test]
fn the_profile_for_apparmor_is_parsed_and_has_the_capabilities_that_are_needed_and_no_others() {
    let text = source("apparmor/jail-shell");
    let profile: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("capability "))
        .map(|name| format!("cap_{}", name.trim_end_matches(',')))
        .collect();
    let makefile = fs::read_to_string(Path::new(REPOSITORY).join("Makefile")).expect("Makefile");
    let least = makefile
        .lines()
        .find_map(|line| line.strip_prefix("CAPS       := "));
    let least: BTreeSet<String> = least.expect("CAPS").split(',').map(str::to_owned).collect();
    assert_eq!(profile, least);
    if !is_there("apparmor_parser") {
        return skipped("the AppArmor profile", "apparmor is not installed");
    }
    run(
        "parsed",
        "apparmor_parser -QKT -I /etc/apparmor.d $sources/apparmor/jail-shell",
    );
}

#[test]
fn each_rule_has_its_reason_before_it_and_each_source_says_what_was_not_tried() {
    for path in ["selinux/login_jail.te", "apparmor/jail-shell"] {
        let text = source(path);
        assert!(
            text.contains("# NOT TRIED on a host that enforces "),
            "{path}"
        );
        // Lines that belong together stand behind one comment.
        let mut reason = false;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            let is_rule = [
                "allow ",
                "type ",
                "capability ",
                "deny ",
                "network ",
                "signal ",
                "ptrace ",
                "mount",
                "pivot_root",
                "include ",
                "/{",
            ]
            .iter()
            .any(|word| line.starts_with(word));
            match line {
                _ if line.starts_with('#') => reason = true,
                "" | "require {" => reason = line == "require {",
                _ => assert!(reason || !is_rule, "{path}:{number}: {line}"),
            }
        }
    }
    // What the module has types for is where the programs have it.
    for directory in [
        "/etc/login-jail",
        "/var/log/login-jail",
        "/var/lib/login-jail",
        "/run/login-jail",
    ] {
        assert!(
            source("selinux/login_jail.fc").contains(&format!("\n{directory}(/.*)?\t")),
            "{directory}"
        );
    }
    let shipped: PathBuf = Path::new(REPOSITORY).join("Makefile");
    let makefile = fs::read_to_string(shipped).expect("Makefile");
    assert!(makefile.contains("packaging/selinux/*") && makefile.contains("packaging/apparmor/*"));
}
