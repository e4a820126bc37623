//! The Debian package, by dpkg: nobody is jailed or let out by installing, upgrading or removing it, and what is in it is
//! what was meant to be.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test reports by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, roots, skipped};
use serde_json::Value;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What `make build` has built, by the names that are shipped.
const PROGRAMS: [(&str, &str, &str); 3] = [
    ("jail-shell", "jail-shell", "target/setuid/jail-shell"),
    ("pam_jail.so", "pam-module", "target/module/libpam_jail.so"),
    ("jailctl", "jailctl", "target/tool/jailctl"),
];

/// Runs a program of this machine in the repository, and gives what it says.
#[track_caller]
fn output(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(REPOSITORY);
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("start {program}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {said}{errors}");
    said
}

fn is_there(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output();
    found.is_ok_and(|found| found.status.success())
}

/// The package, built once for all tests; or that it can't be, which is said.
fn package(test: &str) -> Option<&'static str> {
    static PACKAGE: OnceLock<Option<String>> = OnceLock::new();
    let built = PACKAGE.get_or_init(|| {
        if !is_there("dpkg-shlibdeps") {
            return None;
        }
        let path = output("packaging/deb", &[]);
        let path = fs::canonicalize(Path::new(REPOSITORY).join(path.trim_end()));
        path.ok().map(|path| path.display().to_string())
    });
    if built.is_none() {
        skipped(
            test,
            "this machine has no dpkg-shlibdeps (package dpkg-dev)",
        );
    }
    built.as_deref()
}

/// A machine that has the package, and a user ann whose shell is jail-shell, with a root and without a rule.
fn installed(package: &str) -> Sandbox {
    let sandbox = Sandbox::bare().user_with_shell("ann", JAIL_SHELL);
    sandbox.must("rm -rf /etc/login-jail /usr/bin/jail-shell");
    sandbox.must(&format!("dpkg -i {package}"));
    sandbox
}

/// The same with a rule for her, as an administrator writes one.
fn jailing(package: &str) -> Sandbox {
    installed(package).jailed("ann").root(roots::busybox())
}

/// Makes of the package the next version, with another sample config, in the sandbox.
fn next_version(sandbox: &Sandbox, package: &str) {
    sandbox.must(&format!(
        "dpkg-deb -R {package} /tmp/next
         sed -i 's/^Version: .*/Version: 9.9/' /tmp/next/DEBIAN/control
         echo '# the next sample' >>/tmp/next/etc/login-jail/config.toml
         echo >>/tmp/next/usr/share/doc/login-jail/copyright
         dpkg-deb -Znone -b /tmp/next /tmp/next.deb"
    ));
}

/// Insists on a login that does not come about, without anything having run.
#[track_caller]
fn shut_out(outcome: &Outcome) {
    assert!(!outcome.status.success(), "{outcome}");
    assert!(!outcome.stdout.contains("ran"), "{outcome}");
}

#[test]
fn installing_it_jails_nobody_and_serves_nobody() {
    let Some(package) = package("installing the package") else {
        return;
    };
    let sandbox = installed(package).plain_user("bob");
    assert_eq!(
        sandbox.must(
            "stat -c '%A %U %G %n' /usr/bin/jail-shell /usr/sbin/jailctl /usr/libexec/login-jail/stand-in /usr/lib/*/security/pam_jail.so \
             /etc/login-jail /etc/login-jail/users.d /etc/login-jail/config.toml | sed 's,/usr/lib/[^/]*,LIB,'"
        ),
        "-rwsr-xr-x root root /usr/bin/jail-shell\n\
         -rwxr-xr-x root root /usr/sbin/jailctl\n\
         -rwxr-xr-x root root /usr/libexec/login-jail/stand-in\n\
         -rw-r--r-- root root LIB/security/pam_jail.so\n\
         drwxr-xr-x root root /etc/login-jail\n\
         drwxr-xr-x root root /etc/login-jail/users.d\n\
         -rw-r--r-- root root /etc/login-jail/config.toml"
    );
    sandbox.ssh("ann", "id").refused(102, "no-rule");
    assert_eq!(sandbox.ssh("bob", "id -un").ok(), "bob");
    assert_eq!(sandbox.sh("grep -c jail-shell /etc/shells").stdout, "0\n");
    assert_eq!(sandbox.sh("grep -l pam_jail /etc/pam.d/*").stdout, "");
}

