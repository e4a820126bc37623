//! The probes of the walls, the same in a login of each peer: what reaches the outside.

use login_jail_tests::{
    Sandbox,
    escape::{CONTROL, Probes, SHARED, Said, Verdict},
    fault::install_probe,
};
use serde_json::{Value, json};

use crate::peers::Peer;

pub(crate) fn run() -> Value {
    let columns: Vec<(Value, Vec<Said>)> = Peer::ALL.into_iter().map(column).collect();
    // A chroot in which everything is wrong: what nobody reaches there either, this kernel does not have.
    let careless = careless();
    let mut probes = Vec::new();
    for Said {
        threat,
        name,
        verdict,
        ..
    } in &careless
    {
        let of = |said: &Vec<Said>| {
            let other = said
                .iter()
                .find(|it| &it.threat == threat && &it.name == name);
            other.map_or_else(|| panic!("{threat}: {name}: not tried"), word)
        };
        let words: Vec<String> = columns.iter().map(|(_, said)| of(said)).collect();
        let open =
            *verdict == Verdict::Reached || words.first().is_some_and(|word| word == "reached");
        if threat != CONTROL && open {
            probes.push(json!({ "threat": threat, "probe": name, "said": words }));
        }
    }
    let columns: Vec<Value> = columns.into_iter().map(|(column, _)| column).collect();
    let release = Sandbox::bare().must("uname -r | cut -d. -f1,2");
    json!({ "kernel": release, "columns": columns, "probes": probes })
}

fn column(peer: Peer) -> (Value, Vec<Said>) {
    println!("  {}", peer.name());
    let keys = if peer == Peer::LoginShell || peer == Peer::Pam {
        SHARED
    } else {
        ""
    };
    let sandbox = peer.set_up(keys);
    let root = peer.root();
    let probes = staged(&sandbox, root, keys.is_empty());
    let command = match root {
        "" => probes.command_at("/run/walls/share/ann", "/home/ann"),
        _ => probes.command(),
    };
    let said = probes.tried_in_session(|| sandbox.ssh("ann", &command).stdout);
    let version = peer.version(&sandbox);
    let column = json!({ "name": peer.name(), "how": peer.how(), "version": version });
    (column, said)
}

fn careless() -> Vec<Said> {
    println!("  everything wrong");
    let root = "/srv/jails/ann";
    let sandbox = Peer::Jailkit.set_up("");
    let probes = staged(&sandbox, root, true);
    sandbox.must(&format!(
        "mkdir {root}/proc; mount --bind /proc {root}/proc"
    ));
    let ids = sandbox.must("echo $(id -u ann):$(id -g ann)");
    let walls = install_probe(&sandbox, "walls");
    let stand_in = probes.stand_in_at("/shared/ann", "/home/ann");
    let careless = [&walls, "careless", root, &ids, "/shared/ann", "/home/ann"];
    let careless = careless
        .into_iter()
        .chain(stand_in.iter().map(String::as_str));
    let careless: Vec<&str> = careless.collect();
    probes.tried(|| {
        let argv = probes.beside(&careless);
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        sandbox.run(&argv).stdout
    })
}

/// Has the root show what both sides see.
fn staged<'a>(sandbox: &'a Sandbox, root: &'a str, bind: bool) -> Probes<'a> {
    sandbox.must("mkdir -p /run/walls/share");
    if bind && !root.is_empty() {
        sandbox.must(&format!(
            "mkdir {root}/shared; mount --bind /run/walls/share {root}/shared"
        ));
    }
    Probes {
        sandbox,
        user: "ann",
        root,
    }
}

fn word(said: &Said) -> String {
    match said.verdict {
        Verdict::Reached => "reached".to_owned(),
        Verdict::Absent => "absent".to_owned(),
        Verdict::Held if said.by.is_empty() => "held".to_owned(),
        Verdict::Held => format!("held ({})", said.by),
    }
}
