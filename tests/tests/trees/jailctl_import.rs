//! `jailctl import`: what others have packed becomes a root, and never anything outside of it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::io::Write;

use login_jail_tests::{Outcome, Sandbox, roots, skipped, stall::has_fuse};
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

/// One record of a pax header: its length counts itself.
fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let length = (1..6)
        .map(|digits| rest + digits)
        .find(|length| length.to_string().len() + rest == *length);
    format!("{} {key}={value}\n", length.unwrap())
}

/// An archive in the making, which takes any name.
struct Archive(Builder<Vec<u8>>);

impl Archive {
    fn new() -> Archive {
        Archive(Builder::new(Vec::new()))
    }

    fn add(self, kind: EntryType, name: &str, link: &str, mode: u32, bytes: &[u8]) -> Archive {
        self.raw(kind, name.as_bytes(), link.as_bytes(), mode, bytes)
    }

    fn raw(
        mut self,
        kind: EntryType,
        name: &[u8],
        link: &[u8],
        mode: u32,
        bytes: &[u8],
    ) -> Archive {
        let mut header = header(kind, mode, bytes.len());
        // Past the library's own checks.
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
        header.set_cksum();
        self.0.append(&header, bytes).unwrap();
        self
    }

    /// Gives the entry that follows a name that its header has no place for.
    fn long_name(self, name: &str) -> Archive {
        let text = format!("{name}\0");
        self.blob_of(EntryType::GNULongName, "././@LongLink", text.as_bytes())
    }

    fn long_link(self, to: &str) -> Archive {
        let text = format!("{to}\0");
        self.blob_of(EntryType::GNULongLink, "././@LongLink", text.as_bytes())
    }

    /// Gives the entry that follows these pax records.
    fn pax(self, records: &[(&str, &str)]) -> Archive {
        let text: String = records
            .iter()
            .map(|(key, value)| record(key, value))
            .collect();
        self.blob_of(EntryType::XHeader, "pax", text.as_bytes())
    }

    /// Adds a sparse file of GNU's own kind: where its pieces are, and how long it is.
    fn sparse(mut self, pieces: &[(u64, u64)], real: u64, bytes: &[u8]) -> Archive {
        let mut header = header(EntryType::GNUSparse, 0o644, bytes.len());
        header.as_old_mut().name[..6].copy_from_slice(b"sparse");
        let gnu = header.as_gnu_mut().unwrap();
        gnu.set_real_size(real);
        for ((at, length), field) in pieces.iter().zip(&mut gnu.sparse) {
            field.set_offset(*at);
            field.set_length(*length);
        }
        header.set_cksum();
        self.0.append(&header, bytes).unwrap();
        self
    }