#[test]
fn whoever_is_jailed_is_shut_out_while_it_is_away_and_jailed_when_it_is_back() {
    let Some(package) = package("removing the package") else {
        return;
    };
    let sandbox = jailing(package);
    assert_eq!(sandbox.ssh("ann", "ls /srv 2>&1; echo ran").code(), Some(0));

    let removed = sandbox.sh("dpkg --remove login-jail");
    removed.ok();
    let said =
        "these accounts can't log in, because their login shell jail-shell is missing: ann\n";
    assert!(removed.stderr.contains(said), "{removed}");
    sandbox.must("test ! -e /usr/bin/jail-shell; test ! -e /usr/sbin/jailctl; test ! -e /usr/libexec/login-jail");
    shut_out(&sandbox.ssh("ann", "echo ran"));
    shut_out(&sandbox.su_dash_c("ann", "echo ran"));
    assert!(
        sandbox
            .read("/etc/passwd")
            .contains("ann:/usr/bin/jail-shell"),
        "never changed"
    );

    sandbox.must(&format!("dpkg -i {package}"));
    let inside = sandbox.ssh("ann", "echo ran; ls -d /srv/jails");
    assert_eq!(
        inside.stdout, "ran\n",
        "her rule was kept, she is in her root: {inside}"
    );
}

