//! What the manual tells an administrator to type does what the manual says: the examples are taken out of the pages and
//! run as they stand there.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use login_jail_tests::{JAIL_SHELL, Sandbox, skipped};

const JAIL_SHELL_8: &str = include_str!("../../../packaging/man/jail-shell.8");
const LOGIN_JAIL_7: &str = include_str!("../../../packaging/man/login-jail.7");
const PAM_JAIL_8: &str = include_str!("../../../packaging/man/pam_jail.8");
const CONFIG_5: &str = include_str!("../../../packaging/man/login-jail.toml.5");

/// Gives the examples of a page, each as a reader sees it.
fn examples(page: &str) -> Vec<String> {
    page.split("\n.nf\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("\n.fi\n"))
        .map(|(example, _)| {
            [(r"\-", "-"), (r"\(dq", "\""), (r"\e", "\\"), (r"\&", "")]
                .iter()
                .fold(example.to_owned(), |text, (from, to)| {
                    text.replace(from, to)
                })
        })
        .collect()
}

/// Gives the one example of a page that has all of `parts`.
#[track_caller]
fn example(page: &str, parts: &[&str]) -> String {
    let mut found = examples(page);
    found.retain(|example| parts.iter().all(|part| example.contains(part)));
    assert_eq!(found.len(), 1, "examples with {parts:?}: {found:#?}");
    found.remove(0)
}

/// ann with a root that is not there yet, in a jail with these keys.
fn without_root(keys: &str) -> Sandbox {
    Sandbox::new()
        .user_with_shell("ann", JAIL_SHELL)
        .config(&format!(
            "[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{{user}}\"\n{keys}\n"
        ))
}

#[test]
fn the_manual_names_all_that_a_jail_shows_of_the_hosts_etc() {
    let (_, list) = CONFIG_5.split_once("everybody may read them,\n").unwrap();
    let (list, _) = list.split_once(".\nThe key\n.B etc\n").unwrap();
    let list = list
        .replace('\n', " ")
        .replace(r"\-", "-")
        .replace(" and ", ", ");
    let mut named: Vec<&str> = list.split(", ").collect();
    named.sort_unstable();
    assert_eq!(named, jail::world::host_etc::names::SHOWN);
}

#[test]
fn a_root_for_the_hosts_system_is_made_as_the_manual_says() {
    let sandbox = without_root("base = \"host\"");
    sandbox.must(&example(JAIL_SHELL_8, &["R=", "755 $R $R/home"]));
    assert_eq!(
        sandbox.su_dash_c("ann", "touch mine; pwd; ls").ok(),
        "/home/ann\nmine"
    );
}

#[test]
fn the_shortest_way_to_a_jail_is_as_the_manual_says() {
    let sandbox = Sandbox::new().config("exempt = [\"root\"]\n");
    // What check finds of the machine's other doors is not the example's affair.
    let commands =
        example(LOGIN_JAIL_7, &["jailctl add", "END"]).replace("jailctl check ann", "true");
    sandbox.must(&commands);
    let seen = sandbox.su_dash_c("ann", "pwd; ls /home; ls -d /srv || true");
    assert_eq!(seen.ok(), "/home/ann\nann");
}

#[test]
fn a_root_of_busybox_is_made_as_the_manual_says() {
    let sandbox = without_root("");
    let recipe = example(JAIL_SHELL_8, &["busybox"]);
    sandbox.must(&recipe);
    let seen = "id -un; pwd; echo x >/dev/null && ls -d /bin/busybox; touch /tmp/mine mine; ls";
    assert_eq!(
        sandbox.su_dash_c("ann", seen).ok(),
        "ann\n/home/ann\n/bin/busybox\nmine"
    );
    let more = example(JAIL_SHELL_8, &["ldd /bin/bash"]);
    sandbox.must(&format!("R=/srv/jails/ann\n{more}"));
    let bash = "/bin/bash -c 'echo $BASH'";
    assert_eq!(sandbox.su_dash_c("ann", bash).ok(), "/bin/bash");
}

#[test]
fn a_shell_that_is_a_link_to_itself_is_named_so() {
    let sandbox = without_root("")
        .with("mkdir -p /srv/jails/ann/bin; ln -s busybox /srv/jails/ann/bin/busybox")
        .with("ln -s busybox /srv/jails/ann/bin/sh");
    sandbox
        .su_dash_c("ann", "true")
        .refused(113, "shell-missing");
    sandbox.logged_last(&["find /bin/sh in the jail: it is a link that leads in a circle"]);
}

#[test]
fn the_drop_box_serves_sftp_and_nothing_else() {
    let sandbox = Sandbox::new()
        .plain_user("ann")
        .config(&example(CONFIG_5, &["sftponly = ", "limits"]))
        .sshd(&example(CONFIG_5, &["Match Group sftponly"]));
    sandbox.must(&example(CONFIG_5, &["usermod", "sftponly"]));
    sandbox.write("/tmp/letter", "dear all\n");
    let seen = sandbox.sftp("ann", "put /tmp/letter letter\npwd\nls\n");
    assert!(seen.ok().contains("/home/ann"), "{seen}");
    assert_eq!(sandbox.read("/srv/drop/ann/home/ann/letter"), "dear all");
    sandbox.scp(&["/tmp/letter", "ann@127.0.0.1:new"]).ok();
    let shell = sandbox.ssh("ann", "touch old; echo served");
    assert!(!shell.stdout.contains("served"), "{shell}");
    assert_eq!(
        sandbox.must("ls /srv/drop/ann/home/ann /home/ann"),
        "/home/ann:\n\n/srv/drop/ann/home/ann:\nletter\nnew"
    );
}

#[test]
fn the_drop_box_serves_more_with_more_commands() {
    let config = example(CONFIG_5, &["sftponly = ", "limits"]);
    let list = "commands = [\"sftp\"]";
    assert!(config.contains(list), "{config}");
    let more = "commands = [\"sftp\", \"scp\", \"rsync\"]";
    let sandbox = Sandbox::new()
        .plain_user("ann")
        .config(&config.replace(list, &format!("{more}\nbase = \"host\"")))
        .sshd(&example(CONFIG_5, &["Match Group sftponly"]));
    sandbox.must(&example(CONFIG_5, &["usermod", "sftponly"]));
    sandbox.write("/tmp/letter", "dear all\n");
    sandbox
        .scp(&["-O", "/tmp/letter", "ann@127.0.0.1:old"])
        .ok();
    assert_eq!(sandbox.read("/srv/drop/ann/home/ann/old"), "dear all");
    assert_eq!(sandbox.ssh("ann", "ls").code(), Some(1));
}

#[test]
fn homes_that_are_there_are_kept_as_the_manual_says() {
    let sandbox = Sandbox::new()
        .user_with_shell("ann", JAIL_SHELL)
        .with("mkdir -p /srv/jails/ann; echo before >/home/ann/file; chown ann: /home/ann/file")
        .config(&example(CONFIG_5, &["jails.kept"]));
    let seen = sandbox.su_dash_c("ann", "pwd; cat file; echo after >file; ls -A /home");
    assert_eq!(seen.ok(), "/home/ann\nbefore\nann");
    assert_eq!(sandbox.read("/home/ann/file"), "after");
}

#[test]
fn a_change_is_tried_as_the_manual_says() {
    let sandbox = without_root("base = \"host\"").with("mkdir -p /srv/jails/ann/home");
    let commands = example(CONFIG_5, &["/root/new/config.toml"]);
    // What check finds of the machine's other doors is not the example's affair.
    let tried = commands
        .replace("editor", "sed -i '/^base/a umask = \"027\"'")
        .replace("check ann", "check ann || test $? = 1")
        .replace("--steps ann", "--steps ann || test $? = 1");
    let seen = sandbox.must(&tried);
    assert!(seen.contains("set the umask to 027"), "{seen}");
    assert_eq!(sandbox.su_dash_c("ann", "umask").ok(), "0027");
    let back = "cd /etc/login-jail && mv config.toml~ config.toml";
    assert!(CONFIG_5.contains("mv config.toml~ config.toml"));
    sandbox.must(back);
    assert_eq!(sandbox.su_dash_c("ann", "umask").ok(), "0022");
}

/// Renders a page for a terminal and for paper, and gives what man(1) complains of.
fn complaints(page: &Path) -> String {
    let render = |device: &[&str]| {
        let output = Command::new("man")
            .env("MANWIDTH", "80")
            .arg("--warnings")
            .args(device)
            .arg("-l")
            .arg(page)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    render(&[]) + &render(&["-Tutf8"])
}

fn pages() -> Vec<PathBuf> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/man");
    let mut pages: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    pages.sort();
    pages
}

#[test]
fn every_page_fits_a_terminal_and_paper() {
    if Command::new("man").arg("--version").output().is_err() {
        skipped("man pages that fit", "there is no man(1)");
        return;
    }
    for page in pages() {
        assert_eq!(complaints(&page), "", "{}", page.display());
    }
}

#[test]
fn every_page_of_ours_that_is_referred_to_is_there() {
    let pages = pages();
    let names: Vec<String> = pages
        .iter()
        .map(|page| page.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    let documents = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");
    let documents = ["", "/how-to"].map(|it| fs::read_dir(format!("{documents}{it}")).unwrap());
    let documents = documents.into_iter().flatten();
    let documents = documents.map(|file| file.unwrap().path());
    let documents = documents.filter(|file| file.extension().is_some_and(|it| it == "md"));
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let mut seen = 0;
    for page in pages.iter().cloned().chain(documents).chain([readme]) {
        let text = fs::read_to_string(&page)
            .unwrap()
            .replace("\\-", "-")
            .replace("\\fB", "")
            .replace("\\fI", "")
            .replace("\\fR", "")
            .replace(" (", "(");
        for (at, _) in text.match_indices(['j', 'p', 'l']) {
            let rest = &text[at..];
            let ours = ["jail-shell", "jailctl", "pam_jail", "login-jail"];
            let before = text[..at].chars().next_back();
            if !ours.iter().any(|name| rest.starts_with(name))
                || before.is_some_and(|before| before.is_alphanumeric() || "-_/.".contains(before))
            {
                continue;
            }
            let Some((name, behind)) = rest.split_once('(') else {
                continue;
            };
            let section = behind.split(')').next().unwrap();
            if name.contains(char::is_whitespace) || !["5", "7", "8"].contains(&section) {
                continue;
            }
            seen += 1;
            let file = format!("{name}.{section}");
            assert!(
                names.contains(&file),
                "{}: {name}({section})",
                page.display()
            );
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn every_config_in_the_manual_is_one() {
    let configs: Vec<_> = examples(CONFIG_5)
        .into_iter()
        .filter(|example| example.contains("[jails."))
        .collect();
    assert!(configs.len() > 4, "{configs:#?}");
    for config in configs {
        let parsed = jail_config::Policy::parse(Path::new("config.toml"), config.as_bytes());
        assert!(parsed.is_ok(), "{config}: {parsed:?}");
    }
}

/// Every key that the config has: a seed of the fuzzer, which the parser takes.
const EVERY_KEY: &str = include_str!("../../../fuzz/corpus/config/every-key.toml");

/// Gives the words that stand before a `=`, besides those in tables of names.
fn keys(config: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut named = false;
    for line in config.lines() {
        if line.starts_with('[') {
            named = ["[users]", "[groups]"].contains(&line);
        }
        if named {
            continue;
        }
        let (line, _) = line.split_once(" set = ").unwrap_or((line, ""));
        for part in line.split('=').rev().skip(1) {
            let word = part.trim_end().rsplit([' ', '{', ',']).next().unwrap();
            if !word.contains('.') {
                found.insert(word.to_owned());
            }
        }
    }
    found
}

#[test]
fn every_key_and_option_has_an_example() {
    let shown: BTreeSet<String> = examples(CONFIG_5).iter().flat_map(|it| keys(it)).collect();
    let all = keys(EVERY_KEY);
    assert!(all.len() > 25, "{all:?}");
    let missing: Vec<_> = all.difference(&shown).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for (page, options) in [
        (PAM_JAIL_8, &["config=", "debug", "quiet"]),
        (JAIL_SHELL_8, &["-c ", "--help", "--version"]),
    ] {
        for option in options {
            assert!(
                examples(page).iter().any(|it| it.contains(option)),
                "{option}"
            );
        }
    }
}

#[test]
fn what_jail_shell_is_asked_by_hand_it_answers() {
    let sandbox = without_root("base = \"host\"");
    sandbox.must("mkdir -p /srv/jails/ann/home");
    let shown = sandbox.must(&example(JAIL_SHELL_8, &["--version", "--help"]));
    assert!(
        shown.starts_with("bin\n") && shown.contains("jail-shell 0."),
        "{shown}"
    );
}

/// Gives the text of a section, without its heading.
fn section<'a>(page: &'a str, heading: &str) -> Option<&'a str> {
    let mut sections = page.split(".SH ").skip(1);
    let found = sections.find_map(|it| {
        let (title, text) = it.split_once('\n')?;
        (title.trim_matches('"') == heading).then_some(text)
    });
    found.filter(|text| text.trim().len() > 20)
}

#[test]
fn every_page_has_exit_status_files_and_examples_and_describes_more_than_its_name_says() {
    let mut seen = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for heading in ["EXIT STATUS", "FILES", "EXAMPLES", "SEE ALSO"] {
            assert!(
                section(&text, heading).is_some(),
                "{}: {heading}",
                page.display()
            );
        }
        let name = section(&text, "NAME").unwrap();
        let description = section(&text, "DESCRIPTION").unwrap_or_default();
        assert!(
            description.len() > name.len() + 80,
            "{}: {description}",
            page.display()
        );
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}
