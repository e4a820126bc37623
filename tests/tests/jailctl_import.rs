//! `jailctl import`: what others have packed becomes a root, and never anything outside of it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::io::Write;

use login_jail_tests::{Outcome, Sandbox, roots, skipped};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

const ROOT: &str = "/srv/jails/ann";

fn header(kind: EntryType, mode: u32, size: usize) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_000_000_000);
    header.set_size(size as u64);
    header
}

/// An archive in the making, which takes any name.
struct Archive(Builder<Vec<u8>>);

impl Archive {
    fn new() -> Archive {
        Archive(Builder::new(Vec::new()))
    }

    fn add(mut self, kind: EntryType, name: &str, link: &str, mode: u32, bytes: &[u8]) -> Archive {
        let mut header = header(kind, mode, bytes.len());
        // Past the library's own checks.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        self.0.append(&header, bytes).unwrap();
        self
    }

    fn file(self, name: &str, text: &str) -> Archive {
        self.add(EntryType::Regular, name, "", 0o644, text.as_bytes())
    }

    fn blob(self, name: &str, bytes: &[u8]) -> Archive {
        self.add(EntryType::Regular, name, "", 0o644, bytes)
    }

    fn directory(self, name: &str) -> Archive {
        self.add(EntryType::Directory, name, "", 0o755, b"")
    }

    fn link(self, name: &str, to: &str) -> Archive {
        self.add(EntryType::Symlink, name, to, 0o777, b"")
    }