#[test]
fn a_purge_takes_the_config_and_keeps_the_rules_of_accounts_that_are_left() {
    let Some(package) = package("purging the package") else {
        return;
    };
    let sandbox = jailing(package);
    sandbox.must("cp /etc/login-jail/config.toml /tmp/; echo 'jail = \"ann\"' >/etc/login-jail/users.d/ann.toml");
    let purged = sandbox.sh("dpkg --purge login-jail");
    purged.ok();
    assert!(purged.stderr.contains("as login shell: ann\n"), "{purged}");
    assert_eq!(
        sandbox.must("cd /etc/login-jail; find . -type f"),
        "./users.d/ann.toml"
    );
    sandbox.must("test -d /srv/jails/ann");

    // Back again it starts from the sample: she is refused, and not let out.
    sandbox.must(&format!("dpkg -i {package}"));
    shut_out(&sandbox.ssh("ann", "echo ran"));

    // A directory service has accounts that it does not list.
    sandbox.must("usermod -s /bin/bash ann");
    sandbox.must(
        "cat >/usr/local/sbin/getent <<'END'
#!/bin/sh
if [ \"$#\" = 3 ]; then [ \"$3\" = ann ] && echo ann:x:9:9::/:/usr/bin/jail-shell; else exec /usr/bin/getent \"$@\"; fi
END
         chmod 755 /usr/local/sbin/getent",
    );
    let purged = sandbox.sh("PATH=/usr/local/sbin:$PATH dpkg --purge login-jail");
    assert!(purged.stderr.contains("as login shell: ann\n"), "{purged}");
    sandbox.must("test -e /etc/login-jail/users.d/ann.toml; rm /usr/local/sbin/getent");
    sandbox.must(&format!("dpkg -i {package}"));

    // Without such accounts all of it goes, and nothing is said to stay.
    let purged = sandbox.sh("dpkg --purge login-jail");
    assert!(
        !purged.ok().contains("stay") && !purged.stderr.contains("stay"),
        "{purged}"
    );
    sandbox
        .must("test ! -e /etc/login-jail; test ! -e /var/lib/login-jail; test -d /srv/jails/ann");
}

#[test]
fn an_upgrade_asks_dpkg_about_a_changed_config_and_keeps_an_overridden_mode() {
    let Some(package) = package("upgrading the package") else {
        return;
    };
    let sandbox = jailing(package);
    next_version(&sandbox, package);
    let mine = sandbox.read("/etc/login-jail/config.toml");
    sandbox.must(
        "groupadd logins; dpkg-statoverride --update --add root logins 4750 /usr/bin/jail-shell",
    );

    sandbox.must("dpkg --force-confold -i /tmp/next.deb");
    assert_eq!(sandbox.read("/etc/login-jail/config.toml"), mine);
    assert!(
        sandbox
            .read("/etc/login-jail/config.toml.dpkg-dist")
            .contains("# the next sample")
    );
    assert_eq!(
        sandbox.must("stat -c '%a %G' /usr/bin/jail-shell"),
        "4750 logins"
    );
    sandbox.must("usermod -aG logins ann");
    assert_eq!(sandbox.ssh("ann", "echo ran").stdout, "ran\n");

    sandbox.must(&format!(
        "dpkg --force-confold -i {package}; dpkg --force-confnew -i /tmp/next.deb"
    ));
    assert_eq!(sandbox.read("/etc/login-jail/config.toml.dpkg-old"), mine);
    // The sample has no rule for her: refused, by a config that was asked for.
    sandbox.ssh("ann", "echo ran").refused(102, "no-rule");
}

#[test]
fn sessions_that_are_live_during_an_upgrade_go_on() {
    let Some(package) = package("sessions during an upgrade") else {
        return;
    };
    let sandbox = jailing(package).plain_user("bob");
    next_version(&sandbox, package);
    sandbox.must("install -d -o bob -g bob /srv/jails/bob/home/bob");
    let rule = "\n[jails.bob]\nroot = \"/srv/jails/bob\"\nbase = \"host\"\nshell = \"/bin/bash\"\n";
    sandbox.must("sed -i '/^\\[users\\]/a bob = \"bob\"' /etc/login-jail/config.toml");
    sandbox
        .run_with(
            &["tee", "-a", "/etc/login-jail/config.toml"],
            rule.as_bytes(),
        )
        .ok();
    sandbox.must(
        "for type in account session; do echo \"$type required pam_jail.so\"; done >>/etc/pam.d/su",
    );

    let mut shell = sandbox.ssh_tty("ann", None);
    shell.line("echo be''fore").expect("before\r\n");
    // su(1) as root: it has the module loaded until the session is closed.
    let mut behind_pam = sandbox.terminal(&[
        "su",
        "bob",
        "-c",
        "echo rea''dy; read line; echo got $line; test ! -e /srv/jails",
    ]);
    behind_pam.expect("ready\r\n");

    sandbox.must("dpkg --force-confold -i /tmp/next.deb");
    shell
        .line("echo af''ter; ls -d /srv/jails; exit 7")
        .expect("after\r\n");
    assert_eq!(shell.finish().code(), Some(7));
    behind_pam.line("it").expect("got it\r\n");
    let ended = behind_pam.finish();
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert_eq!(
        sandbox.ssh("ann", "echo ran").stdout,
        "ran\n",
        "and new ones come about"
    );
}

#[test]
fn removing_it_is_refused_while_a_stack_names_the_module() {
    let Some(package) = package("removing the package from under PAM") else {
        return;
    };
    let sandbox = installed(package).plain_user("bob");
    let remove = |forced: &str| sandbox.sh(&format!("{forced} dpkg --remove login-jail"));
    let stack = |line: &str| {
        sandbox.must(&format!(
            "sed -i '/pam_jail/d; /@include.*jail/d' /etc/pam.d/su; echo '{line}' >>/etc/pam.d/su"
        ))
    };
    let force = "LOGIN_JAIL_REMOVE=lock-out";

    for line in [
        "session optional pam_jail.so",
        "-session required pam_jail.so",
        "session [success=ok default=ignore] /lib/security/pam_jail.so",
        "auth required pam_permit.so\nsession sufficient pam_jail.so",
    ] {
        stack(line);
        let refused = remove(force);
        assert_ne!(refused.code(), Some(0), "{line}: {refused}");
        assert!(
            refused.stderr.contains("let users in without a jail"),
            "{line}: {refused}"
        );
        let last = line.lines().last().unwrap_or_default();
        assert!(refused.stderr.contains(last), "{line}: {refused}");
        sandbox.must("test -u /usr/bin/jail-shell; ls /usr/lib/*/security/pam_jail.so");
    }
    // Included from below, from elsewhere, and where libpam looks besides.
    stack("@include local.d/jail\n@include /srv/jail");
    let optional = "session optional pam_jail.so";
    for file in [
        "/etc/pam.d/local.d/jail",
        "/srv/jail",
        "/usr/lib/pam.d/trial",
    ] {
        sandbox.must(
            "mkdir -p /etc/pam.d/local.d /usr/lib/pam.d; : >/etc/pam.d/local.d/jail; : >/srv/jail",
        );
        sandbox.must(&format!("echo '{optional}' >{file}"));
        let refused = remove(force);
        assert_ne!(refused.code(), Some(0), "{file}: {refused}");
        assert!(refused.stderr.contains(file), "{file}: {refused}");
        sandbox.must(&format!("rm {file}"));
    }
    stack("session required pam_jail.so");
    let refused = remove("");
    assert_ne!(refused.code(), Some(0), "{refused}");
    assert!(refused.stderr.contains("/etc/pam.d/su:"), "{refused}");
    sandbox.must("ls /usr/lib/*/security/pam_jail.so");

    let removed = remove(force);
    removed.ok();
    assert!(
        removed
            .stderr
            .contains("without pam_jail.so the lines that name it lock everybody out"),
        "{removed}"
    );
    shut_out(&sandbox.su_c("bob", "echo ran"));
    // Why the lines above are refused even so: with the module missing they let bob pass.
    stack("session optional pam_jail.so");
    assert_eq!(sandbox.su_c("bob", "echo ran").stdout, "ran\n");
}

#[test]
fn removing_it_names_whoever_only_the_pam_lines_have_jailed() {
    let Some(package) = package("naming whom PAM lines have jailed") else {
        return;
    };
    // ann has jail-shell, bob an ordinary shell, eve none; carl has no rule.
    let sandbox = installed(package)
        .plain_user("bob")
        .plain_user("carl")
        .user_with_shell("eve", "/usr/sbin/nologin");
    sandbox.must("install -d /srv/jails/bob/home/bob");
    let config = "exempt = [\"root\", \"carl\"]\n[users]\nann = \"/srv/jails/ann\"\nbob = \"/srv/jails/bob\"\neve = \"/srv/jails/eve\"\n";
    sandbox.write("/etc/login-jail/config.toml", config);
    sandbox.must("echo 'session required pam_jail.so' >>/etc/pam.d/su");
    let remove = || sandbox.sh("dpkg --remove login-jail");
    let refused = remove();
    assert_ne!(refused.code(), Some(0), "{refused}");
    let named = "ordinary login shell, and are not jailed then: bob\n";
    assert!(refused.stderr.contains(named), "{refused}");

    // With a config that can't be read nobody is known, and that is said.
    sandbox.must("sed -i /pam_jail/d /etc/pam.d/su; cp -r /etc/login-jail /srv/kept; echo x >/etc/login-jail/config.toml");
    let removed = remove();
    removed.ok();
    assert!(
        removed
            .stderr
            .contains("it is not known which accounts have a rule"),
        "{removed}"
    );
    assert!(
        removed
            .stderr
            .contains("login shell jail-shell is missing: ann\n"),
        "{removed}"
    );
    sandbox.must(&format!(
        "dpkg -i {package}; cp /srv/kept/config.toml /etc/login-jail/"
    ));

    let removed = remove();
    removed.ok();
    let named = "ordinary login shell, and are not jailed without login-jail: lock them (usermod -L -e 1 NAME): bob\n";
    assert!(removed.stderr.contains(named), "{removed}");
    assert!(
        removed
            .stderr
            .contains("login shell jail-shell is missing: ann\n"),
        "{removed}"
    );
}

#[test]
fn lines_that_are_comments_or_kept_by_dpkg_do_not_hold_it() {
    let Some(package) = package("removing the package beside comments") else {
        return;
    };
    let sandbox = installed(package);
    sandbox.must(
        "echo '# session required pam_jail.so' >>/etc/pam.d/su
         echo 'session required pam_jail.so' >/etc/pam.d/su.dpkg-old
         dpkg --remove login-jail",
    );
}

#[test]
fn lintian_finds_no_error() {
    let Some(package) = package("lintian") else {
        return;
    };
    if !is_there("lintian") {
        return skipped("lintian", "it is not installed");
    }
    let said = output(
        "lintian",
        &["--allow-root", "--fail-on", "error,warning", package],
    );
    assert_eq!(said, "");
}

#[test]
fn its_units_are_understood_by_systemd_and_none_is_enabled() {
    let Some(package) = package("units of systemd") else {
        return;
    };
    if !is_there("systemd-analyze") {
        return skipped("units of systemd", "there is no systemd-analyze");
    }
    let sandbox = installed(package);
    sandbox.must("test -z \"$(find /etc/systemd /var/lib/systemd -name 'login-jail*')\"");
    let verify = "cd /usr/lib/systemd/system; ls login-jail-* | wc -l; systemd-analyze verify --man=no ./login-jail-* 2>&1 | grep login-jail || true";
    assert_eq!(sandbox.must(verify), "6");
    // What is hardened is not loosened by accident: 0 is the best, and 10 the worst.
    for (unit, most) in [("metrics", 60), ("update", 45)] {
        let judged = sandbox.sh(&format!(
            "systemd-analyze security --offline=true --threshold={most} login-jail-{unit}.service"
        ));
        assert_eq!(judged.code(), Some(0), "{judged}");
    }
}

#[test]
fn the_changelog_has_the_version_of_the_programs() {
    let changelog = fs::read_to_string(Path::new(REPOSITORY).join("packaging/dpkg/changelog"));
    let first = changelog.expect("the changelog");
    let expected = concat!("login-jail (", env!("CARGO_PKG_VERSION"), ")");
    assert!(first.starts_with(expected), "{first}");
}

#[test]
fn what_is_shipped_names_no_directory_of_the_machine_that_built_it() {
    let repository = fs::canonicalize(REPOSITORY).expect("the repository");
    let home = std::env::var("CARGO_HOME")
        .map(PathBuf::from)
        .unwrap_or_else(|_| {
            PathBuf::from(std::env::var("HOME").unwrap_or_default()).join(".cargo")
        });
    for (name, _, path) in PROGRAMS {
        let bytes = fs::read(repository.join(path)).expect("built by `make build`");
        for directory in [&repository, &home] {
            let directory = directory.as_os_str().as_encoded_bytes();
            let found = bytes
                .windows(directory.len())
                .any(|bytes| bytes == directory);
            let directory = String::from_utf8_lossy(directory);
            assert!(
                !found,
                "{name} has {directory} in it: built by other means than `make build`?"
            );
        }
    }
}

/// The crates that cargo links into a package, as `name version`, its own workspace's aside.
fn linked(package: &str, edges: &str) -> BTreeSet<String> {
    let tree = output(
        "cargo",
        &[
            "tree", "--locked", "-p", package, "-e", edges, "--prefix", "none",
        ],
    );
    // A path in parentheses: a crate of this workspace, which has no version of its own.
    tree.lines()
        .filter(|line| !line.contains("(/"))
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some(format!(
                "{} {}",
                words.next()?,
                words.next()?.strip_prefix('v')?
            ))
        })
        .collect()
}

