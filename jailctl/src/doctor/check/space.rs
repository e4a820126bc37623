//! Whether there is room: a login that can't make a file fails, or leaves its user with programs that fail.

use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, fstatvfs, openat};

use crate::{
    accounts::account::Jailed,
    doctor::check::{Finding, FindingKind, Report, mounts, reach::shown_writable},
    shell::shown,
};

/// Checks the file systems that a jail shows writable.
pub(crate) fn check(report: &mut Report, jailed: &Jailed) {
    for place in shown_writable(jailed) {
        report.extend(full(place).map(|it| it.of(jailed)));
    }
}

/// Finds a file system on which users can make nothing more.
fn full(place: &Path) -> Option<Finding> {
    if mounts::is_served_by_a_program(place) {
        return None;
    }
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let held = openat(CWD, place, flags, Mode::empty()).ok()?;
    let found = fstatvfs(held).ok()?;
    let lacks = if found.f_blocks > 0 && found.f_bavail == 0 {
        "no free space"
    } else if found.f_files > 0 && found.f_favail == 0 {
        "no free inodes"
    } else {
        return None;
    };
    let what = format!(
        "the file system of {} has {lacks} for users: logins, or what they run, fail with \"No space left on device\"",
        shown(place)
    );
    Some(Finding::error(FindingKind::DiskFull, what).mended_by("df -h; df -i"))
}
