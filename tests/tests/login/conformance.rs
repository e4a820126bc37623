//! One policy, three doors: for each user, config and state of the root, login shell (alone, and joining another login), ForceCommand and PAM come to the
//! same end, in the same jail or refused for the same reason. Where they differ, the row says how; pam_jail(8) says why.
#![allow(clippy::panic, reason = "a test reports by panicking")]

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, roots};

/// What a session says of itself, a line each: root, ids, groups, home, variables, mask, limits, network.
const FACTS: &str = "cat /marker; id -u; id -g; id -G; pwd; echo $HOME $USER $LOGNAME $SHELL; umask; [ $(ulimit -n) = 100 ] && echo limited; \
                     while read line; do echo $line; done </proc/net/dev | wc -l";

/// How a login ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// In the jail.
    In,
    /// On the host, as nobody's business of ours.
    Unjailed,
    /// Refused, with this code.
    Refused(&'static str),
}
use End::{In, Refused, Unjailed};

struct Row {
    name: &'static str,
    /// The config; `WEB` stands for a jail of that name.
    config: &'static str,
    /// Done before, as root, in the root directory.
    before: &'static str,
    /// Done after, in the same place.
    after: &'static str,
    /// What login shell and ForceCommand come to.
    shell: End,
    /// What PAM comes to.
    pam: End,
    /// Whether all facts of two sessions that are in the jail are the same.
    same: bool,
}

const fn row(name: &'static str, config: &'static str, end: End) -> Row {
    Row {
        name,
        config,
        before: ":",
        after: ":",
        shell: end,
        pam: end,
        same: true,
    }
}

impl Row {
    const fn with(mut self, before: &'static str, after: &'static str) -> Row {
        self.before = before;
        self.after = after;
        self
    }

    const fn but_pam(mut self, pam: End) -> Row {
        self.pam = pam;
        self
    }

    const fn with_other_facts(mut self) -> Row {
        self.same = false;
        self
    }
}

const ANN: &str = "users = { ann = \"web\" }\nWEB";
const NONE: &str = "WEB";

macro_rules! ann {
    ($keys:literal) => {
        concat!("users = { ann = \"web\" }\nWEB", $keys)
    };
}

const CONFIG: &str = "/etc/login-jail/config.toml";