#[test]
fn each_program_comes_with_the_list_of_what_is_linked_into_it() {
    let Some(package) = package("the lists of crates") else {
        return;
    };
    let unpacked = Path::new(REPOSITORY).join("target/packages/unpacked");
    fs::remove_dir_all(&unpacked).ok();
    let target = unpacked.display().to_string();
    output("dpkg-deb", &["-x", package, &target]);
    for (program, crate_name, _) in PROGRAMS {
        let path = unpacked.join(format!("usr/share/doc/login-jail/sbom/{program}.cdx.json"));
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let bill: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(bill["bomFormat"], "CycloneDX");
        assert_eq!(bill["metadata"]["component"]["name"], program);
        let components = bill["components"].as_array().expect("components");
        let listed: BTreeSet<String> = components
            .iter()
            .filter(|component| component["scope"] == "required" && !component["hashes"].is_null())
            .map(|component| {
                format!(
                    "{} {}",
                    component["name"].as_str().unwrap_or_default(),
                    component["version"].as_str().unwrap_or_default()
                )
            })
            .collect();
        assert_eq!(
            listed,
            linked(crate_name, "normal,no-proc-macro"),
            "{program}"
        );
    }
    fs::remove_dir_all(&unpacked).ok();
}

#[test]
fn completions_are_there_for_each_shell_that_asks() {
    let Some(package) = package("completions") else {
        return;
    };
    let sandbox = installed(package);
    let fish = "complete --do-complete 'jailctl exp' | cut -f1";
    let zsh = "autoload -Uz compinit; compinit -u -d /tmp/dump; print $_comps[jailctl]; autoload +X _jailctl";
    let bash =
        ". /usr/share/bash-completion/completions/jailctl; complete -p jailctl | grep -o _jailctl";
    for (shell, script, expected) in [
        ("bash", bash, "_jailctl"),
        ("fish", fish, "explain"),
        ("zsh", zsh, "_jailctl"),
    ] {
        if is_there(shell) {
            let completed = sandbox.run(&[shell, "-c", script]);
            assert_eq!(completed.ok(), expected, "{completed}");
        } else {
            skipped(&format!("completions for {shell}"), "it is not installed");
        }
    }
}

