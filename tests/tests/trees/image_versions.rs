//! Several versions of a base side by side: imported from images, exchanged at once, while sessions that are open stay.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, skipped};
use serde_json::Value;

const BASE: &str = "/srv/images/base";

/// A machine with archives of two systems, which differ in one file, and ann, whose jail has the base.
fn host() -> Sandbox {
    let sandbox = Sandbox::new().user_with_shell("ann", JAIL_SHELL);
    sandbox.must(
        "jailctl build --with shell /srv/made >/dev/null
         mkdir -p /srv/made/usr/share
         for n in one two; do
             echo $n >/srv/made/usr/share/version
             tar -C /srv/made --exclude=./.login-jail -cf /srv/$n.tar .
         done
         mkdir -p /srv/jails/ann /srv/images",
    );
    sandbox.write(
        "/etc/login-jail/config.toml",
        "exempt = [\"root\"]\n[users]\nann = \"image\"\n[jails.image]\nroot = \"/srv/jails/ann\"\nbase = \"/srv/images/base\"\nshell = \"/bin/sh\"\nhome = \"/\"\n",
    );
    sandbox
}

/// The same with both versions, the first in use.
fn with_both() -> Sandbox {
    let sandbox = host();
    jailctl(&sandbox, &["import", "--as", "1", "/srv/one.tar", BASE]).ok();
    jailctl(&sandbox, &["import", "--as", "2", "/srv/two.tar", BASE]).ok();
    sandbox
}

fn jailctl(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    sandbox.run(&[&["jailctl"], arguments].concat())
}

fn uses(sandbox: &Sandbox, version: &str) -> Outcome {
    jailctl(sandbox, &["versions", "--use", version, BASE])
}

/// The names of the versions, with a star behind the one in use and the number of sessions that have it.
fn versions(sandbox: &Sandbox) -> Vec<String> {
    let listed = jailctl(sandbox, &["versions", "--json", BASE]);
    let listed: Value = serde_json::from_str(listed.ok()).unwrap();
    let all = listed.as_array().unwrap().iter();
    all.map(|it| {
        let star = if it["in_use"] == true { "*" } else { "" };
        format!("{}{star} {}", it["name"].as_str().unwrap(), it["sessions"])
    })
    .collect()
}

/// What a login of ann's sees.
fn seen(sandbox: &Sandbox) -> String {
    sandbox.ssh("ann", "cat /usr/share/version").ok().to_owned()
}

#[test]
fn another_version_is_for_new_logins_and_open_sessions_keep_theirs() {
    let sandbox = with_both();
    assert_eq!(
        versions(&sandbox),
        ["1* 0", "2 0"],
        "the first is in use, a further one waits"
    );
    assert_eq!(seen(&sandbox), "one");
    let mut session = sandbox.ssh_tty("ann", None);
    session.line("echo rea''dy").expect("ready\r\n");

    uses(&sandbox, "2").ok();
    assert_eq!(seen(&sandbox), "two");
    session
        .line("cat /usr/share/version; ls -d /usr/share; echo do''ne")
        .expect("one\r\n/usr/share\r\ndone\r\n");
    assert_eq!(versions(&sandbox), ["1 1", "2* 0"]);

    // What a session has is not taken away from under it.
    let refused = jailctl(&sandbox, &["versions", "--remove", "1", BASE]);
    assert_eq!(refused.code(), Some(3), "{refused}");
    assert!(refused.stderr.contains("1 session is open"), "{refused}");
    let refused = jailctl(&sandbox, &["versions", "--remove", "2", BASE]);
    assert!(refused.stderr.contains("it is in use"), "{refused}");
    session
        .line("cat /usr/share/version; exit 7")
        .expect("one\r\n");
    assert_eq!(session.finish().code(), Some(7));

    for (now, all) in [("one", ["1* 0", "2 0"]), ("two", ["1 0", "2* 0"])] {
        jailctl(&sandbox, &["rollback", BASE]).ok();
        assert_eq!(versions(&sandbox), all);
        assert_eq!(seen(&sandbox), now);
    }
    jailctl(&sandbox, &["versions", "--remove", "1", BASE]).ok();
    assert_eq!(versions(&sandbox), ["2* 0"]);
    jailctl(
        &sandbox,
        &["import", "--as", "3", "--use", "/srv/one.tar", BASE],
    )
    .ok();
    assert_eq!(versions(&sandbox), ["2 0", "3* 0"]);
    assert_eq!(seen(&sandbox), "one");
    assert_eq!(
        sandbox.must("stat -c '%a %U' /srv/images/base /srv/images/base.versions"),
        "755 root\n700 root"
    );
}

