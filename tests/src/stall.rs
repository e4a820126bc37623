//! A file system (FUSE) that never answers.

use std::fmt::Display;

use crate::{Sandbox, fault::install_probe, skipped};

/// Makes the node of FUSE, which a sandbox has not; gives false, with a reason, where the kernel has no FUSE.
#[must_use]
pub fn has_fuse(sandbox: &Sandbox, what: &str) -> bool {
    let node = "test -e /dev/fuse || mknod -m 666 /dev/fuse c 10 229; exec 3<>/dev/fuse";
    let there = sandbox.sh(node).code() == Some(0);
    if !there {
        skipped(what, "this kernel has no FUSE");
    }
    there
}

/// Mounts a file system that never answers, served by a uid, until [`end`] is called; with `answers` as `open`, its files are
/// found and opened.
///
/// # Panics
/// It can't be mounted.
pub fn stall(sandbox: &Sandbox, directory: &str, uid: impl Display, answers: &str) {
    let probe = install_probe(sandbox, "stall");
    sandbox.must(&format!(
        "mkdir -p {directory}; mkfifo /tmp/serving.$$ /tmp/end.$$
         {probe} {directory} {uid} {answers} <>/tmp/end.$$ >/tmp/serving.$$ 2>/dev/null & echo $! >>/tmp/stalls
         read line </tmp/serving.$$; test \"$line\" = serving"
    ));
}

/// Ends the servers: what waits for them fails then.
///
/// # Panics
/// There are none.
pub fn end(sandbox: &Sandbox) {
    sandbox.must("kill $(cat /tmp/stalls); rm /tmp/stalls; sleep 0.5");
}