    fn blob_of(self, kind: EntryType, name: &str, bytes: &[u8]) -> Archive {
        self.add(kind, name, "", 0o644, bytes)
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
        "d\ndev\netc\nhome\nl\nproc\nrun\nsys\ntmp\nvar"
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
    let sparse = Archive::new().sparse(&[], 8 << 20, b"").bytes();
    let long = Archive::new()
        .add(EntryType::GNULongName, "././@LongLink", "", 0o644, &zeros)
        .bytes();
    let cut = &bomb[..1 << 20];
    let ignored = gzipped(
        &Archive::new()
            .blob("../zeros", &zeros)
            .file("a", "")
            .bytes(),
    );
    for (archive, options, reason) in [
        (
            gzip.finish().unwrap().as_slice(),
            &["--max-size", "4M"][..],
            "more than 4194304 bytes",
        ),
        (&many, &["--max-entries", "50"], "more than 50 entries"),
        (&sparse, &["--max-size", "4M"], "more than 4194304 bytes"),
        (
            &sparse,
            &["--max-size", "8388607"],
            "more than 8388607 bytes",
        ),
        (&long, &[], "a name of 8388608 bytes"),
        (cut, &[], "it ends too early"),
        (
            &ignored,
            &["--max-size", "1M", "--max-entries", "10"],
            "more than may come out",
        ),
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
    // Nor one whose list of layers is not the one that its index means.
    let mut archive = oci(false);
    let text = br#"[{"digest":"sha256:"#;
    let list = archive.windows(text.len()).rposition(|part| part == text);
    archive[list.unwrap()] = b' ';
    let (sandbox, outcome) = import(&archive, &[]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(outcome.stderr.contains("its digest is"), "{outcome}");
    assert_eq!(sandbox.must("ls -A /srv/jails"), "");
}

#[test]
fn what_is_no_archive_or_has_nothing_in_it_or_no_image_is_said() {
    let plain = Archive::new().file("a", "text").bytes();
    for (archive, options, status, reason) in [
        (&b""[..], &[][..], 3, "there is nothing in it"),
        (&[0; 1024], &[], 3, "there is nothing in it"),
        (&[1; 1024], &[], 3, "it is no tar archive"),
        (&plain, &["--image", "x"], 2, "leave it out"),
    ] {
        let (sandbox, outcome) = import(archive, options);
        assert_eq!(outcome.code(), Some(status), "{outcome}");
        assert!(outcome.stderr.contains(reason), "{reason}: {outcome}");
        assert_eq!(sandbox.must("ls -A /srv/jails"), "");
    }
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
    // Nor is the host's system built in the place of the imported one, or taken for its newer version.
    for (arguments, reason) in [
        (
            &["build", ROOT, "--program", "cat"][..],
            "it was imported from /srv/source",
        ),
        (&["update", ROOT], "it was imported from /srv/source"),
        (&["rollback", ROOT], "no generation before this one"),
    ] {
        let outcome = sandbox.jailctl(arguments);
        assert_eq!(outcome.code(), Some(3), "{outcome}");
        assert!(outcome.stderr.contains(reason), "{outcome}");
    }
    assert_eq!(
        sandbox.must(&format!("cat {ROOT}/a; ls {ROOT}")),
        "texta\ndev\netc\nhome\nproc\nrun\nsys\ntmp\nvar"
    );
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
    assert!(
        outcome.stderr.contains("--variant=minbase sid"),
        "its reason: {outcome}"
    );
    let outcome = sandbox.jailctl(&["import", "debootstrap:--help", "/srv/jails/bea"]);
    assert_eq!(outcome.code(), Some(2), "{outcome}");
    assert_eq!(sandbox.must("ls -A /srv/jails"), "ann");
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// Nothing of what jailctl says would move a cursor.
#[track_caller]
fn assert_printable(outcome: &Outcome) {
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    let hidden = |letter: char| letter.is_control() && letter != '\n';
    assert!(!said.contains(hidden), "{said:?}");
}

#[test]
fn no_name_of_an_archive_writes_to_the_terminal() {
    let evil = "\u{1b}[2J\rroot: fine\u{9b}K";
    let layer = Archive::new().link("a", "/nowhere").file(evil, "").bytes();
    let saved = |manifest: &str| {
        Archive::new()
            .file("manifest.json", manifest)
            .blob("l", &layer)
            .bytes()
    };
    let escaped = serde_json::Value::from(evil).to_string();
    for archive in [
        Archive::new().file(&format!("../{evil}"), "x").bytes(),
        Archive::new()
            .file(evil, "x")
            .hard_link("b", evil)
            .link(evil, "c")
            .bytes(),
        Archive::new()
            .blob_of(EntryType::GNUSparse, evil, b"")
            .bytes(),
        Archive::new()
            .pax(&[("size", evil), ("path", evil)])
            .file("a", "x")
            .bytes(),
        saved(&format!(r#"[{{"Layers":[{escaped}]}}]"#)),
        saved(&format!(
            r#"[{{"RepoTags":[{escaped}]}},{{"RepoTags":[{escaped}]}}]"#
        )),
        saved(&format!(r#"[{{"Layers":["l"]}},{escaped}]"#)),
        Archive::new()
            .file(
                "index.json",
                &format!(r#"{{"manifests":[{{"digest":{escaped}}}]}}"#),
            )
            .bytes(),
        Archive::new()
            .directory(evil)
            .file(&format!("{evil}/.wh..wh..opq"), "")
            .bytes(),
    ] {
        let (sandbox, outcome) = import(&archive, &[]);
        assert_printable(&outcome);
        sandbox.must(&format!("rm -rf {ROOT}"));
        assert_printable(&sandbox.jailctl(&["import", "/srv/source", ROOT, "--json"]));
    }
}

#[test]
fn names_that_are_no_text_are_reported_as_json_too() {
    let archive = Archive::new()
        .raw(EntryType::Regular, b"../\xff", b"", 0o644, b"")
        .raw(EntryType::Regular, b"kept\xff", b"", 0o644, b"text")
        .bytes();
    let (sandbox, outcome) = import(&archive, &["--json"]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(report["unpacked"]["refused"][0]["path"], "../\u{fffd}");
    assert_eq!(sandbox.must(&format!("cat {ROOT}/kept*")), "text");
}

#[test]
fn a_name_that_no_file_can_have_is_not_kept_in_memory() {
    let long = "x/".repeat(3000);
    let archive = Archive::new().long_name(&long).file("a", "").bytes();
    let (_, outcome) = import(&archive, &[]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(outcome.stderr.contains("a name of 6001 bytes"), "{outcome}");
    let pax = Archive::new().pax(&[("path", &long)]).file("a", "").bytes();
    let (_, outcome) = import(&pax, &[]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(outcome.stderr.contains("a name of 6000 bytes"), "{outcome}");
    let many = (0..3000).fold(Archive::new(), |archive, n| {
        archive.file(&format!("../{n}"), "")
    });
    let (_, outcome) = import(&many.bytes(), &["--json"]);
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(
        report["unpacked"]["refused"].as_array().unwrap().len(),
        1000
    );
    assert_eq!(report["unpacked"]["refused_more"], 2000);
}

#[test]
fn directories_that_are_made_on_the_way_count_as_entries() {
    let archive = (0..10).fold(Archive::new(), |archive, n| {
        archive.file(&format!("{n}/{}file", "d/".repeat(20)), "x")
    });
    let archive = archive.bytes();
    let (sandbox, outcome) = import(&archive, &["--max-entries", "100"]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(
        outcome.stderr.contains("more than 100 entries"),
        "{outcome}"
    );
    assert_eq!(sandbox.must("ls -A /srv/jails"), "");
    let outcome = sandbox.jailctl(&["import", "/srv/source", ROOT, "--max-entries", "220"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
}

/// Links of the archive's own lead on from where no path reaches any more.
#[test]
fn a_tree_that_is_deeper_than_any_path_is_taken_away_again() {
    let down = "d/".repeat(1000);
    let down = down.trim_end_matches('/');
    let mut archive = Archive::new();
    let mut from = String::new();
    for n in 0..5 {
        let deeper = format!("{from}{down}");
        archive = archive.long_name(&format!("{deeper}/f")).file("f", "x");
        archive = archive.long_link(&deeper).link(&format!("l{n}"), "");
        from = format!("l{n}/");
    }
    let archive = archive.blob("zeros", &[0; 2 << 20]).bytes();
    let (sandbox, outcome) = import(&archive, &["--max-size", "1M"]);
    assert!(
        outcome.stderr.contains("--max-size allows more"),
        "{outcome}"
    );
    assert_eq!(sandbox.must("ls -A /srv/jails"), "");
}

#[test]
fn many_entries_take_time_as_their_number() {
    let mut archive = Archive::new();
    for n in 0..30_000 {
        archive = archive.directory(&format!("d/{n}"));
    }
    let archive = archive.blob("zeros", &[0; 2 << 20]).bytes();
    let started = std::time::Instant::now();
    let (sandbox, outcome) = import(&gzipped(&archive), &["--max-size", "1M"]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert_eq!(sandbox.must("ls -A /srv/jails"), "");
    let taken = started.elapsed();
    assert!(taken.as_secs() < 10, "taken away in {taken:?}");

    let first = (0..10_000).fold(Archive::new(), |it, n| it.directory(&format!("d/low{n}")));
    let second = (0..10_000).fold(Archive::new(), |it, n| it.file(&format!("d/up{n}"), ""));
    let second = second.file("d/.wh..wh..opq", "");
    let image = Archive::new()
        .file("manifest.json", r#"[{"Layers":["a","b"]}]"#)
        .blob("a", &first.bytes())
        .blob("b", &second.bytes());
    let started = std::time::Instant::now();
    let (sandbox, outcome) = import(&gzipped(&image.bytes()), &[]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(sandbox.must(&format!("ls {ROOT}/d | wc -l")), "10000");
    let taken = started.elapsed();
    assert!(taken.as_secs() < 10, "emptied in {taken:?}");
}

#[test]
fn a_directory_is_not_copied_into_itself_and_other_file_systems_stay_out() {
    let sandbox = Sandbox::bare();
    sandbox.must(
        "mkdir -p /srv/jails /srv/own /srv/mounted /srv/bound; echo text >/srv/own/file
         mount -t tmpfs none /srv/mounted; echo secret >/srv/mounted/file
         mount --bind /srv/own /srv/bound",
    );
    let outcome = sandbox.jailctl(&["import", "/srv", ROOT, "--max-size", "10M"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert!(
        outcome.stderr.contains("2 mount points were left empty"),
        "{outcome}"
    );
    let found = format!(
        "cd {ROOT}; find . -path ./dev -prune -o -type f -print | sort; ls jails mounted bound"
    );
    assert_eq!(
        sandbox.must(&found),
        "./.login-jail/manifest.json\n./own/file\nbound:\n\njails:\n\nmounted:"
    );
}

/// RFC 8878, 3.1.2: what zstd:chunked has behind a layer, and pzstd before each frame.
#[test]
fn frames_of_zstd_that_are_to_be_skipped_are_skipped() {
    let sandbox = Sandbox::bare();
    if sandbox.sh("command -v zstd").code() != Some(0) {
        return skipped("zstd archives", "zstd is not on this machine");
    }
    let archive = Archive::new().file("a", "text").bytes();
    sandbox.must("mkdir -p /srv/jails");
    sandbox.write("/srv/archive", archive);
    sandbox.write("/srv/skip", b"\x5f\x2a\x4d\x18\x04\0\0\0abcd");
    sandbox.must("cd /srv; zstd -q archive; cat skip archive.zst skip >first; cat archive.zst skip skip >last");
    for source in ["/srv/first", "/srv/last"] {
        let outcome = sandbox.jailctl(&["import", source, ROOT]);
        assert_eq!(outcome.code(), Some(0), "{source}: {outcome}");
        assert_eq!(sandbox.read(&format!("{ROOT}/a")), "text");
        sandbox.must(&format!("rm -rf {ROOT}"));
    }
    // A length that the file does not have, and a window larger than memory.
    sandbox.write("/srv/cut", b"\x50\x2a\x4d\x18\xff\xff\xff\xff");
    sandbox.write("/srv/window", b"\x28\xb5\x2f\xfd\0\xff\x01\0\0");
    for source in ["/srv/cut", "/srv/window"] {
        let outcome = sandbox.sh(&format!(
            "ulimit -v 1000000; {} import {source} {ROOT}",
            login_jail_tests::jailctl()
        ));
        assert_eq!(outcome.code(), Some(3), "{source}: {outcome}");
        assert_eq!(sandbox.must("ls -A /srv/jails"), "");
    }
}

#[test]
fn an_archive_is_read_from_a_pipe() {
    let sandbox = Sandbox::bare();
    sandbox.must("mkdir -p /srv/jails");
    for (archive, file) in [
        (Archive::new().file("a", "text").bytes(), "a"),
        (oci(false), "etc/kept"),
    ] {
        let command = [
            login_jail_tests::jailctl(),
            "import".to_owned(),
            "-".to_owned(),
            ROOT.to_owned(),
        ];
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let outcome = sandbox.run_with(&command, &archive);
        assert!(matches!(outcome.code(), Some(0 | 1)), "{outcome}");
        sandbox.must(&format!("test -s {ROOT}/{file} && rm -rf {ROOT}"));
    }
}

#[test]
fn pax_records_name_and_own_what_follows_and_nothing_else() {
    let capability = "\u{1}\0\0\u{2}\0\u{20}\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let archive = Archive::new()
        .pax(&[("path", "../../escaped"), ("uid", "4294967295")])
        .file("a", "x")
        .pax(&[
            ("path", "real"),
            ("uid", "99999999999"),
            ("SCHILY.xattr.security.capability", capability),
        ])
        .file("header", "x")
        .pax(&[("linkpath", "../../../../../etc/passwd")])
        .hard_link("h", "real")
        .pax(&[("path", ".login-jail/manifest.json")])
        .file("m", "{}")
        .bytes();
    let (sandbox, outcome) = import(&archive, &[]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert_eq!(outside(&sandbox), UNTOUCHED);
    assert_eq!(
        sandbox.must(&format!(
            "cd {ROOT}; ls -A; stat -c %u real; getcap -r . 2>/dev/null; cat real"
        )),
        ".login-jail\ndev\netc\nhome\nproc\nreal\nrun\nsys\ntmp\nvar\n0\nx"
    );
    let two_sizes = Archive::new()
        .pax(&[("size", "600")])
        .file("a", "x")
        .file("b", "x")
        .bytes();
    let (sandbox, outcome) = import(&two_sizes, &[]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert_eq!(sandbox.must("ls -A /srv/jails"), "");
}

#[test]
fn an_entry_of_an_unknown_kind_is_said_and_an_old_directory_is_one() {
    let archive = Archive::new()
        .add(EntryType::new(b'V'), "label", "", 0o644, b"")
        .add(EntryType::Regular, "old/", "", 0o755, b"")
        .file("old/file", "text")
        .bytes();
    let (sandbox, outcome) = import(&archive, &[]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert!(outcome.stderr.contains("label"), "{outcome}");
    assert_eq!(sandbox.read(&format!("{ROOT}/old/file")), "text");
}

#[test]
fn sparse_files_of_every_kind_are_what_they_were() {
    let sandbox = Sandbox::bare();
    if !sandbox.sh("tar --version").stdout.contains("GNU tar") {
        return skipped("sparse archives", "tar is not GNU's");
    }
    // More pieces than a header has room for, and one that ends with a hole.
    sandbox.must(
        "mkdir -p /srv/jails /srv/tree; cd /srv/tree; truncate -s 20M many end all
         for n in $(seq 0 2 60); do printf piece$n | dd of=many bs=1 seek=$((n * 300000)) conv=notrunc status=none; done
         printf start | dd of=end conv=notrunc status=none; echo plain >plain; chmod 600 many",
    );
    for format in [
        "gnu",
        "pax --sparse-version=0.0",
        "pax --sparse-version=0.1",
        "pax --sparse-version=1.0",
    ] {
        sandbox.must(&format!(
            "tar -C /srv/tree -S --format={format} -cf /srv/source ."
        ));
        assert!(
            sandbox.must("stat -c %s /srv/source").len() < 7,
            "{format} is sparse"
        );
        let outcome = sandbox.jailctl(&["import", "/srv/source", ROOT]);
        assert_eq!(outcome.code(), Some(0), "{format}: {outcome}");
        sandbox.must(&format!(
            "cd /srv/tree; for file in *; do cmp $file {ROOT}/$file; done"
        ));
        let used = sandbox.must(&format!(
            "du -k {ROOT}/many {ROOT}/end {ROOT}/all | awk '{{ n += $1 }} END {{ print n }}'"
        ));
        assert!(used.parse::<u64>().unwrap() < 2000, "{format}: {used}");
        assert_eq!(sandbox.must(&format!("stat -c %a {ROOT}/many")), "600");
        sandbox.must(&format!("rm -rf {ROOT}"));
    }
}

#[test]
fn sparse_files_that_make_no_sense_end_the_import() {
    let one = |records: &[(&str, &str)], bytes: &[u8]| {
        Archive::new()
            .pax(records)
            .blob("sparse", bytes)
            .file("b", "x")
            .bytes()
    };
    let version = [("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0")];
    let real = |size| [&version[..], &[("GNU.sparse.realsize", size)]].concat();
    let mut map = b"1\n0\n5\n".to_vec();
    map.resize(512, 0);
    map.extend(b"start");
    for (archive, why) in [
        (
            Archive::new()
                .sparse(&[(600, 5), (0, 5)], 605, &[1; 10])
                .bytes(),
            "overlap",
        ),
        (
            Archive::new()
                .sparse(&[(0, 5), (4, 5)], 9, &[1; 10])
                .bytes(),
            "overlap",
        ),
        (
            Archive::new().sparse(&[(0, 600)], 600, &[1; 10]).bytes(),
            "do not fit",
        ),
        (
            Archive::new().sparse(&[(0, 5)], 5, &[1; 600]).bytes(),
            "do not fit",
        ),
        (
            Archive::new().sparse(&[(100, 10)], 50, &[1; 10]).bytes(),
            "do not fit",
        ),
        (
            Archive::new()
                .sparse(&[(u64::MAX, 10)], 50, &[1; 10])
                .bytes(),
            "too large",
        ),
        (one(&[("GNU.sparse.map", "0,5,7")], b"start"), "no length"),
        (
            one(&[("GNU.sparse.numbytes", "5")], b"start"),
            "begins nowhere",
        ),
        (one(&[("GNU.sparse.map", "0,5")], b"start"), "no size"),
        (
            one(
                &[("GNU.sparse.map", "0,x"), ("GNU.sparse.size", "5")],
                b"start",
            ),
            "wants a number",
        ),
        (one(&real("5"), b"2\n0\nzz"), "no list of numbers"),
        (
            one(&real("5"), b"99999999999999999999999\n"),
            "too large a number",
        ),
        (one(&real("5"), b"9999999\n"), "too many pieces"),
        (one(&real("5"), b"1\n0\n"), "does not end"),
        (one(&real("4"), &map), "do not fit"),
    ] {
        let (sandbox, outcome) = import(&archive, &[]);
        assert_eq!(outcome.code(), Some(3), "{why}: {outcome}");
        assert!(outcome.stderr.contains(why), "{why}: {outcome}");
        assert_eq!(sandbox.must("ls -A /srv/jails"), "");
    }
    let (sandbox, outcome) = import(&one(&real("7"), &map), &[]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(
        sandbox.must(&format!("od -An -c {ROOT}/sparse")),
        "   s   t   a   r   t  \\0  \\0"
    );
}

#[test]
fn a_user_is_known_in_an_imported_root_and_has_a_home() {
    let sandbox = Sandbox::new()
        .user("bea")
        .root(roots::busybox())
        .user("ann");
    let ann = sandbox.must("id -u ann");
    sandbox.must(&format!(
        "usermod -aG games ann; cd /srv/jails/bea; rm -rf home
         echo image:x:{ann}:{ann}::/:/bin/sh >>etc/passwd; echo ann:x:77:77::/:/bin/nothing >>etc/passwd
         echo games:x:99:image >>etc/group; tar -cf /srv/source ."
    ));
    let import = ["import", "/srv/source", ROOT, "--user"];
    let nobody = sandbox.jailctl(&[&import[..], &["nobody-such"]].concat());
    assert_eq!(nobody.code(), Some(3), "{nobody}");
    assert_eq!(sandbox.must("ls /srv/jails"), "bea");
    sandbox.jailctl(&[&import[..], &["ann"]].concat()).ok();
    assert_eq!(
        sandbox
            .ssh(
                "ann",
                "id -un; id -Gn; pwd; echo text >file && cat file; grep -c image /etc/passwd"
            )
            .ok(),
        "ann\nann games\n/home/ann\ntext\n1"
    );
    // An /etc that leads elsewhere is not written through.
    let archive = Archive::new().link("etc", "/tmp").directory("tmp").bytes();
    sandbox.write("/srv/linked", archive);
    let outcome = sandbox.jailctl(&["import", "/srv/linked", "/srv/jails/new", "--user", "ann"]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert_eq!(sandbox.must("ls /srv/jails"), "ann\nbea");
}

#[test]
fn a_directory_brings_no_manifest_no_hard_link_and_no_power() {
    let sandbox = Sandbox::bare();
    sandbox.must(
        "mkdir -p /srv/jails /srv/tree/.login-jail /srv/tree/below/.login-jail; cd /srv/tree; echo '{}' >.login-jail/manifest.json
         echo '{}' >below/.login-jail/journal.json; echo text >outer; ln outer linked; cp /bin/cat set; chmod 6755 set
         cp /bin/cat able; setcap cap_setuid+ep able 2>/dev/null; mkfifo pipe; chown 4000:4000 linked",
    );
    let outcome = sandbox.jailctl(&["import", "/srv/tree", ROOT, "--owner", "root"]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let seen = format!(
        "cd {ROOT}; grep -c '\"imported\"' .login-jail/manifest.json; ls -A below; stat -c '%n %h %a %u' outer linked set able
         getcap -r . 2>/dev/null; test ! -e pipe"
    );
    assert_eq!(
        sandbox.must(&seen),
        "1\nouter 1 644 0\nlinked 1 644 0\nset 1 755 0\nable 1 755 0"
    );
    sandbox.must(&format!("rm -rf {ROOT}"));
    sandbox.jailctl(&["import", "/srv/tree", ROOT]);
    assert_eq!(
        sandbox.must(&format!("stat -c %u:%g {ROOT}/linked")),
        "4000:4000"
    );
}

/// Kills imports after ever longer times: there is a whole root or none, and what is left is taken away by the next run.
#[test]
fn killed_at_any_moment_an_import_leaves_a_whole_root_or_none() {
    let sandbox = Sandbox::bare();
    let archive = (0..2000).fold(Archive::new(), |it, n| {
        it.file(&format!("d{}/{n}", n % 50), "text")
    });
    sandbox.write("/srv/source", archive.file("last", "text").bytes());
    let script = format!(
        "mkdir -p /srv/jails; set +e; kills=0
         for i in $(seq 30); do
             timeout -s KILL 0.$(printf %03d $((i * 4))) {} import /srv/source {ROOT} >/dev/null 2>&1
             [ $? = 137 ] && kills=$((kills + 1))
             [ ! -e {ROOT} ] || [ -e {ROOT}/last -a -e {ROOT}/.login-jail/manifest.json ] || echo half a root
             rm -rf {ROOT}
         done
         [ $kills -gt 3 ] || echo only $kills kills
         {0} import /srv/source {ROOT} >/dev/null || echo failed
         ls -A /srv/jails; cat {ROOT}/last",
        login_jail_tests::jailctl()
    );
    assert_eq!(sandbox.must(&script), "ann\ntext");
}

#[test]
fn the_layers_of_a_saved_image_are_those_of_its_configuration() {
    let [first, second] = layers();
    let saved = |digests: &[String]| {
        let digests: Vec<String> = digests
            .iter()
            .map(|it| format!("\"sha256:{it}\""))
            .collect();
        Archive::new()
            .file(
                "manifest.json",
                r#"[{"Config":"config.json","Layers":["a/layer.tar","b/layer.tar"]}]"#,
            )
            .file(
                "config.json",
                &format!(r#"{{"rootfs":{{"diff_ids":[{}]}}}}"#, digests.join(",")),
            )
            // The digest is of what is in there, compressed or not.
            .blob("a/layer.tar", &gzipped(&first))
            .blob("b/layer.tar", &second)
            .bytes()
    };
    let digests = [hexadecimal(&first), hexadecimal(&second)];
    let (sandbox, outcome) = import(&saved(&digests), &[]);
    check_layers(&sandbox, &outcome);
    let swapped = [digests[1].clone(), digests[0].clone()];
    for (digests, reason) in [
        (&swapped[..], "its digest is"),
        (&digests[..1], "it has 2 layers, and digests of 1"),
        (
            &["../x".to_owned(), digests[1].clone()],
            "no digest of SHA-256",
        ),
    ] {
        let (sandbox, outcome) = import(&saved(digests), &[]);
        assert_eq!(outcome.code(), Some(3), "{outcome}");
        assert!(outcome.stderr.contains(reason), "{reason}: {outcome}");
        assert_eq!(sandbox.must("ls -A /srv/jails"), "");
    }
}

/// Makes a directory of an image with these layers, which somebody can change.
const LAYOUT: &str = r#"
layout() {
    mkdir -p $1/blobs/sha256; echo '{"imageLayoutVersion":"1.0.0"}' >$1/oci-layout
    layer=$(sha256sum <$2 | cut -c-64); mv $2 $1/blobs/sha256/$layer
    echo "{\"schemaVersion\":2,\"layers\":[{\"digest\":\"sha256:$layer\"}]}" >/srv/manifest
    name=$(sha256sum </srv/manifest | cut -c-64); mv /srv/manifest $1/blobs/sha256/$name
    echo "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:$name\"}]}" >$1/index.json
}
"#;

#[test]
fn a_layer_that_somebody_exchanges_while_it_is_read_is_not_unpacked() {
    let sandbox = Sandbox::new();
    let said = sandbox.must(&format!(
        r#"{LAYOUT}
        cd /srv; mkdir good evil; echo good >good/file; echo evil >evil/file; tar cf good.tar -C good file; tar cf evil.tar -C evil file
        cp good.tar first.tar; layout image first.tar; blob=image/blobs/sha256/$layer
        (while :; do for one in good evil; do cp $one.tar next; mv next $blob; done; done) & other=$!
        for round in $(seq 80); do
            if jailctl import image root >/dev/null 2>&1; then cat root/file; rm -r root; else echo refused; fi
        done | sort | uniq -c
        kill $other"#
    ));
    assert!(said.contains("good") && said.contains("refused"), "{said}");
    assert!(!said.contains("evil"), "{said}");
}

#[test]
fn a_layer_that_is_all_holes_is_not_read_to_its_end() {
    let sandbox = Sandbox::new();
    for (what, name, why) in [
        ("truncate -s 4T holes", "holes", "16 MiB or more follow"),
        // A frame of zstd that is to be skipped, of 4 GB, again and again.
        (
            r"printf '\120\052\115\030\377\377\377\377' >frames; truncate -s 4294967303 frames; truncate -s 4T frames",
            "frames",
            "it has more than may come out of it",
        ),
    ] {
        // Its digest is not asked for here: that would take hours.
        let said = sandbox.sh(&format!(
            "{LAYOUT} cd /srv; rm -rf image; echo >some; layout image some; {what}; mv {name} image/blobs/sha256/$layer
             timeout 60 jailctl import --max-size 1M --max-entries 100 image root"
        ));
        assert_eq!(said.code(), Some(3), "{name}: {said}");
        assert!(said.stderr.contains(why), "{name}: {said}");
        sandbox.must("test ! -e /srv/root");
    }
}

#[test]
fn long_paths_of_a_layer_take_no_memory() {
    let deep = ["d".repeat(250).as_str(); 14].join("/");
    let mut archive = Archive::new();
    for number in 0..8000 {
        let name = format!("{deep}/{number:08}{}", "f".repeat(200));
        archive = archive.pax(&[("path", name.as_str())]).file("f", "");
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&archive.bytes()).unwrap();
    let sandbox = Sandbox::new();
    sandbox.write("/srv/layer.tar.gz", gzip.finish().unwrap());
    // Some 30 MB of paths.
    let said = sandbox.sh(&format!(
        "{LAYOUT} cd /srv; layout image layer.tar.gz; prlimit --data=24000000 jailctl import --json image root"
    ));
    assert_eq!(said.code(), Some(0), "{said}");
    assert!(said.stdout.contains("\"entries\": 8000"), "{said}");
}

#[test]
fn owners_that_are_kept_are_not_given_to_what_links_lead_to_on_a_file_system_in_user_space() {
    let what = "import on a file system in user space";
    let sandbox = Sandbox::new();
    if sandbox.sh("command -v sshfs").code() != Some(0) {
        return skipped(what, "sshfs is not installed");
    }
    if !has_fuse(&sandbox, what) {
        return;
    }
    // The program of ssh is the server itself.
    sandbox.must(
        "printf '#!/bin/sh\nexec /usr/lib/openssh/sftp-server\n' >/srv/serve; chmod 755 /srv/serve
        mkdir -p /srv/real /srv/jails /srv/tree; echo >/srv/victim
        ln -s /srv/victim /srv/tree/link; chown -h 4242:4242 /srv/tree/link
        tar -C /srv/tree -cf /srv/image.tar .
        sshfs -o ssh_command=/srv/serve,allow_other,default_permissions here:/srv/real /srv/jails",
    );
    // It gets as far as the rename, which such a file system can't do without replacing.
    let outcome = sandbox.jailctl(&["import", "/srv/image.tar", ROOT, "--owner", "keep"]);
    assert!(outcome.stderr.contains("rename to"), "{outcome}");
    assert_eq!(sandbox.must("stat -c %u /srv/victim"), "0");
}