#[test]
fn a_dry_run_shows_what_an_import_makes_and_makes_nothing() {
    let sandbox = host();
    sandbox.must("cd /srv; mkdir tree; head -c 3M /dev/zero >tree/big; mkdir tree/.login-jail");
    let state = || sandbox.must("find /srv /tmp /var/lib -printf '%p %y %m %U %s %T@\\n' | sort");
    let dry = |words: &[&str]| {
        let before = state();
        let said = jailctl(&sandbox, &[&["import", "--dry-run"], words].concat());
        assert_eq!(state(), before, "{words:?} {said}");
        said
    };
    let plain = dry(&["/srv/tree", "/srv/new/root"]);
    assert_eq!(
        plain.ok(),
        "would make /srv/new/root\nlayer 1 of 1: 1 entries, 3 MiB",
        "{plain}"
    );
    let small = dry(&["--max-size", "2M", "/srv/tree", "/srv/new/root"]);
    assert_eq!(small.code(), Some(3), "{small}");
    assert!(small.stderr.contains("--max-size"), "{small}");
    let first = dry(&["--as", "1", "/srv/one.tar", BASE]);
    let wanted = format!("would make {BASE}, version 1, in use at once\nlayer 1 of 1: ");
    assert!(first.ok().starts_with(&wanted), "{first}");
    jailctl(&sandbox, &["import", "--as", "1", "/srv/one.tar", BASE]).ok();
    let next = dry(&["--as", "2", "--json", "/srv/two.tar", BASE]);
    let next: Value = serde_json::from_str(next.ok()).unwrap();
    assert_eq!(next["root"], "/srv/images/base.versions/2");
    assert_eq!(next["in_use"], false);
    let foreseen = &next["layers"][0]["bytes"];
    let made = ["import", "--as", "2", "--json", "/srv/two.tar", BASE];
    let made: Value = serde_json::from_str(jailctl(&sandbox, &made).ok()).unwrap();
    assert_eq!(*foreseen, made["unpacked"]["bytes"]);
    for (words, why) in [
        (
            ["--as", "2", "/srv/two.tar", BASE],
            "has a version of this name",
        ),
        (
            ["--owner", "keep", "/srv/two.tar", BASE],
            "it is there already",
        ),
        (["--as", "3", "/srv/none.tar", BASE], "/srv/none.tar"),
        (["--as", "3", "/etc/passwd", BASE], "read the archive"),
    ] {
        let refused = dry(&words);
        assert_eq!(refused.code(), Some(3), "{refused}");
        assert!(refused.stderr.contains(why), "{refused}");
    }
    // An image of two layers, compressed.
    sandbox.must(
        "cd /srv; mkdir image; tar -C tree -cf image/a.tar big; tar -cf image/b.tar one.tar; cd image
         echo '[{\"Config\":\"c.json\",\"RepoTags\":[\"x:1\"],\"Layers\":[\"a.tar\",\"b.tar\"]}]' >manifest.json; echo '{}' >c.json
         tar -czf ../image.tgz manifest.json c.json a.tar b.tar",
    );
    let image = dry(&["--as", "3", "--use", "/srv/image.tgz", BASE]);
    let lines: Vec<&str> = image.ok().lines().collect();
    assert_eq!(lines.len(), 3, "{image}");
    assert!(lines[0].ends_with("version 3, in use at once"), "{image}");
    assert_eq!(lines[1], "layer 1 of 2: 1 entries, 3 MiB");
}

#[test]
fn while_versions_are_exchanged_each_login_gets_a_whole_one() {
    let sandbox = with_both();
    sandbox.must(
        "(while [ ! -e /srv/stop ]; do for n in 2 1; do jailctl versions --use $n /srv/images/base >/dev/null; done; done) >/srv/exchanged 2>&1 </dev/null &",
    );
    for _ in 0..15 {
        let seen = seen(&sandbox);
        assert!(["one", "two"].contains(&seen.as_str()), "{seen}");
    }
    sandbox.must("touch /srv/stop");
    let found =
        sandbox.wait_until(|| (sandbox.sh("pgrep -x jailctl").code() != Some(0)).then_some(()));
    assert!(found.is_some());
    assert_eq!(sandbox.read("/srv/exchanged").trim(), "");
}

