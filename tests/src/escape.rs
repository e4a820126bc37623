//! The escape probes in the sandbox: those of `jailctl check --attack`, tried by its libexec program wherever a session is, and
//! those of `walls`, which change what lies outside.

use serde_json::Value;

use crate::{
    Sandbox,
    fault::{install_probe, probe},
};

/// The lines of "from inside" in the list of threats.
pub const THREATS: [&str; 15] = [
    "root",
    "descriptors",
    "signals",
    "priorities",
    "processes",
    "proc",
    "ipc",
    "keys",
    "sockets",
    "namespaces",
    "kernel",
    "entries",
    "terminal",
    "programs",
    "privileges",
];

/// What a probe needs in order to try at all: reached everywhere.
pub const CONTROL: &str = "control";

/// The line of a config that shows a jail what both sides see.
pub const SHARED: &str =
    "mounts = [{ source = \"/run/walls/share\", target = \"/shared\", mode = \"rw\" }]";

/// How many probes are tried at least, wherever it is.
const LEAST: usize = 120;

const STAND_IN: &str = "/usr/libexec/login-jail/stand-in";

/// What came of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The outside was reached.
    Reached,
    /// It was not.
    Held,
    /// There is nothing to reach.
    Absent,
}

/// What came of one probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The line of the list of threats.
    pub threat: String,
    /// Its name.
    pub name: String,
    /// What came of it.
    pub verdict: Verdict,
    /// The errno or signal it was held by.
    pub by: String,
}

impl Said {
    /// Gives line and name as one.
    #[must_use]
    pub fn probe(&self) -> String {
        format!("{}: {}", self.threat, self.name)
    }
}

/// The probes of a user whose home is below a root.
#[derive(Clone, Copy, Debug)]
pub struct Probes<'a> {
    /// Where they are tried.
    pub sandbox: &'a Sandbox,
    /// Who tries them.
    pub user: &'a str,
    /// Empty where the home is the host's.
    pub root: &'a str,
}