const ROWS: &[Row] = &[
    // By which rule.
    row("a user's rule", ANN, In),
    row("a rule for the primary group", "groups = { ann = \"web\" }\nWEB", In),
    row("a rule for another group", "groups = { games = \"web\" }\nWEB", In),
    row("the first group that matches", "groups = { games = \"web\", ann = \"other\" }\n[jails.other]\nroot = \"/nowhere\"\nWEB", In),
    row("a file of the user's that names a jail", NONE, In)
        .with("echo 'jail = \"web\"' >/etc/login-jail/users.d/ann.toml", "rm /etc/login-jail/users.d/ann.toml"),
    row("a file of the user's with keys", "", In).with(
        "printf 'root = \"/srv/jails/ann\"\\nbase = \"host\"\\nshell = \"/bin/bash\"\\n' >/etc/login-jail/users.d/ann.toml",
        "rm /etc/login-jail/users.d/ann.toml",
    ),
    row("a root directory as rule", "users = { ann = \"/srv/jails/ann\" }\ndefaults = { base = \"host\", shell = \"/bin/bash\" }", In),
    row("a template with the group", "users = { ann = \"t\" }\n[jails.t]\nroot = \"/srv/jails/{group}\"\nbase = \"host\"\nshell = \"/bin/bash\"", In),
    row("no rule", NONE, Refused("no-rule")),
    row("a rule for another user", "users = { bob = \"web\" }\nWEB", Refused("no-rule")),
    row("a rule for a name that begins the same", "users = { anna = \"web\" }\nWEB", Refused("no-rule")),
    row("unlisted users are exempt", "unlisted = \"exempt\"\nWEB", Refused("exempt")).but_pam(Unjailed),
    row("an exempt user", "exempt = [\"ann\"]\nusers = { ann = \"web\" }\nWEB", Refused("exempt")).but_pam(Unjailed),
    row("an exempt group", "exempt = [\"@games\"]\ngroups = { ann = \"web\" }\nWEB", Refused("exempt")).but_pam(Unjailed),
    row("an exempt group and a rule for the user", "exempt = [\"@games\"]\nusers = { ann = \"web\" }\nWEB", In),
    row("a group that has no name, and no other rule", NONE, Refused("account"))
        .with("sed -i 's/^ann:x:\\([0-9]*\\):[0-9]*/ann:x:\\1:5555/' /etc/passwd", "sed -i \"s/^ann:x:\\([0-9]*\\):5555/ann:x:\\1:$(id -g daemon)/\" /etc/passwd; usermod -g ann ann"),
    // The config.
    row("no config", ANN, Refused("config-missing")).with("mv /etc/login-jail/config.toml /etc/c", "mv /etc/c /etc/login-jail/config.toml"),
    row("an error of syntax", "users = {", Refused("config-wrong")),
    row("an unknown key", ann!("colour = \"red\""), Refused("config-wrong")),
    row("a wrong type", ann!("umask = 22"), Refused("config-wrong")),
    row("a jail that is not defined", "users = { ann = \"web\" }", Refused("config-wrong")),
    row("a name that needs quotes", "[users]\njohn.doe = \"web\"\nWEB", Refused("config-wrong")),
    row("a config that a group can write", ANN, Refused("config-unsafe")).with("chmod g+w /etc/login-jail/config.toml", ":"),
    row("a config that is the user's", ANN, Refused("config-unsafe")).with("chown ann /etc/login-jail/config.toml", "chown root /etc/login-jail/config.toml"),
    row("a config that is a link", ANN, Refused("config-unsafe"))
        .with("mv /etc/login-jail/config.toml /etc/c; ln -s /etc/c /etc/login-jail/config.toml", "rm /etc/login-jail/config.toml"),
    row("a config's directory that all can write", ANN, Refused("config-unsafe")).with("chmod 777 /etc/login-jail", "chmod 755 /etc/login-jail"),
    row("a user's file that all can write", NONE, Refused("config-unsafe")).with(
        "echo 'jail = \"web\"' >/etc/login-jail/users.d/ann.toml; chmod 666 /etc/login-jail/users.d/ann.toml",
        "rm /etc/login-jail/users.d/ann.toml",
    ),
    // The root directory.
    row("a root that is missing", ANN, Refused("root-missing")).with("mv /srv/jails/ann /srv/away", "mv /srv/away /srv/jails/ann"),
    row("a root that is a file", "users = { ann = \"/srv/file\" }", Refused("root-not-directory")).with("touch /srv/file", "rm /srv/file"),
    row("a root that is a link", "users = { ann = \"/srv/link\" }", Refused("root-unsafe")).with("ln -s /srv/jails/ann /srv/link", "rm /srv/link"),
    row("a root that all can write", ANN, Refused("root-unsafe")).with("chmod 777 .", "chmod 755 ."),
    row("a directory above it that all can write", ANN, Refused("root-unsafe")).with("chmod 777 ..", "chmod 755 .."),
    row("a root that is the user's", ANN, Refused("root-unsafe")).with("chown ann .", "chown root ."),
    row("a root that may be the user's", ann!("root_owner = \"user\""), In).with("chown ann .", "chown root ."),
    row("a root that is the host's", "users = { ann = \"/srv/host\" }", Refused("root-unsafe"))
        .with("mkdir /srv/host; mount --bind / /srv/host", "umount /srv/host; rmdir /srv/host"),
    row("a base that is missing", "users = { ann = \"t\" }\n[jails.t]\nroot = \"/srv/jails/ann\"\nbase = \"/nowhere\"", Refused("root-missing")),
    row("a mount whose source is missing", ann!("mounts = [{ source = \"/nowhere\", target = \"/data\", mode = \"ro\" }]"), Refused("root-missing")),
    row("a mount whose source all can write", ann!("mounts = [{ source = \"/tmp\", target = \"/data\", mode = \"ro\" }]"), In),
    row("a mount whose source is a service's", ann!("mounts = [{ source = \"/srv/s\", target = \"/data\", mode = \"rw\" }]"), In)
        .with("install -d -m 2775 -o bin -g games /srv/s", "rmdir /srv/s"),
    row("a mount whose source is a file", ann!("mounts = [{ source = \"/srv/s\", target = \"/data\", mode = \"ro\" }]"), In)
        .with("echo text >/srv/s; chown ann /srv/s", "rm -f /srv/s data"),
    row("a mount whose source is a FIFO", ann!("mounts = [{ source = \"/srv/s\", target = \"/data\", mode = \"ro\" }]"), Refused("root-unsafe"))
        .with("mkfifo /srv/s", "rm /srv/s"),
    row("a mount whose source is a link", ann!("mounts = [{ source = \"/srv/s\", target = \"/data\", mode = \"ro\" }]"), Refused("root-unsafe"))
        .with("ln -s /opt /srv/s", "rm /srv/s"),
    row("a mount whose source its user could exchange", ann!("mounts = [{ source = \"/srv/s/d\", target = \"/data\", mode = \"ro\" }]"), Refused("root-unsafe"))
        .with("mkdir -p /srv/s/d; chown ann /srv/s", "rm -r /srv/s"),
    row("a mount", ann!("mounts = [{ source = \"/opt\", target = \"/data\", mode = \"ro\" }]"), In),
    row("a mount whose target a link leads away", ann!("mounts = [{ source = \"/opt\", target = \"/escape/data\", mode = \"ro\" }]"), Refused("step"))
        .with("ln -s /etc escape", "rm escape").but_pam(Refused("step")),
    // Keys of a jail.
    row("a mask", ann!("umask = \"027\""), In),
    row("a limit", ann!("limits = { nofile = 100 }"), In),
    row("no network", ann!("network = \"none\""), In),
    row("ports", ann!("network = { connect = [80], bind = [] }"), In),
    row("best effort", ann!("landlock = \"best-effort\""), In),
    row("all of Landlock", ann!("landlock = \"require\""), In),
    row("ports and best effort", ann!("landlock = \"best-effort\"\nnetwork = { connect = [80] }"), Refused("config-wrong")),
    row("a mount that hides another", ann!("mounts = [{ source = \"/opt\", target = \"/data/in\", mode = \"ro\" }, { source = \"/srv\", target = \"/data\", mode = \"rw\" }]"), Refused("config-wrong")),
    row("no filter", ann!("seccomp = \"off\""), In),
    row("no lingering", ann!("linger = false"), In),
    row("the root's own /tmp", ann!("tmp = \"root\""), In),
    row("the primary group alone", ann!("groups = \"primary\""), In).but_pam(Refused("config-wrong")),
    row("no second wall", ann!("landlock = \"off\""), In).but_pam(Refused("config-wrong")),
    row("another home", ann!("home = \"/work\""), In).with_other_facts(),
    row("a home that is missing", ann!("home = \"/nowhere\""), Refused("home-missing")).but_pam(In),
    row("a shell that is missing", "users = { ann = \"t\" }\n[jails.t]\nroot = \"/srv/jails/ann\"\nbase = \"host\"\nshell = \"/nowhere\"", Refused("shell-missing")).but_pam(In),
    // A whole system of the root's own.
    row("a whole root", "users = { ann = \"t\" }\n[jails.t]\nroot = \"/srv/jails/whole\"\nshell = \"/bin/bash\"", In),
    row("a whole root by chroot", "users = { ann = \"t\" }\n[jails.t]\nroot = \"/srv/jails/whole\"\nshell = \"/bin/bash\"\nisolation = \"chroot\"", In)
        .with("mkdir -p ../whole/proc; mount -t proc proc ../whole/proc", "umount ../whole/proc"),
    row("a whole root with a line for uid 0", "users = { ann = \"t\" }\n[jails.t]\nroot = \"/srv/jails/whole\"\nshell = \"/bin/bash\"", In)
        .with("cp ../whole/etc/passwd /run/p; echo ann:x:0:0::/:/bin/bash >>../whole/etc/passwd", "cp /run/p ../whole/etc/passwd")
        .but_pam(Refused("account")),
    row("a whole root with another group", "users = { ann = \"t\" }\n[jails.t]\nroot = \"/srv/jails/whole\"\nshell = \"/bin/bash\"", In)
        .with("cp ../whole/etc/group /run/g; echo shadow:x:42:ann >>../whole/etc/group", "cp /run/g ../whole/etc/group")
        .but_pam(Refused("account")),
    row("a whole root whose /etc is the user's", "users = { ann = \"t\" }\n[jails.t]\nroot = \"/srv/jails/whole\"\nshell = \"/bin/bash\"", In)
        .with("chown ann ../whole/etc", "chown root ../whole/etc")
        .but_pam(Refused("root-unsafe")),
];