#[test]
fn an_exchange_that_is_killed_at_any_rename_leaves_a_whole_version_in_use() {
    let what = "an exchange that is killed";
    let sandbox = with_both();
    if sandbox.sh("strace -o /dev/null true").code() != Some(0) {
        return skipped(what, "strace can't trace here");
    }
    let mut used = Vec::new();
    for when in 1..=3 {
        let killed = sandbox.sh(&format!(
            "strace -f -o /srv/trace -e trace=renameat2 -e inject=renameat2:signal=SIGKILL:when={when} jailctl versions --use 2 {BASE}"
        ));
        assert_ne!(killed.code(), Some(0), "{when}: {killed}");
        used.push(seen(&sandbox));
        // The next run gives each its own name again.
        let listed = versions(&sandbox);
        assert!(
            listed == ["1* 0", "2 0"] || listed == ["1 0", "2* 0"],
            "{when}: {listed:?}"
        );
        if listed[1].contains('*') {
            uses(&sandbox, "1").ok();
        }
        assert_eq!(seen(&sandbox), "one", "{when}");
    }
    assert_eq!(
        used,
        ["one", "two", "two"],
        "{}",
        sandbox.read("/srv/trace")
    );
}

#[test]
fn what_is_no_further_version_of_a_base_is_refused_and_leaves_nothing() {
    let sandbox = with_both();
    let before = sandbox.must("find /srv/images -maxdepth 2 | sort");
    sandbox.must("printf x >/srv/damaged; head -c 100000 /srv/two.tar >>/srv/damaged");
    for (arguments, status, why) in [
        (
            &["import", "--as", "2", "/srv/two.tar", BASE][..],
            3,
            "has a version of this name",
        ),
        (
            &["import", "--as", "1", "/srv/two.tar", BASE],
            3,
            "has a version of this name",
        ),
        (
            &["import", "--as", "../x", "/srv/two.tar", BASE],
            2,
            "is no name of a version",
        ),
        (
            &["import", "--as", ".x", "/srv/two.tar", BASE],
            2,
            "is no name of a version",
        ),
        (
            &["import", "--as", "3", "--use", "/srv/damaged", BASE],
            3,
            "it is no tar archive",
        ),
        (
            &[
                "import",
                "--as",
                "3",
                "--max-size",
                "1K",
                "/srv/two.tar",
                BASE,
            ],
            3,
            "--max-size",
        ),
        (
            &["import", "--as", "3", "--user", "ann", "/srv/two.tar", BASE],
            2,
            "--user",
        ),
        (&["import", "--use", "/srv/two.tar", BASE], 2, "--as"),
        (
            &["import", "--as", "1", "/srv/two.tar", "/srv/made"],
            3,
            "was not made by jailctl import",
        ),
        (
            &["versions", "--use", "9", BASE],
            3,
            "there is no such version; it has: 1 2",
        ),
        (&["versions", "--use", "1", BASE], 3, "it is in use already"),
        (
            &["versions", "--remove", "9", BASE],
            3,
            "there is no such version",
        ),
        (&["versions", "/srv/made.not"], 3, "it has none"),
        (&["rollback", BASE], 3, "no other version was in use before"),
        (&["update", BASE], 3, "jailctl import --as"),
    ] {
        let refused = jailctl(&sandbox, arguments);
        assert_eq!(refused.code(), Some(status), "{arguments:?}: {refused}");
        assert!(refused.stderr.contains(why), "{arguments:?}: {refused}");
        assert_eq!(
            sandbox.must("find /srv/images -maxdepth 2 | sort"),
            before,
            "{arguments:?}"
        );
    }
    // The root directory of a jail has homes in it, which no exchange may take away.
    sandbox.must(
        "sed -i 's,^root = .*,root = \"/srv/images/base\",; /^base/d' /etc/login-jail/config.toml",
    );
    for arguments in [
        &["versions", "--use", "2", BASE][..],
        &["import", "--as", "3", "--use", "/srv/two.tar", BASE],
        &["rollback", BASE],
    ] {
        let refused = jailctl(&sandbox, arguments);
        assert_eq!(refused.code(), Some(3), "{arguments:?}: {refused}");
        assert!(
            refused.stderr.contains("it is the root directory of ann"),
            "{refused}"
        );
    }
    // A directory that others could open could be locked by them.
    sandbox.must("chmod 755 /srv/images/base.versions");
    let refused = jailctl(&sandbox, &["versions", BASE]);
    assert!(
        refused
            .stderr
            .contains("chmod 700 /srv/images/base.versions"),
        "{refused}"
    );
}

