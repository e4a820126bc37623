//! A file that has names outside of the root as well: the root gets a copy of its own, and the other names stay as they are.

use std::{ffi::OsStr, fs::File, io, path::Path};

use rustix::{
    fs::{
        AtFlags, FileType, Gid, Mode, RenameFlags, Timespec, Timestamps, Uid, fchmod, fchown,
        futimens, renameat_with, statat, unlinkat,
    },
    io::Errno,
};

use crate::{
    accounts::account::Jailed,
    doctor::{
        check::excess,
        mend::{
            Data, Extent, beside,
            reach::{Reached, Root, failed, name_beside},
        },
    },
    failure::Failure,
    shell::shown,
};

/// Puts a copy in the place of a file that has several names. The copy gets no set-user-ID bit, no capabilities, and no write
/// permission that check would report.
pub(crate) fn mend(path: &Path, all: &[Jailed], extent: Extent) -> Result<Vec<String>, Failure> {
    let root = Root::above(all, path)?;
    let reached = root.reach(path)?;
    Data::of(all)?.refuse(&reached.shown)?;
    if reached.file_type() != FileType::RegularFile || reached.stat.st_nlink == 1 {
        return Ok(Vec::new());
    }
    let below = path.strip_prefix(root.path).unwrap_or(path);
    let mode = reached.mode() & 0o777 & !excess(&root.users, below, &reached.stat, false);
    let opened = File::from(reached.open()?);
    if extent == Extent::Whole {
        let name = name_beside();
        let beside = Beside {
            reached: &reached,
            name: &name,
        };
        let copied = beside.copy(opened, mode).and_then(|()| beside.exchange());
        let removed = unlinkat(&reached.directory, &name, AtFlags::empty());
        copied?;
        removed.map_err(failed("remove", &reached.shown.with_file_name(&name)))?;
    }
    Ok(vec![format!(
        "{}: is now a separate copy, mode {mode:04o}; the original file keeps its other names",
        shown(&reached.shown)
    )])
}

/// A length, in bytes, up to which holes do no harm.
const FEW: i64 = 1024 * 1024;

/// A name beside a file, in the same directory.
struct Beside<'a> {
    reached: &'a Reached,
    name: &'a OsStr,
}

impl Beside<'_> {
    /// Makes the copy.
    fn copy(&self, mut from: File, mode: u32) -> Result<(), Failure> {
        let stat = &self.reached.stat;
        // A file with holes takes no disk, and its copy would take all of its length.
        if stat.st_size > FEW && stat.st_blocks.saturating_mul(512) < stat.st_size {
            return Err(Failure::Failed(format!(
                "{} has holes, and a copy would fill the disk; take the file away, or copy it by hand (cp --sparse=always)",
                shown(&self.reached.shown)
            )));
        }
        let shown = self.reached.shown.with_file_name(self.name);
        let mut to = beside::create(&self.reached.directory, self.name, &shown)?;
        io::copy(&mut from, &mut to).map_err(|error| Failure::io("copy to", &shown, &error))?;
        let time = |seconds, nanoseconds| Timespec {
            tv_sec: seconds,
            tv_nsec: nanoseconds,
        };
        #[allow(
            clippy::useless_conversion,
            reason = "the widths differ by architecture"
        )]
        let times = Timestamps {
            last_access: time(
                stat.st_atime.into(),
                stat.st_atime_nsec.try_into().unwrap_or(0),
            ),
            last_modification: time(
                stat.st_mtime.into(),
                stat.st_mtime_nsec.try_into().unwrap_or(0),
            ),
        };
        let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
        fchown(&to, Some(uid), Some(gid))
            .and_then(|()| fchmod(&to, Mode::from_raw_mode(mode)))
            .and_then(|()| futimens(&to, &times))
            .map_err(failed("change", &shown))?;
        to.sync_all()
            .map_err(|error| Failure::io("write", &shown, &error))
    }

    /// Puts the copy in the place of the file, if that is still there.
    fn exchange(&self) -> Result<(), Failure> {
        let Reached {
            directory,
            name,
            shown,
            ..
        } = self.reached;
        let exchange =
            || renameat_with(directory, self.name, directory, name, RenameFlags::EXCHANGE);
        exchange().map_err(failed("replace", shown))?;
        let out = statat(directory, self.name, AtFlags::SYMLINK_NOFOLLOW);
        let same = out
            .map_err(failed("examine", shown))
            .and_then(|out| self.reached.insist_on_same(&out));
        if same.is_err() {
            exchange()
                .or_else(|errno| {
                    if errno == Errno::NOENT {
                        Ok(())
                    } else {
                        Err(errno)
                    }
                })
                .map_err(failed("put back", shown))?;
        }
        same
    }
}