#[test]
fn the_rpm_package_has_the_same_files_with_the_same_modes() {
    if !is_there("rpmbuild") {
        return skipped("the RPM package", "this machine has no rpmbuild");
    }
    let path = output("packaging/rpm/build", &[]);
    let listed = output("rpm", &["-qplv", path.trim_end()]);
    let found: Vec<String> = listed
        .lines()
        .filter(|line| !line.contains("/usr/share/"))
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            [words[0], words[2], words[3], words[words.len() - 1]].join(" ")
        })
        .collect();
    assert_eq!(
        found,
        [
            "drwxr-xr-x root root /etc/login-jail",
            "-rw-r--r-- root root /etc/login-jail/config.toml",
            "drwxr-xr-x root root /etc/login-jail/users.d",
            "-rw-r--r-- root root /etc/logrotate.d/login-jail",
            "-rwsr-xr-x root root /usr/bin/jail-shell",
            "-rw-r--r-- root root /usr/lib/systemd/system/login-jail-check.service",
            "-rw-r--r-- root root /usr/lib/systemd/system/login-jail-check.timer",
            "-rw-r--r-- root root /usr/lib/systemd/system/login-jail-metrics.service",
            "-rw-r--r-- root root /usr/lib/systemd/system/login-jail-metrics.timer",
            "-rw-r--r-- root root /usr/lib/systemd/system/login-jail-update.service",
            "-rw-r--r-- root root /usr/lib/systemd/system/login-jail-update.timer",
            "-rw-r--r-- root root /usr/lib64/security/pam_jail.so",
            "drwxr-xr-x root root /usr/libexec/login-jail",
            "-rwxr-xr-x root root /usr/libexec/login-jail/stand-in",
            "-rwxr-xr-x root root /usr/sbin/jailctl",
            "drwx------ root root /var/log/login-jail",
        ]
    );
    let config = output("rpm", &["-qpc", path.trim_end()]);
    assert_eq!(
        config,
        "/etc/login-jail/config.toml\n/etc/logrotate.d/login-jail\n"
    );
    let licences = output("rpm", &["-qpL", path.trim_end()]);
    let shipped = "/usr/share/licenses/login-jail";
    let both = format!("{shipped}/LICENSE-APACHE\n{shipped}/LICENSE-MIT\n");
    assert_eq!(licences, both);

    let sandbox = Sandbox::bare().user_with_shell("ann", JAIL_SHELL);
    let path = fs::canonicalize(Path::new(REPOSITORY).join(path.trim_end())).expect("it");
    let path = path.display();
    // The machine's packages are dpkg's: rpm knows none of them.
    sandbox.must(&format!(
        "rm -rf /etc/login-jail /usr/bin/jail-shell; rpm --initdb; rpm -i --nodeps {path}"
    ));
    sandbox.must("echo 'session required pam_jail.so' >>/etc/pam.d/su");
    let refused = sandbox.run(&["rpm", "-e", "login-jail"]);
    assert_ne!(refused.code(), Some(0), "{refused}");
    sandbox.must("test -u /usr/bin/jail-shell; sed -i /pam_jail/d /etc/pam.d/su");
    let removed = sandbox.run(&["rpm", "-e", "login-jail"]);
    removed.ok();
    assert!(
        removed.stderr.contains("jail-shell is missing: ann\n"),
        "{removed}"
    );
    sandbox.must("test ! -e /usr/bin/jail-shell");
}