/// One of the doors, in a sandbox of its own, where all are given the same.
fn stage(login_shell: &str) -> Sandbox {
    Sandbox::new()
        .user_with_shell("ann", login_shell)
        .with("usermod -aG games ann; mkdir -p /srv/jails/ann/home/ann /srv/jails/ann/work /home/ann
               chown ann: /srv/jails/ann/home/ann /srv/jails/ann/work; echo here >/srv/jails/ann/marker")
        .user_with_shell("whole", "/bin/bash")
        .jailed("whole")
        .root(roots::programs(&["/usr/bin/id", "/bin/cat", "/usr/bin/wc", "/usr/bin/readlink"]))
        .with("cd /srv/jails/whole; echo here >marker; mkdir -p home/ann; chown ann: home/ann
               echo ann:x:$(id -u ann):$(id -g ann)::/home/ann:/bin/bash >>etc/passwd
               printf 'ann:x:%s:\\ngames:x:60:ann\\n' $(id -g ann) >>etc/group")
}

/// What one door comes to, for each row. `keys` are put into each jail that can have them.
fn go_through(
    sandbox: &Sandbox,
    keys: &str,
    login: impl Fn(&Sandbox) -> Outcome,
) -> Vec<(End, String)> {
    let mut all = Vec::new();
    for row in ROWS {
        let web =
            "\n[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n";
        sandbox.must(&format!("rm -f {CONFIG}"));
        let mut config = row.config.replace("WEB", web);
        if !config.contains("chroot") {
            config = config.replace("\nroot = ", &format!("\n{keys}root = "));
        }
        sandbox.write(CONFIG, config);
        sandbox.must(&format!("cd /srv/jails/ann; {}", row.before));
        let outcome = login(sandbox);
        sandbox.must(&format!(
            "cd /srv/jails/ann 2>/dev/null || cd /srv; {}",
            row.after
        ));
        all.push(judge(row, &outcome));
    }
    all
}

fn judge(row: &Row, outcome: &Outcome) -> (End, String) {
    let codes = [
        "step",
        "no-rule",
        "exempt",
        "account",
        "config-missing",
        "config-wrong",
        "config-unsafe",
        "root-missing",
        "root-not-directory",
        "root-unsafe",
        "home-missing",
        "shell-missing",
    ];
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    let code = codes
        .iter()
        .find(|code| said.contains(&format!("login refused ({code})")));
    if let Some(code) = code {
        return (Refused(code), String::new());
    }
    match outcome.stdout.strip_prefix("here\n") {
        Some(facts) => (In, facts.to_owned()),
        None if outcome.stderr.contains("/marker: No such file") => {
            (Unjailed, outcome.stdout.clone())
        }
        None => panic!("{}: {outcome}", row.name),
    }
}

/// A login beside another one that stays meanwhile: both are in one world, or both are refused.
fn join(sandbox: &Sandbox) -> Outcome {
    const WORLD: &str = "readlink /proc/self/ns/pid";
    let first = format!("{WORLD}; read line");
    sandbox.must(&format!(
        "rm -f /run/first /run/first.out; mkfifo /run/first; exec 8<>/run/first
         setsid setpriv --reuid ann --regid ann --init-groups {JAIL_SHELL} -c '{first}' <&8 >/run/first.out 2>&1 &
         for n in $(seq 500); do [ -s /run/first.out ] && exit; sleep 0.02; done; exit 1"
    ));
    let facts = format!("{FACTS}; echo; {WORLD}");
    let mut outcome = sandbox.su_c("ann", &facts);
    let first = sandbox.must("cat /run/first.out; echo 1<>/run/first");
    if let Some((facts, world)) = outcome.stdout.rsplit_once("\n\n") {
        let config = sandbox.read(CONFIG);
        // chroot(2) makes no world.
        let is_shared = ["scope", "chroot"].iter().any(|it| config.contains(it));
        assert_eq!(world.trim_end() == first, is_shared, "{world}, {first}");
        outcome.stdout = facts.to_owned();
    }
    outcome
}

#[test]
fn the_doors_agree() {
    let shell = std::thread::spawn(|| {
        go_through(&stage(JAIL_SHELL), "", |sandbox| sandbox.su_c("ann", FACTS))
    });
    let joined = std::thread::spawn(|| go_through(&stage(JAIL_SHELL), "scope = \"user\"\n", join));
    let forced = std::thread::spawn(|| {
        let sandbox =
            stage("/bin/bash").sshd(&format!("Match User ann\nForceCommand {JAIL_SHELL}"));
        go_through(&sandbox, "", |sandbox| sandbox.ssh("ann", FACTS))
    });
    let pam = stage("/bin/bash").behind_pam("required", "");
    let pam = go_through(&pam, "", |sandbox| sandbox.su_dash_c("ann", FACTS));
    let (Ok(shell), Ok(forced), Ok(joined)) = (shell.join(), forced.join(), joined.join()) else {
        panic!("a door's thread panicked; its reason is above");
    };
    assert!(ROWS.len() >= 40, "{}", ROWS.len());
    let mut flaws = Vec::new();
    let rows = ROWS.iter().zip(&shell).zip(&forced).zip(&joined).zip(&pam);
    for ((((row, shell), forced), joined), pam) in rows {
        let ends = [shell.0, forced.0, joined.0, pam.0];
        if ends != [row.shell, row.shell, row.shell, row.pam] {
            flaws.push(format!(
                "{}: {ends:?}, not {:?} and {:?}",
                row.name, row.shell, row.pam
            ));
        } else if shell.1.trim_end() != joined.1.trim_end() {
            flaws.push(format!("{}, joined:\n{}\n{}", row.name, shell.1, joined.1));
        } else if shell.1 != forced.1 || (row.same && row.shell == row.pam && shell.1 != pam.1) {
            flaws.push(format!(
                "{}:\n{}\n{}\n{}",
                row.name, shell.1, forced.1, pam.1
            ));
        }
    }
    assert!(
        flaws.is_empty(),
        "{} of {}:\n{}",
        flaws.len(),
        ROWS.len(),
        flaws.join("\n")
    );
}
