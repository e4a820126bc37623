//! A session at a terminal, as an administrator and then ann type it.

use login_jail_tests::Sandbox;
use serde_json::{Value, json};

const COLUMNS: u16 = 100;

/// What root types, on a machine with login-jail installed and the jail `web` in its config.
const ROOT: [&str; 6] = [
    "cat /etc/login-jail/config.toml",
    "install -d -m 755 /srv/jails/ann",
    "jailctl add ann --jail web",
    "jailctl mend home-missing ann",
    "jailctl explain ann",
    "jailctl check ann",
];

/// What ann types in her session.
const ANN: [&str; 5] = [
    "ls /",
    "touch mine /usr/mine; ls",
    "cat /etc/shadow",
    "ps -e | tail -n 3",
    "exit",
];

pub(crate) fn run() -> Value {
    let sandbox = Sandbox::new()
        .user_with_shell("ann", "/bin/bash")
        .config(
            "exempt = [\"root\"]\n[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n",
        )
        .with("mkdir -p /srv/jails; chmod 755 /srv/jails; mkdir -p /home/ann; chown ann: /home/ann; usermod -p '*' ann");
    let mut steps: Vec<Value> = ROOT
        .into_iter()
        .map(|command| {
            let mut terminal =
                sandbox.terminal(&["bash", "-c", &format!("stty cols {COLUMNS}; {command}")]);
            terminal.resize(40, COLUMNS);
            step("# ", command, &terminal.finish().stdout)
        })
        .collect();
    steps.push(step("# ", "ssh ann@localhost", ""));
    let mut terminal = sandbox.ssh_tty("ann", None);
    terminal.resize(40, COLUMNS);
    terminal.expect("$ ");
    for command in ANN {
        let shown = match command {
            "exit" => String::new(),
            _ => {
                terminal.line(command);
                let shown = terminal.expect("$ ");
                // The echo of the command before it, and the next prompt behind.
                let (_, shown) = shown.split_once('\n').unwrap_or_default();
                shown
                    .rsplit_once('\n')
                    .map_or(String::new(), |(shown, _)| format!("{shown}\n"))
            }
        };
        steps.push(step("ann$ ", command, &shown));
    }
    terminal.line("exit");
    terminal.finish().ok();
    json!({ "columns": COLUMNS, "steps": steps })
}

fn step(prompt: &str, command: &str, shown: &str) -> Value {
    let shown = shown
        .replace('\r', "")
        .replace("\u{1b}[?2004h", "")
        .replace("\u{1b}[?2004l", "");
    let lines: Vec<&str> = shown.trim_end().lines().collect();
    json!({ "prompt": prompt, "typed": command, "lines": lines })
}
