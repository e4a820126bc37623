//! All probes.

use std::os::fd::AsFd;

use super::{
    files, kernel,
    probe::{Inside, Probe, Tried},
    processes,
};
use crate::failure::Failure;

/// Gives every probe, in the order in which they are tried.
pub(super) fn all() -> impl Iterator<Item = &'static Probe> {
    files::PROBES
        .iter()
        .chain(processes::PROBES)
        .chain(kernel::PROBES)
}

/// How many probes there are.
pub(crate) fn count() -> usize {
    all().count()
}

/// Tries all probes from where this process is, one after the other.
///
/// # Errors
/// The descriptors, or what is told with them, did not come in by the socket.
pub(crate) fn try_all(socket: impl AsFd) -> Result<impl Iterator<Item = Tried>, Failure> {
    let inside = Inside::receive(socket).map_err(|error| {
        Failure::Failed(format!("take the descriptors that are sent in: {error}"))
    })?;
    Ok(all().map(move |probe| probe.attempt(&inside)))
}