    fn hard_link(self, name: &str, to: &str) -> Archive {
        self.add(EntryType::Link, name, to, 0o644, b"")
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

fn import(bytes: &[u8], options: &[&str]) -> (Sandbox, Outcome) {
    let sandbox = Sandbox::bare();
    sandbox.must("mkdir -p /srv/jails");
    sandbox.write("/srv/source", bytes);
    let outcome = sandbox.jailctl(&[&["import", "/srv/source", ROOT], options].concat());
    (sandbox, outcome)
}

/// Everything in /srv but the root, which is all that an archive could have changed beside it.
fn outside(sandbox: &Sandbox) -> String {
    sandbox.must(&format!("find /srv /etc/passwd /etc/escaped /escaped ! -path '{ROOT}*' ! -path '/srv/ftp*' 2>/dev/null | sort; true"))
}

const UNTOUCHED: &str = "/etc/passwd\n/srv\n/srv/jails\n/srv/source";

#[test]
fn an_exported_busybox_is_a_jail() {
    let sandbox = Sandbox::new()
        .user("bea")
        .root(roots::busybox())
        .user("ann");
    sandbox.must("tar -C /srv/jails/bea -cf /srv/source .");
    sandbox.jailctl(&["import", "/srv/source", ROOT]).ok();
    sandbox.must(&format!("install -d -m 700 -o ann {ROOT}/home/ann"));
    assert_eq!(
        sandbox
            .ssh("ann", "echo text >file; cat file; cat /etc/issue")
            .ok(),
        "text\na jail of busybox"
    );
}

#[test]
fn an_exported_debian_is_a_jail_and_so_is_its_directory() {
    let debian = match roots::debian() {
        Ok(root) => root,
        Err(reason) => return skipped("importing a Debian", reason),
    };
    let sandbox = Sandbox::new().user("bea").root(debian).user("ann");
    sandbox.must("tar -C /srv/jails/bea -czf /srv/source.tar.gz .");
    for source in ["/srv/source.tar.gz", "/srv/jails/bea"] {
        let outcome = sandbox.jailctl(&["import", source, ROOT]);
        assert_eq!(outcome.code(), Some(0), "{outcome}");
        sandbox.must(&format!("install -d -m 700 -o ann {ROOT}/home/ann"));
        assert!(
            sandbox
                .ssh("ann", "dpkg --list")
                .ok()
                .contains("base-files")
        );
        assert_eq!(
            sandbox.must(&format!("find {ROOT} -perm /6000 -type f")),
            ""
        );
        sandbox.must(&format!("rm -rf {ROOT}"));
    }
}

#[test]
fn names_that_lead_out_are_refused_and_write_nothing_there() {
    let archive = Archive::new()
        .file("../escaped", "x")
        .file("../../../../escaped", "x")
        .file("a/../../escaped", "x")
        .file("/etc/escaped", "x")
        .bytes();
    let (sandbox, outcome) = import(&archive, &[]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert_eq!(
        outcome.stderr.matches("its path has .. in it").count(),
        3,
        "{outcome}"
    );
    assert_eq!(outside(&sandbox), UNTOUCHED);
    assert_eq!(sandbox.read(&format!("{ROOT}/etc/escaped")), "x");
}

#[test]
fn links_that_lead_out_lead_nowhere() {
    let archive = Archive::new()
        .directory("srv")
        .link("absolute", "/srv")
        .file("absolute/inside", "x")
        .link("relative", "../../../../srv")
        .file("relative/inside-too", "x")
        .link("here", "..")
        .file("here/escaped", "x")
        .link("passwd", "/etc/passwd")
        .file("passwd", "mine")
        .link("proc", "/proc/self/root")
        .file("proc/escaped", "x")
        .bytes();
    let (sandbox, outcome) = import(&archive, &[]);
    assert_eq!(outside(&sandbox), UNTOUCHED, "{outcome}");
    assert!(sandbox.must("cat /etc/passwd").starts_with("root:"));
    assert_eq!(
        sandbox.must(&format!("ls {ROOT}/srv")),
        "inside\ninside-too"
    );
    assert_eq!(sandbox.read(&format!("{ROOT}/passwd")), "mine");
}

#[test]
fn hard_links_out_and_to_nothing_are_refused() {
    let archive = Archive::new()
        .hard_link("a", "../../../../etc/passwd")
        .hard_link("b", "/etc/passwd")
        .link("etc", "/../../etc")
        .hard_link("c", "etc/passwd")
        .link("l", "/etc/passwd")
        .hard_link("d", "l")
        .file("d", "over")
        .bytes();
    let (sandbox, outcome) = import(&archive, &[]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert_eq!(outside(&sandbox), UNTOUCHED);
    assert_eq!(sandbox.must("stat -c %h /etc/passwd"), "1");
    assert_eq!(sandbox.read(&format!("{ROOT}/d")), "over");
    assert_eq!(
        sandbox.must(&format!("ls {ROOT}")),
        "d\ndev\netc\nhome\nl\nproc\nrun\ntmp\nvar"
    );
}

#[test]
fn devices_stay_out_and_set_id_bits_as_the_option_says() {
    let archive = || {
        Archive::new()
            .add(EntryType::Char, "null", "", 0o666, b"")
            .add(EntryType::Block, "disk", "", 0o666, b"")
            .add(EntryType::Fifo, "pipe", "", 0o666, b"")
            .add(EntryType::Regular, "su", "", 0o6755, b"x")
            .bytes()
    };
    let (sandbox, outcome) = import(&archive(), &[]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert!(outcome.stderr.contains("3 device nodes"), "{outcome}");
    assert_eq!(
        sandbox.must(&format!(
            "stat -c %a {ROOT}/su; ls -d {ROOT}/null {ROOT}/disk {ROOT}/pipe 2>/dev/null || true"
        )),
        "755"
    );
    let (sandbox, _) = import(&archive(), &["--set-id", "keep"]);
    assert_eq!(sandbox.must(&format!("stat -c %a {ROOT}/su")), "6755");
}

#[test]
fn the_directory_of_the_manifest_is_out_of_reach() {
    let archive = Archive::new()
        .file(".login-jail/manifest.json", "{}")
        .link("here", ".")
        .file("here/.login-jail/previous/manifest.json", "{}")
        .link("control", ".login-jail")
        .file("control/previous/manifest.json", "{}")
        .bytes();
    let (sandbox, outcome) = import(&archive, &[]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert_eq!(
        sandbox.must(&format!(
            "ls -A {ROOT}/.login-jail; stat -c '%a %U' {ROOT}/.login-jail"
        )),
        "manifest.json\n700 root"
    );
}

#[test]
fn the_last_of_several_entries_of_one_name_counts() {
    let archive = Archive::new()
        .file("a", "first")
        .file("a", "last")
        .directory("b")
        .file("b/in", "x")
        .file("b", "a file now")
        .link("c", "/nowhere")
        .directory("c")
        .file("c/in", "x")
        .bytes();
    let (sandbox, outcome) = import(&archive, &[]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(
        sandbox.must(&format!("cat {ROOT}/a {ROOT}/b {ROOT}/c/in")),
        "lasta file nowx"
    );
}

#[test]
fn what_is_too_much_ends_it_and_leaves_nothing() {
    let zeros = vec![0; 8 << 20];
    let bomb = Archive::new().blob("zeros", &zeros).bytes();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&bomb).unwrap();
    let many = (0..100)
        .fold(Archive::new(), |archive, n| {
            archive.file(&format!("f{n}"), "")
        })
        .bytes();
    let sparse = Archive::new()
        .add(EntryType::GNUSparse, "sparse", "", 0o644, b"")
        .bytes();
    let long = Archive::new()
        .add(EntryType::GNULongName, "././@LongLink", "", 0o644, &zeros)
        .bytes();
    let cut = &bomb[..1 << 20];
    for (archive, options, reason) in [
        (
            gzip.finish().unwrap().as_slice(),
            &["--max-size", "4M"][..],
            "more than 4194304 bytes",
        ),
        (&many, &["--max-entries", "50"], "more than 50 entries"),
        (&sparse, &[], "is a sparse file"),
        (&long, &[], "a name of 8388608 bytes"),
        (cut, &[], "unexpected EOF"),
        (
            b"no archive at all".repeat(100).as_slice(),
            &[],
            "read the archive",
        ),
    ] {
        let (sandbox, outcome) = import(archive, options);
        assert_eq!(outcome.code(), Some(3), "{outcome}");
        assert!(outcome.stderr.contains(reason), "{reason}: {outcome}");
        assert_eq!(sandbox.must("ls -A /srv/jails"), "", "{reason}");
    }
}

/// Two layers: the second replaces, takes away, and empties a directory before filling it.
fn layers() -> [Vec<u8>; 2] {
    let first = Archive::new()
        .directory("etc")
        .file("etc/kept", "first")
        .file("etc/replaced", "first")
        .file("etc/gone", "first")
        .directory("opt")
        .directory("opt/old")
        .file("opt/old/file", "first")
        .bytes();
    let second = Archive::new()
        .file("etc/replaced", "second")
        .file("etc/.wh.gone", "")
        .file("opt/new", "second")
        .file("opt/.wh..wh..opq", "")
        .file(".wh...", "")
        .file("etc/.wh.", "")
        .bytes();
    [first, second]
}

fn hexadecimal(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// An image as the OCI has it, with layers that are compressed in two ways.
fn oci(spoil: bool) -> Vec<u8> {
    let [first, second] = layers();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&first).unwrap();
    let first = gzip.finish().unwrap();
    let digests = [hexadecimal(&first), hexadecimal(&second)];
    let manifest = format!(
        r#"{{"schemaVersion":2,"layers":[{{"digest":"sha256:{}"}},{{"digest":"sha256:{}"}}]}}"#,
        digests[0], digests[1]
    );
    let name = hexadecimal(manifest.as_bytes());
    let other = r#"{"digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","platform":{"os":"plan9"}}"#;
    let index =
        format!(r#"{{"schemaVersion":2,"manifests":[{other},{{"digest":"sha256:{name}"}}]}}"#);
    let first = if spoil { second.clone() } else { first };
    Archive::new()
        .file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)
        .file("index.json", &index)
        .file(&format!("blobs/sha256/{name}"), &manifest)
        .blob(&format!("blobs/sha256/{}", digests[0]), &first)
        .blob(&format!("blobs/sha256/{}", digests[1]), &second)
        .bytes()
}

fn check_layers(sandbox: &Sandbox, outcome: &Outcome) {
    assert_eq!(
        outcome.code(),
        Some(1),
        "the odd whiteouts are findings: {outcome}"
    );
    let script = format!("cd {ROOT}; ls etc opt; cat etc/kept etc/replaced opt/new");
    assert_eq!(
        sandbox.must(&script),
        "etc:\nkept\nreplaced\n\nopt:\nnew\nfirstsecondsecond"
    );
    assert_eq!(sandbox.must("ls /srv/jails"), "ann");
}

#[test]
fn the_layers_of_a_saved_image_are_laid_over_each_other() {
    let [first, second] = layers();
    let archive = Archive::new()
        .blob("0a/layer.tar", &first)
        .blob("0b/layer.tar", &second)
        .link("0c/layer.tar", "../0b/layer.tar")
        .file(
            "manifest.json",
            r#"[{"RepoTags":["x:1"],"Layers":["0a/layer.tar","0c/layer.tar"]}]"#,
        );
    let archive = Archive::new()
        .file("repositories", "{}")
        .0
        .into_inner()
        .map(|start| {
            // Without the end mark of the first archive.
            [&start[..1024], &archive.bytes()].concat()
        });
    let (sandbox, outcome) = import(&archive.unwrap(), &[]);
    check_layers(&sandbox, &outcome);
}

#[test]
fn an_oci_layout_is_read_from_an_archive_a_compressed_one_and_a_directory() {
    let (sandbox, outcome) = import(&oci(false), &[]);
    check_layers(&sandbox, &outcome);
    sandbox.must(&format!("rm -rf {ROOT}; gzip -k /srv/source"));
    check_layers(
        &sandbox,
        &sandbox.jailctl(&["import", "/srv/source.gz", ROOT]),
    );
    sandbox.must(&format!(
        "rm -rf {ROOT}; mkdir /srv/layout; tar -C /srv/layout -xf /srv/source"
    ));
    check_layers(&sandbox, &sandbox.jailctl(&["import", "/srv/layout", ROOT]));
}

#[test]
fn a_layer_that_is_not_what_the_image_says_is_refused() {
    let (sandbox, outcome) = import(&oci(true), &[]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(outcome.stderr.contains("its digest is"), "{outcome}");
    assert_eq!(sandbox.must("ls -A /srv/jails"), "");
}

#[test]
fn zstd_is_read_in_one_frame_or_several() {
    let sandbox = Sandbox::bare();
    if sandbox.sh("command -v zstd").code() != Some(0) {
        return skipped("zstd archives", "zstd is not on this machine");
    }
    let archive = Archive::new().file("a", "text").bytes();
    let (one, two) = archive.split_at(700);
    sandbox.must("mkdir -p /srv/jails");
    sandbox.write("/srv/one", one);
    sandbox.write("/srv/two", two);
    sandbox.must("cd /srv; zstd -q one two; cat one.zst two.zst >source");
    let outcome = sandbox.jailctl(&["import", "/srv/source", ROOT]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(sandbox.read(&format!("{ROOT}/a")), "text");
}

#[test]
fn a_root_that_is_there_is_not_imported_over() {
    let archive = Archive::new().file("a", "text").bytes();
    let (sandbox, _) = import(&archive, &[]);
    let outcome = sandbox.jailctl(&["import", "/srv/source", ROOT]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(outcome.stderr.contains("it is there already"), "{outcome}");
}

/// The real one takes a network, which the sandbox has not: a stand-in takes its place.
#[test]
fn what_debootstrap_makes_becomes_a_root() {
    let sandbox = Sandbox::bare();
    let script = r#"#!/bin/sh
[ "$1 $2 $4" = "--variant=minbase bookworm http://mirror" ] || { echo "$*" >&2; exit 1; }
mkdir -p "$3/bin" "$3/etc" "$3/dev" && echo debian >"$3/etc/issue" && cp /bin/su "$3/bin/su" && chmod 4755 "$3/bin/su"
mknod "$3/dev/null" c 1 3
mount -t proc none "$3/etc/../dev" || true
"#;
    sandbox.write("/usr/sbin/debootstrap", script);
    sandbox.must("chmod 755 /usr/sbin/debootstrap; mkdir -p /srv/jails");
    let arguments = [
        "import",
        "debootstrap:bookworm",
        ROOT,
        "--mirror",
        "http://mirror",
    ];
    let outcome = sandbox.jailctl(&arguments);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(
        sandbox.must(&format!(
            "cat {ROOT}/etc/issue; stat -c %a {ROOT}/bin/su; ls -A {ROOT}/.login-jail"
        )),
        "debian\n755\nmanifest.json"
    );
    let outcome = sandbox.jailctl(&["import", "debootstrap:sid", "/srv/jails/bea"]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    let outcome = sandbox.jailctl(&["import", "debootstrap:--help", "/srv/jails/bea"]);
    assert_eq!(outcome.code(), Some(2), "{outcome}");
    assert_eq!(sandbox.must("ls -A /srv/jails"), "ann");
}
