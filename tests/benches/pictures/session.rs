//! A session at a terminal, as an administrator and then ann type it.

use login_jail_tests::Sandbox;
use serde_json::{Value, json};

const COLUMNS: u16 = 100;

/// What root types: the commands for one user by hand, and what tells more of her.
const ROOT: [&str; 5] = [
    "tail -n 6 /etc/login-jail/config.toml",
    "useradd -m -G jailed -s /usr/bin/jail-shell ann",
    "install -d /srv/jails/ann && jailctl mend home-missing ann",
    "runuser -u ann -- install -D -m 600 /dev/stdin /home/ann/.ssh/authorized_keys <ann.pub",
    "jailctl check --fix ann",
];

/// What ann types in her session.
const ANN: [&str; 4] = [
    "pwd; ls /",
    "touch mine /usr/mine; ls",
    "cat /etc/shadow; ls /root",
    "ps -e",
];

pub(crate) fn run() -> Value {
    let sandbox = machine();
    let root = |command: &str| {
        let script = format!("stty cols {COLUMNS}; export HOME=/root; cd; {command}");
        let mut terminal = sandbox.terminal(&["bash", "-c", &script]);
        terminal.resize(40, COLUMNS);
        terminal
    };
    let mut steps: Vec<Value> = ROOT
        .into_iter()
        .map(|command| step("# ", command, &root(command).finish().stdout))
        .collect();
    let login = "ssh ann@localhost";
    steps.push(step("# ", login, ""));
    let mut terminal = root(login);
    terminal.expect("$ ");
    for command in ANN {
        let shown = terminal.line(command).expect("$ ");
        // The echo of the command comes before it, and the next prompt behind.
        let (_, shown) = shown.split_once('\n').unwrap_or_default();
        let (shown, _) = shown.rsplit_once('\n').unwrap_or_default();
        steps.push(step("ann$ ", command, shown));
    }
    terminal.line("exit");
    terminal.finish().ok();
    json!({ "columns": COLUMNS, "steps": steps })
}

/// A machine with the lines for all users by hand, sshd, and an administrator with a key.
fn machine() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "/etc/login-jail/config.toml",
        "exempt = [\"root\"]\n[groups]\njailed = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\n\
         base = \"host\"               # the host's programs, read-only\nshell = \"/bin/bash\"\n",
    );
    sandbox.with(
        "groupadd jailed; mkdir -p /srv/jails /run/sshd /root/.ssh; chmod 755 /srv/jails
         rm -rf /etc/ssh/sshd_config.d/* /root/.ssh/*; ssh-keygen -A >/dev/null
         cp /usr/share/doc/login-jail/sshd_config.d/login-jail.conf /etc/ssh/sshd_config.d/
         printf 'Include /etc/ssh/sshd_config.d/*.conf\\nUsePAM yes\\nPrintMotd no\\nSubsystem sftp /usr/lib/openssh/sftp-server\\nListenAddress 127.0.0.1\\n' >/etc/ssh/sshd_config
         ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519; cp /root/.ssh/id_ed25519.pub /root/ann.pub
         printf 'StrictHostKeyChecking no\\nUserKnownHostsFile /dev/null\\nLogLevel ERROR\\nAddressFamily inet\\n' >/root/.ssh/config
         /usr/sbin/sshd; until [ -s /run/sshd.pid ]; do sleep 0.01; done",
    )
}

fn step(prompt: &str, command: &str, shown: &str) -> Value {
    let shown = shown
        .replace('\r', "")
        .replace("\u{1b}[?2004h", "")
        .replace("\u{1b}[?2004l", "");
    let lines: Vec<&str> = shown.trim_end().lines().collect();
    json!({ "prompt": prompt, "typed": command, "lines": lines })
}
