//! `jailctl import`: a root from an archive, an image of a container, a directory, or debootstrap(8).

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum, ValueHint};
use jail_roots::{
    archive::{Policy, Unpacked},
    foreseen::{Foreseen, Layer, foresee},
    import::{Imported, Request, import, import_version},
    new_root::absolute,
    progress::Progress,
};
use serde_json::json as object;

use crate::{
    commands::versions::refuse_roots,
    failure::{Failure, Verdict},
    manual::{self, Manual},
    progress::show_progress,
    shell::quoted,
    stdout::{say, say_json},
    terminal::shown,
};

/// How many refused entries are shown one by one.
const MOST_SHOWN: usize = 20;

/// Make a root directory from an archive, an image or a directory
///
/// SOURCE is what docker export, docker save, an OCI tool or tar has written, a directory, or debootstrap:SUITE, which
/// calls debootstrap(8). Nothing of the source is run, and no entry can lead out of the new root. Device nodes are left
/// out, mount points are left empty, and set-user-ID bits are dropped unless --set-id keeps them. An entry that can't
/// be taken is refused and listed. Needs root.
///
/// The parts of an image are compared with the digests that it names them by. A base of jails (login-jail.toml(5)) can have several
/// versions side by side: --as.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL.to_string())]
pub(crate) struct Import {
    /// An archive (tar, plain or compressed with gzip or zstd; - for standard input), an OCI layout, a directory, or
    /// debootstrap:SUITE
    source: PathBuf,
    /// The new root directory, which must not exist, but for a further version of a base (--as); missing directories above it are
    /// made, with mode 0755
    #[arg(value_hint = ValueHint::DirPath)]
    root: PathBuf,
    /// Import a version of a base, under this name
    ///
    /// The first version is in use at once. Further ones are stored beside it, in ROOT.versions, until --use or jailctl versions puts
    /// them into use. A base has no homes, so there is no --user with it.
    #[arg(long = "as", value_name = "VERSION", value_hint = ValueHint::Other, conflicts_with = "users")]
    version: Option<String>,
    /// Put the version into use once it is complete; open sessions keep theirs
    #[arg(long = "use", requires = "version")]
    into_use: bool,
    /// The image to take, if the archive has several
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    image: Option<String>,
    /// The owners of the files: the numbers in the source, or root for all
    #[arg(long, value_enum, default_value = "keep")]
    owner: Owner,
    /// What becomes of set-user-ID and set-group-ID bits, which nothing inside a jail can use
    #[arg(long, value_enum, default_value = "drop")]
    set_id: SetId,
    /// Add this account to the root's passwd and group, and make its home there; several with commas between
    #[arg(long = "user", value_delimiter = ',', value_name = "NAME", value_hint = ValueHint::Username)]
    users: Vec<String>,
    /// The largest total size of the files; the units are K, M, G and T
    #[arg(long, default_value = "16G", value_parser = size, value_hint = ValueHint::Other)]
    max_size: u64,
    /// The largest number of entries
    #[arg(long, default_value_t = Policy::default().most_entries, value_hint = ValueHint::Other)]
    max_entries: u64,
    /// The mirror that debootstrap uses, if not its default
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    mirror: Option<String>,
    /// Read the source, show what would be made, and make nothing
    #[arg(long)]
    dry_run: bool,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  jailctl import debian.tar /srv/jails/bob                      what docker export has written, or tar
  docker export web | jailctl import - /srv/jails/web           the same, without a file between
  jailctl import --image debian:12 images.tar /srv/jails/bob    one of several of docker save
  jailctl import --owner root --set-id keep tree /srv/jails/bob    a directory
  jailctl import --max-size 500M --max-entries 20000 debian.tar /srv/jails/bob    refuse what is larger
  jailctl import --mirror http://deb.debian.org/debian debootstrap:bookworm /srv/jails/cid    made by debootstrap(8)
  jailctl import --as 12.5 image.tar /srv/images/debian    the first version of a base, or a further one
  jailctl import --as 12.6 --use image.tar /srv/images/debian    the same, and logins get it from then on
  jailctl import --as 12.6 --dry-run image.tar /srv/images/debian    only show the version, its size and its layers
  jailctl import --user bob --json debian.tar /srv/jails/bob    with an account and a home; a report for a program";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "the root is complete, or --dry-run has shown it",
    found: Some("the root was made, and some entries were refused; they are listed"),
    differs: None,
    files: &[
        (
            "ROOT/etc/passwd, ROOT/etc/group",
            "get the accounts of --user",
        ),
        manual::VERSIONS,
    ],
    examples: EXAMPLES,
};

