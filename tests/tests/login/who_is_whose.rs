//! One notion of who is jailed where: `list`, `status`, `check`, `explain` and a login, each asked for the same accounts, which come
//! from files, from a directory and from both.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::collections::BTreeMap;

use login_jail_tests::{Sandbox, directory::Client, skipped};
use serde_json::Value;

use crate::directory::{account, group, pam, roots};

/// What is to become of an account: the jail that it gets, and whether a login is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Jailed(&'static str),
    /// The jail is the account's, and logins have ended.
    Ended(&'static str),
    Exempt,
    Refused,
}

use Fate::{Ended, Exempt, Jailed, Refused};

const CONFIG: &str = "exempt = ['root', 'lexempt', '@sudo', '@free']\n\
    [users]\nlown = 'web'\nlended = 'old'\ndown = 'web'\n\
    [groups]\nstudents = 'class'\ntwice = 'pair'\nlocals = 'far'\ndoors = 'web'\n\
    [jails.web]\nroot = '/srv/jails/{user}'\nbase = 'host'\n[jails.class]\nroot = '/srv/jails/{user}'\nbase = 'host'\n\
    [jails.pair]\nroot = '/srv/jails/{user}'\nbase = 'host'\n[jails.far]\nroot = '/srv/jails/{user}'\nbase = 'host'\n\
    [jails.old]\nroot = '/srv/jails/{user}'\nbase = 'host'\nuntil = '2020-01-01'\n";

/// Accounts of the files. Groups are on several lines, with the same number and with another one; blanks stand before members.
const LOCAL: [(&str, Fate); 12] = [
    ("lown", Jailed("web")),
    ("lended", Ended("old")),
    ("lexempt", Exempt),
    ("lfirst", Jailed("class")),
    ("lsecond", Jailed("class")),
    ("lprimary", Jailed("class")),
    ("ltwice1", Jailed("pair")),
    ("ltwice2", Jailed("pair")),
    ("lblank", Jailed("class")),
    ("lfree", Exempt),
    ("lfree2", Exempt),
    ("lnobody", Refused),
];

const GROUPS: &str = "printf 'students:x:2900:lfirst, lblank\\nstudents:x:2900:lsecond\\ntwice:x:2901:ltwice1\\ntwice:x:2902:ltwice2\\n\
     locals:x:2903:\\nfree:x:2904:lfree\\nfree:x:2905:lfree2\\n' >>/etc/group; usermod -g 2900 lprimary";

fn machine(sandbox: Sandbox) -> Sandbox {
    let names = LOCAL.iter().map(|it| it.0).chain(["lput", "both"]);
    names
        .fold(sandbox, Sandbox::plain_user)
        .with(GROUPS)
        .with("printf 'account required pam_permit.so\\naccount required pam_jail.so\\nsession required pam_permit.so\\nsession required pam_jail.so\\n' >/etc/pam.d/jailtest")
}