#[test]
fn a_base_that_was_imported_without_a_name_gets_versions() {
    let sandbox = host();
    jailctl(&sandbox, &["import", "/srv/one.tar", BASE]).ok();
    let waits = jailctl(&sandbox, &["import", "--as", "2", "/srv/two.tar", BASE]);
    assert!(
        waits
            .ok()
            .ends_with("it is not in use yet; run: jailctl versions --use 2 /srv/images/base"),
        "{waits}"
    );
    uses(&sandbox, "2").ok();
    assert_eq!(versions(&sandbox), ["2* 0", "unnamed 0"]);
    jailctl(&sandbox, &["rollback", BASE]).ok();
    assert_eq!(versions(&sandbox), ["2 0", "unnamed* 0"]);
}

/// An image with three layers, made by umoci: the second takes away and replaces, the third makes a directory anew.
const IMAGES: &str = "
cd /srv
umoci init --layout oci
umoci new --image oci:empty
umoci unpack --image oci:empty bundle 2>/dev/null
tar -C bundle/rootfs -xf one.tar
mkdir -p bundle/rootfs/opt/old bundle/rootfs/opt/kept
echo old >bundle/rootfs/opt/old/file
echo kept >bundle/rootfs/opt/kept/file
ln bundle/rootfs/opt/kept/file bundle/rootfs/opt/kept/other
ln -s ../../../../etc/shadow bundle/rootfs/opt/kept/out
install -m 4755 /bin/true bundle/rootfs/opt/kept/set-id
chown 1234:1234 bundle/rootfs/opt/kept/file
umoci repack --image oci:one bundle
umoci unpack --image oci:one second 2>/dev/null
rm -r second/rootfs/opt/old
rm second/rootfs/opt/kept/other
echo two >second/rootfs/usr/share/version
umoci repack --image oci:two second
umoci unpack --image oci:two third 2>/dev/null
mkdir third/rootfs/opt/old
echo new >third/rootfs/opt/old/new
umoci repack --image oci:three third
umoci unpack --image oci:three whole 2>/dev/null
";

#[test]
fn images_that_umoci_has_made_become_what_it_unpacks_itself() {
    let what = "images made by umoci";
    let sandbox = host();
    if sandbox.sh("command -v umoci").code() != Some(0) {
        return skipped(what, "umoci is not installed");
    }
    sandbox.must(IMAGES);
    for version in ["one", "two", "three"] {
        let imported = jailctl(
            &sandbox,
            &[
                "import", "--image", version, "--as", version, "--json", "/srv/oci", BASE,
            ],
        );
        let imported: Value = serde_json::from_str(imported.ok()).unwrap();
        assert_eq!(
            imported["unpacked"]["refused"],
            Value::Array(Vec::new()),
            "{imported}"
        );
        let digest = imported["digest"].as_str().unwrap();
        sandbox.must(&format!("grep -q {digest} /srv/oci/index.json"));
    }
    assert_eq!(seen(&sandbox), "one");
    uses(&sandbox, "three").ok();
    assert_eq!(seen(&sandbox), "two");
    // By names, kinds, contents, modes and owners, but for the set-id bit, which no jail needs.
    let listed = |directory: &str| {
        sandbox.must(&format!(
            "cd {directory}; find . -path ./.login-jail -prune -o -printf '%P %y %m %U %l\\n' | sort; find . -path ./.login-jail -prune -o -type f -print0 | sort -z | xargs -0 sha256sum"
        ))
    };
    let of_umoci = listed("/srv/whole/rootfs").replace("set-id f 4755", "set-id f 755");
    let top = |text: &str| text.split_once('\n').map(|(_, rest)| rest.to_owned());
    assert_eq!(top(&listed(BASE)), top(&of_umoci));
    assert!(of_umoci.contains("opt/old/new f") && !of_umoci.contains("opt/old/file"));

    // What the layout does not say is refused: one flipped byte of a layer.
    sandbox.must("layer=$(ls -S /srv/oci/blobs/sha256 | head -n 1); printf x | dd of=/srv/oci/blobs/sha256/$layer bs=1 seek=1000 conv=notrunc 2>/dev/null");
    let refused = jailctl(
        &sandbox,
        &[
            "import", "--image", "three", "--as", "four", "/srv/oci", BASE,
        ],
    );
    assert_eq!(refused.code(), Some(3), "{refused}");
    assert!(refused.stderr.contains("its digest is"), "{refused}");
    assert_eq!(versions(&sandbox), ["one 0", "three* 0", "two 0"]);
}