impl Probes<'_> {
    /// The directory that both sides see, as the outside does.
    fn outside(&self) -> String {
        format!("/run/walls/share/{}", self.user)
    }

    fn socket(&self) -> String {
        format!("{}/told", self.outside())
    }

    /// Gives the command that tries all probes where that directory and the home are at these paths.
    #[must_use]
    pub fn command_at(&self, shared: &str, home: &str) -> String {
        format!(
            "{}; exec {home}/walls probe {shared} {home}",
            self.stand_in_at(shared, home).join(" ")
        )
    }

    /// Gives the command for a jail.
    #[must_use]
    pub fn command(&self) -> String {
        let user = self.user;
        self.command_at(&format!("/shared/{user}"), &format!("/home/{user}"))
    }

    /// Gives the part of it that is the product's: with its libraries beside it, whatever the root has.
    #[must_use]
    pub fn stand_in_at(&self, shared: &str, home: &str) -> [String; 6] {
        [
            format!("{home}/probes/ld.so"),
            "--library-path".to_owned(),
            format!("{home}/probes"),
            format!("{home}/probes/stand-in"),
            "probe".to_owned(),
            format!("{shared}/told"),
        ]
    }

    /// Gives the arguments with which root runs a program beside what the probes are to reach: a descriptor and a session
    /// keyring can leak into it.
    #[must_use]
    pub fn beside(&self, program: &[&str]) -> Vec<String> {
        let socket = self.socket();
        let start = [STAND_IN, "outside", self.user, &socket];
        let all = start.iter().chain(program);
        all.map(|word| (*word).to_owned()).collect()
    }

    /// Puts everything that probes change back to where it was, and into the home what root plants. Then runs what tries the
    /// probes, with the accomplice outside, and gives what they said.
    ///
    /// # Panics
    /// A probe broke, or they have not come to their end.
    pub fn tried(&self, run: impl FnOnce() -> String) -> Vec<Said> {
        let Probes {
            sandbox,
            user,
            root,
        } = self;
        self.prepare();
        let accomplice = install_probe(sandbox, "walls_accomplice");
        let home = format!("{root}/home/{user}");
        let accomplice = sandbox.run_as(user, &[&accomplice, &self.outside(), &home]);
        let shown = run();
        sandbox.must(&format!("kill -9 {}", accomplice.ok()));
        let said: Vec<Said> = shown.lines().filter_map(parse).collect();
        assert!(
            said.len() >= LEAST,
            "the probes have not come to their end: {shown}\n{}",
            sandbox.syslog()
        );
        said
    }

    /// Does the same where a service of the host opens the session, which nothing leaks into.
    pub fn tried_in_session(&self, run: impl FnOnce() -> String) -> Vec<Said> {
        self.tried(|| {
            let outside = self.beside(&["sleep", "50"]).join(" ");
            let pid = self.sandbox.must(&format!(
                "{outside} >/dev/null 2>&1 </dev/null & echo $!; until [ -e {} ]; do sleep 0.02; done",
                self.socket()
            ));
            let shown = run();
            self.sandbox.must(&format!("pkill -P {pid} sleep; while kill -0 {pid} 2>/dev/null; do sleep 0.02; done"));
            shown
        })
    }

    fn prepare(&self) {
        let (user, root, outside) = (self.user, self.root, self.outside());
        self.sandbox.must(&format!(
            "mkdir -p /srv/programs
             printf outside >/etc/walls-secret
             install -m 4755 {walls} /srv/programs/set-uid
             rm -rf /srv/walls {outside}
             mkdir -p /srv/walls {outside}
             cd /srv/walls
             touch unlink-me link-me chmod-me; echo text >truncate-me
             chown -R {user}: /srv/walls {outside}
             cd {root}/home/{user}
             rm -rf * && cp {walls} walls
             mkdir probes && cp -L $(ldd {STAND_IN} | grep -o '/[^ ]*') {STAND_IN} probes && cp probes/ld-* probes/ld.so
             install -m 4755 walls set-uid; install -m 2755 walls set-gid
             cp walls capable && setcap cap_sys_chroot+ep capable
             ln /srv/programs/set-uid linked 2>/dev/null || cp -p /srv/programs/set-uid linked
             mknod -m 666 device c 1 5
             # Numbers that no jail with processes of its own comes to.
             [ $$ -gt 20000 ] || echo 20000 >/proc/sys/kernel/ns_last_pid",
            walls = probe("walls"),
        ));
    }
}

/// Reads a line of either kind of probe; nothing where it is none.
fn parse(line: &str) -> Option<Said> {
    if let Some(said) = line.trim_end().strip_prefix("PROBE\t") {
        let words: Vec<&str> = said.split('\t').collect();
        let [threat, name, word, by @ ..] = words.as_slice() else {
            panic!("not what the probe says: {line}");
        };
        let by = by.concat();
        let verdict = match *word {
            "reached" => Verdict::Reached,
            "held" => Verdict::Held,
            "absent" => Verdict::Absent,
            _ => panic!("{threat}: {name}: the probe broke: {by}"),
        };
        return Some(Said {
            threat: (*threat).to_owned(),
            name: (*name).to_owned(),
            verdict,
            by,
        });
    }
    let tried: Value = serde_json::from_str(line.trim_end()).ok()?;
    let word = |key: &str| Some(tried.get(key)?.as_str()?.to_owned());
    let (threat, name, answer) = (word("threat")?, word("probe")?, tried.get("answer")?);
    let (verdict, by) = match (answer.as_str(), answer.get("held"), answer.get("absent")) {
        (Some("reached"), ..) => (Verdict::Reached, String::new()),
        (Some("killed"), ..) => (Verdict::Held, "SIGSYS".to_owned()),
        (_, Some(errno), _) => (Verdict::Held, errno_name(errno)),
        (.., Some(_)) => (Verdict::Absent, String::new()),
        _ => panic!("{threat}: {name}: the probe broke: {answer}"),
    };
    Some(Said {
        threat,
        name,
        verdict,
        by,
    })
}

fn errno_name(number: &Value) -> String {
    let number = number.as_i64().and_then(|it| i32::try_from(it).ok());
    number.map_or_else(String::new, |it| {
        format!("{:?}", nix::errno::Errno::from_raw(it))
    })
}