fn json(sandbox: &Sandbox, words: &[&str]) -> Value {
    let said = sandbox.run(&[&["jailctl"], words, &["--json"]].concat());
    assert!(matches!(said.code(), Some(0 | 1)), "{said}");
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// Gives the jail of each account that a command names, and no account twice.
fn listed(users: &Value) -> BTreeMap<String, String> {
    let users = users.as_array().unwrap();
    let text = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
    let all = users.iter().map(|it| (text(it, "user"), text(it, "jail")));
    let all: BTreeMap<String, String> = all.collect();
    assert_eq!(all.len(), users.len());
    all
}

/// Asks everything that tells who is jailed where.
fn compare(sandbox: &Sandbox, what: &str, config: &str, accounts: &[(&str, Fate)]) {
    let names: Vec<&str> = accounts.iter().map(|it| it.0).collect();
    roots(sandbox, &names);
    let known = sandbox.must("getent passwd | cut -d: -f1");
    let by_list = listed(&json(sandbox, &["list"]));
    let by_status = listed(&json(sandbox, &["status"])["users"]);
    assert_eq!(by_list, by_status, "{what}");
    let mut jailed = 0;
    for (name, fate) in accounts {
        let jail = match fate {
            Jailed(jail) | Ended(jail) => Some(*jail),
            Exempt | Refused => None,
        };
        // A directory need not list its accounts: whoever has no rule by name is in no list then.
        let is_known =
            known.lines().any(|it| it == *name) || config.contains(&format!("\n{name} ="));
        if is_known {
            jailed += usize::from(jail.is_some());
            assert_eq!(
                by_list.get(*name).map(String::as_str),
                jail,
                "{what}: list has {name}"
            );
        }
        let explained = json(sandbox, &["explain", name]);
        assert_eq!(explained["jail"].as_str(), jail, "{what}: {explained}");
        if jail.is_none() {
            let word = if *fate == Exempt { "exempt" } else { "refused" };
            assert_eq!(
                explained["decision"]["outcome"], word,
                "{what}: {explained}"
            );
        }
        let checked = json(sandbox, &["check", name]);
        assert_eq!(
            checked["users"],
            usize::from(jail.is_some()),
            "{what} {name}: {checked}"
        );
        let before = sandbox.module_log().len();
        let login = pam(sandbox, name, &["acct_mgmt", "open_session"]);
        let served = matches!(fate, Jailed(_) | Exempt);
        assert_eq!(login.code() == Some(0), served, "{what} {name}: {login}");
        let entered = || {
            let log = sandbox.module_log();
            let mut new = log.iter().skip(before);
            new.find(|line| line.contains("enter ")).cloned()
        };
        match fate {
            Jailed(jail) => {
                let line = sandbox.wait_until(entered);
                let line = line.unwrap_or_else(|| panic!("{what}: {name} has not entered"));
                assert!(
                    line.contains(name) && line.contains(jail),
                    "{what} {name}: {line}"
                );
            }
            _ => assert_eq!(entered(), None, "{what} {name}: {login}"),
        }
    }
    assert_eq!(by_list.len(), jailed, "{what}: {by_list:?}");
    assert_eq!(json(sandbox, &["check"])["users"], jailed, "{what}");
}

fn by_directory(client: Client) {
    let bash = "loginShell: /bin/bash\n";
    let more = [
        account("ddoors", 25_001, bash),
        account("dput", 25_002, bash),
        account("down", 25_003, bash),
        account("dsudo", 25_004, bash),
        account("dnobody", 25_005, bash),
        account("both", 1500, bash),
        group("doors", 35_000, &["ddoors"]),
        // The number of a group of this machine, by another name; and the name of one, with another number.
        group("elsewhere", 2903, &["dput", "both", "lput"]),
        group("sudo", 35_001, &["dsudo"]),
    ]
    .concat();
    let sandbox = machine(Sandbox::new())
        .with("usermod -u 1500 both; sed -i 's/, lblank/,lblank/' /etc/group");
    let Some(sandbox) = sandbox.directory(client, 3, 2, &more) else {
        return;
    };
    // sssd does not know accounts of the files alone.
    let put = if client == Client::Nslcd {
        Jailed("far")
    } else {
        Refused
    };
    // Where all groups of rules are of this machine, a directory may still put accounts into one.
    let own_groups = CONFIG.replace("doors = 'web'\n", "");
    let sandbox = sandbox.config(&own_groups);
    let accounts = |doors| {
        let others = [
            ("lput", put),
            ("both", Jailed("far")),
            ("ddoors", doors),
            ("dput", Jailed("far")),
            ("down", Jailed("web")),
            ("dsudo", Refused),
            ("dnobody", Refused),
        ];
        [&LOCAL[..], &others].concat()
    };
    let what = format!("{client:?}, own groups");
    compare(&sandbox, &what, &own_groups, &accounts(Refused));
    let sandbox = sandbox.config(CONFIG);
    compare(
        &sandbox,
        &format!("{client:?}"),
        CONFIG,
        &accounts(Jailed("web")),
    );
}

#[test]
fn list_status_check_explain_and_a_login_agree_who_is_whose_with_sssd() {
    by_directory(Client::Sssd);
}

#[test]
fn list_status_check_explain_and_a_login_agree_who_is_whose_with_nslcd() {
    by_directory(Client::Nslcd);
}

/// A record of userdb puts accounts into a group that the files have as well.
const RECORDS: &str = r#"
install -d /etc/userdb
echo '{"userName":"ddoors","uid":26001,"gid":26001,"homeDirectory":"/home/ddoors","shell":"/bin/bash","disposition":"regular"}' >/etc/userdb/ddoors.user
ln -s ddoors.user /etc/userdb/26001.user
echo '{"groupName":"ddoors","gid":26001}' >/etc/userdb/ddoors.group
ln -s ddoors.group /etc/userdb/26001.group
echo '{"groupName":"elsewhere","gid":2903}' >/etc/userdb/elsewhere.group
ln -s elsewhere.group /etc/userdb/2903.group
for name in ddoors lput; do echo '{}' >/etc/userdb/$name:elsewhere.membership; done
"#;

#[test]
fn list_status_check_explain_and_a_login_agree_who_is_whose_by_files_and_records_of_userdb() {
    let sandbox = machine(Sandbox::new()).config(CONFIG);
    let nobody = [("lput", Refused), ("both", Refused)];
    compare(&sandbox, "files", CONFIG, &[&LOCAL[..], &nobody].concat());
    let sandbox = machine(Sandbox::new()).with(RECORDS).config(CONFIG);
    if sandbox.sh("id -G ddoors | grep -qw 2903").code() != Some(0) {
        return skipped("records of userdb", "nss-systemd does not read them here");
    }
    let put = if sandbox.sh("id -G lput | grep -qw 2903").code() == Some(0) {
        Jailed("far")
    } else {
        Refused
    };
    let put = [("lput", put), ("both", Refused), ("ddoors", Jailed("far"))];
    compare(&sandbox, "userdb", CONFIG, &[&LOCAL[..], &put].concat());
}