/// Whose imported files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Owner {
    /// Of the numbers that the source has.
    Keep,
    /// Root's.
    Root,
}

/// What becomes of set-id bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SetId {
    /// They stay.
    Keep,
    /// They go.
    Drop,
}

impl Import {
    /// Makes the root and reports.
    ///
    /// # Errors
    /// The root is there, or the source is not, or is damaged or too large. Nothing is left then.
    pub(crate) fn run(&self, config: &Path) -> Result<Verdict, Failure> {
        let request = Request {
            source: self.source.clone(),
            root: self.root.clone(),
            image: self.image.clone(),
            users: self.users.clone(),
            mirror: self.mirror.clone(),
            version: None,
            policy: Policy {
                keep_owners: self.owner == Owner::Keep,
                keep_set_ids: self.set_id == SetId::Keep,
                most_bytes: self.max_size,
                most_entries: self.max_entries,
            },
        };
        if self.into_use {
            refuse_roots(config, &self.root)?;
        }
        if self.dry_run {
            return self.show(&request);
        }
        let mut show = show_progress();
        let progress = Progress::to(&mut show);
        let (imported, in_use) = match &self.version {
            None => (import(&request, progress)?, true),
            Some(name) => import_version(&request, name, self.into_use, progress)?,
        };
        let Imported {
            root,
            digest,
            unpacked,
        } = imported;
        if self.json {
            say_json(&object!({
                "root": root.to_string_lossy(), "version": self.version, "in_use": in_use, "digest": digest, "unpacked": unpacked
            }));
        } else {
            print(&root, &unpacked);
            if let (Some(name), false) = (&self.version, in_use) {
                say(format_args!(
                    "it is not in use yet; run: jailctl versions --use {name} {}",
                    quoted(absolute(&self.root)?)
                ));
            }
        }
        Ok(Verdict::of(!unpacked.refused.is_empty()))
    }
}

impl Import {
    /// Shows what would be made.
    fn show(&self, request: &Request) -> Result<Verdict, Failure> {
        let version = self.version.as_deref().map(|it| (it, self.into_use));
        let Foreseen {
            root,
            in_use,
            digest,
            layers,
        } = foresee(request, version)?;
        if self.json {
            say_json(&object!({
                "root": root.to_string_lossy(), "version": self.version, "in_use": in_use, "digest": digest, "dry_run": true, "layers": layers
            }));
            return Ok(Verdict::Fine);
        }
        let place = shown(root);
        say(match (&self.version, in_use) {
            (None, _) => format!("would make {place}"),
            (Some(name), true) => format!("would make {place}, version {name}, in use at once"),
            (Some(name), false) => format!("would make {place}, version {name}, not in use"),
        });
        if let Some(digest) = digest {
            say(format_args!("image: {}", shown(digest)));
        }
        for (number, Layer { entries, bytes }) in layers.iter().enumerate() {
            let mib = bytes.div_ceil(1 << 20);
            say(format_args!(
                "layer {} of {}: {entries} entries, {mib} MiB",
                number + 1,
                layers.len()
            ));
        }
        if layers.is_empty() {
            say("the size is not known before debootstrap has run");
        }
        Ok(Verdict::Fine)
    }
}

fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.find(|letter: char| !letter.is_ascii_digit()) {
        Some(end) => text.split_at(end),
        None => (text, ""),
    };
    let shift = match unit {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(format!("{unit:?} is no unit; K, M, G and T are")),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "a number is wanted".to_owned())?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "too large".to_owned())
}

fn print(root: &Path, unpacked: &Unpacked) {
    for refused in unpacked.refused.iter().take(MOST_SHOWN) {
        eprintln!(
            "finding: refused {:?}: {}",
            refused.path,
            shown(&refused.why)
        );
    }
    let more = unpacked.refused.len().saturating_sub(MOST_SHOWN);
    let more = unpacked.refused_more.saturating_add(more as u64);
    if more > 0 {
        eprintln!("finding: and {more} more were refused");
    }
    if unpacked.mounts > 0 {
        eprintln!("note: {} mount points were left empty", unpacked.mounts);
    }
    if unpacked.devices > 0 {
        eprintln!(
            "note: {} device nodes and the like were left out",
            unpacked.devices
        );
    }
    if unpacked.set_ids > 0 {
        eprintln!(
            "note: {} files lost their set-id bits; --set-id keep leaves them",
            unpacked.set_ids
        );
    }
    let mib = unpacked.bytes.div_ceil(1 << 20);
    say(format_args!(
        "{}: {} entries, {mib} MiB",
        shown(root),
        unpacked.entries
    ));
}