/// Two release builds take minutes: `make test-long` has it.
#[test]
#[ignore = "two builds of everything"]
fn a_build_in_another_directory_gives_the_same_bytes() {
    let said = output("packaging/reproducible", &[]);
    assert!(said.ends_with("the same\n"), "{said}");
}

/// The rows of docs/audit.md: the crate, what it is in, and what it has of a build script or a macro.
fn audited() -> BTreeSet<[String; 3]> {
    let path = Path::new(REPOSITORY).join("docs/audit.md");
    let page = fs::read_to_string(path).expect("the page");
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    cells
        .filter(|cells| cells[1] != "crate")
        .map(|cells| [1, 2, 6].map(|cell| cells[cell].to_owned()))
        .collect()
}

/// What cargo says of each crate that runs when a package is compiled: whether it has a build script, or is a macro.
fn built_with() -> impl Fn(&str) -> String {
    let metadata = output("cargo", &["metadata", "--locked", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    move |crate_name| {
        let packages = metadata["packages"].as_array().expect("packages");
        let named = |package: &&Value| {
            let [name, version] = ["name", "version"].map(|key| package[key].as_str());
            crate_name.split_once(' ') == name.zip(version)
        };
        let package = packages.iter().find(named).expect("a package of that name");
        let targets = package["targets"].to_string();
        let kinds = [("proc-macro", "macro"), ("custom-build", "yes")];
        let found = kinds
            .iter()
            .find(|(kind, _)| targets.contains(&format!("\"{kind}\"")));
        found.map_or("no", |(_, said)| said).to_owned()
    }
}

#[test]
fn the_audit_has_each_crate_that_privileged_programs_are_made_of() {
    let shell = linked("jail-shell", "normal,build");
    let module = linked("pam-module", "normal,build");
    let built = built_with();
    let expected: BTreeSet<[String; 3]> = shell
        .union(&module)
        .map(|name| {
            let of = match (shell.contains(name), module.contains(name)) {
                (true, true) => "both",
                (true, false) => "jail-shell",
                (false, _) => "pam_jail.so",
            };
            [name.clone(), of.to_owned(), built(name)]
        })
        .collect();
    assert_eq!(audited(), expected);
}
