//! What is mounted in this mount namespace: proc_pid_mountinfo(5).

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs, iter,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use crate::{failure::Failure, shell::shown};

const MOUNTS: &str = "/proc/self/mountinfo";

/// One mount.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mounted {
    /// The number of the mount.
    pub(crate) id: u64,
    /// The numbers of the file system.
    pub(crate) device: OsString,
    /// The directory of that file system which is shown.
    pub(crate) top: PathBuf,
    pub(crate) point: PathBuf,
    pub(crate) writable: bool,
    pub(crate) kind: String,
    source: OsString,
}

impl Mounted {
    /// Lists the mounts of this mount namespace, each behind those that it may cover.
    pub(crate) fn all() -> Result<Vec<Mounted>, Failure> {
        let path = Path::new(MOUNTS);
        let text = fs::read(path).map_err(|error| Failure::io("read", path, &error))?;
        let lines = text.split(|byte| *byte == b'\n');
        Ok(lines.filter_map(Mounted::parse).collect())
    }

    /// Counts the mount namespaces, besides the own one, in which something of a directory of the host's is mounted: sessions that
    /// have it. The kernel's own text is asked, and no file of theirs.
    pub(crate) fn namespaces_with(directory: &Path) -> Result<usize, Failure> {
        let all = Mounted::all()?;
        // The last of those that are mounted above it covers the others.
        let above = all.iter().filter(|it| directory.starts_with(&it.point));
        let Some(own) = above.max_by_key(|it| it.point.components().count()) else {
            return Ok(0);
        };
        let below = directory.strip_prefix(&own.point).unwrap_or(directory);
        let top = own.top.join(below);
        let shows = |it: &Mounted| it.device == own.device && it.top.starts_with(&top);
        let proc = Path::new("/proc");
        let processes = fs::read_dir(proc).map_err(|error| Failure::io("read", proc, &error))?;
        let mut seen: BTreeSet<PathBuf> = fs::read_link("/proc/self/ns/mnt").into_iter().collect();
        let mut count = 0;
        for process in processes.flatten().map(|entry| entry.path()) {
            // One that has ended meanwhile has none.
            let Ok(namespace) = fs::read_link(process.join("ns/mnt")) else {
                continue;
            };
            if seen.insert(namespace) {
                let text = fs::read(process.join("mountinfo")).unwrap_or_default();
                let mut mounts = text.split(|byte| *byte == b'\n').filter_map(Mounted::parse);
                count += usize::from(mounts.any(|it| shows(&it)));
            }
        }
        Ok(count)
    }

    pub(crate) fn parse(line: &[u8]) -> Option<Mounted> {
        let mut fields = line.split(|byte| *byte == b' ');
        let mut next = || fields.next().map(unescaped);
        let (id, _parent, device, top, point) = (next()?, next()?, next()?, next()?, next()?);
        let own = next()?;
        // Any number of further fields, up to a dash.
        iter::from_fn(&mut next).find(|field| field == "-")?;
        let (kind, source, of_all) = (next()?, next()?, next()?);
        let may_write = |options: &OsStr| {
            let mut options = options.as_bytes().split(|byte| *byte == b',');
            options.any(|option| option == b"rw")
        };
        Some(Mounted {
            id: id.to_str()?.parse().ok()?,
            device,
            top: top.into(),
            point: point.into(),
            writable: may_write(&own) && may_write(&of_all),
            kind: kind.to_string_lossy().into_owned(),
            source,
        })
    }

    pub(crate) fn is_below(&self, root: &Path) -> bool {
        self.point != root && self.point.starts_with(root)
    }

    /// Finds where the host has the same directory, by the shortest path to it.
    pub(crate) fn on_host(&self, host: &[&Mounted]) -> Option<PathBuf> {
        let same = host.iter().filter(|it| it.device == self.device);
        let paths = same.filter_map(|it| match self.top.strip_prefix(&it.top) {
            // Without the slash that an empty path would add.
            Ok(below) => Some(it.point.join(below).components().collect()),
            // More than the host shows of it has that in it.
            Err(_) => it.top.starts_with(&self.top).then(|| it.point.clone()),
        });
        let kernel = match self.kind.as_str() {
            // Each mount of it is a file system of its own by number, and has the same in it.
            "proc" => Some(PathBuf::from("/proc")),
            "devtmpfs" => Some(PathBuf::from("/dev")),
            _ => None,
        };
        paths
            .chain(kernel)
            .min_by_key(|path: &PathBuf| path.components().count())
    }

    /// Says what is mounted where.
    pub(crate) fn words(&self, path: Option<&Path>) -> String {
        let what = match path {
            Some(path) => format!("{} of the host", path.display()),
            None => "a file system of its own".to_owned(),
        };
        format!(
            "{} has {what} mounted ({} on {}, {})",
            self.point.display(),
            self.kind,
            shown(&self.source),
            if self.writable {
                "read-write"
            } else {
                "read-only"
            },
        )
    }
}

/// Undoes how the kernel writes blanks and backslashes: three octal digits.
fn unescaped(field: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, behind)) = rest.split_first() {
        let octal = behind.get(..3).filter(|_| *byte == b'\\');
        let octal = octal.and_then(|it| u8::from_str_radix(std::str::from_utf8(it).ok()?, 8).ok());
        bytes.push(octal.unwrap_or(*byte));
        rest = behind.get(octal.map_or(0, |_| 3)..).unwrap_or_default();
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::Mounted;

    #[test]
    fn a_mount_is_read_as_the_kernel_writes_it() {
        let line = br"36 35 98:0 /mnt1 /srv/a\040b\134\012 rw,noatime master:1 shared:2 - ext3 /dev/ro\040ot ro,errors=continue";
        let mount = Mounted::parse(line).unwrap();
        assert_eq!(mount.point, Path::new("/srv/a b\\\n"));
        assert_eq!((mount.kind.as_str(), mount.writable), ("ext3", false));
        assert_eq!(mount.source, "/dev/ro ot");
        assert!(Mounted::parse(b"36 35 98:0 / /srv rw").is_none());
        assert!(Mounted::parse(b"").is_none());
    }

    #[test]
    fn what_is_mounted_is_found_on_the_host() {
        let mounts = [
            "1 0 8:1 / / rw - ext4 /dev/sda1 rw",
            "2 1 8:2 /@home /home rw - btrfs /dev/sda2 rw",
            "3 1 8:1 /etc /mnt/etc rw - ext4 /dev/sda1 rw",
        ]
        .map(|line| Mounted::parse(line.as_bytes()).unwrap());
        let host: Vec<&Mounted> = mounts.iter().collect();
        for (line, path) in [
            ("8:1 / /srv/x/h rw - ext4 d rw", Some("/")),
            ("8:1 /etc /srv/x/h rw - ext4 d rw", Some("/etc")),
            ("8:2 /@home/ann /srv/x/h rw - btrfs d rw", Some("/home/ann")),
            ("8:2 / /srv/x/h rw - btrfs d rw", Some("/home")),
            ("0:9 / /srv/x/h rw - proc proc rw", Some("/proc")),
            ("8:9 / /srv/x/h rw - ext4 d rw", None),
        ] {
            let mount = Mounted::parse(format!("9 1 {line}").as_bytes()).unwrap();
            assert_eq!(mount.on_host(&host), path.map(PathBuf::from), "{line}");
        }
    }
}
