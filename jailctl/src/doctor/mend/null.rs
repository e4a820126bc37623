//! The device /dev/null of a root.

use std::path::Path;

use rustix::{
    fs::{
        AtFlags, FileType, Mode, OFlags, fstat, makedev, mkdirat, mknodat, openat, statat, unlinkat,
    },
    io::Errno,
    process::umask,
};

use crate::{
    accounts::account::Jailed,
    doctor::mend::{
        Data, Extent,
        reach::{Root, failed, is_roots_alone},
    },
    failure::Failure,
    shell::shown,
};

/// Makes the device, in the place of whatever else is there, in a directory that is root's alone.
pub(crate) fn mend(
    jailed: &Jailed,
    all: &[Jailed],
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    let root = Root::open(all, &jailed.jail.root)?;
    let (dev, null) = (root.path.join("dev"), root.path.join("dev/null"));
    Data::of(all)?.refuse(&dev)?;
    let top = root.directory()?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut opened = openat(&top, "dev", flags, Mode::empty());
    if matches!(opened, Err(Errno::NOENT)) && root.is_roots() {
        if extent == Extent::DryRun {
            return Ok(vec![made(&null)]);
        }
        mkdirat(&top, "dev", Mode::from_raw_mode(0o755)).map_err(failed("make", &dev))?;
        opened = openat(&top, "dev", flags, Mode::empty());
    }
    let opened = opened.map_err(failed("open", &dev))?;
    // What is mounted there is the host's.
    root.reach(&dev)?;
    let above = fstat(&opened).map_err(failed("examine", &dev))?;
    if !root.is_roots() || !is_roots_alone(&above) {
        return Err(Failure::Failed(format!(
            "{}: others than root can write it; set dev = \"private\" for the jail",
            shown(&dev)
        )));
    }
    match statat(&opened, "null", AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => {}
        Err(errno) => return Err(failed("examine", &null)(errno)),
        Ok(stat) => {
            let is_device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
            if is_device && stat.st_rdev == makedev(1, 3) && stat.st_mode & 0o666 == 0o666 {
                return Ok(Vec::new());
            }
            if extent == Extent::Whole {
                unlinkat(&opened, "null", AtFlags::empty()).map_err(failed("remove", &null))?;
            }
        }
    }
    if extent == Extent::Whole {
        let mask = umask(Mode::empty());
        let mode = Mode::from_raw_mode(0o666);
        let result = mknodat(
            &opened,
            "null",
            FileType::CharacterDevice,
            mode,
            makedev(1, 3),
        );
        umask(mask);
        result.map_err(failed("make", &null))?;
    }
    Ok(vec![made(&null)])
}

fn made(null: &Path) -> String {
    format!("{}: device made", shown(null))
}
