//! All probes.

use super::{
    files, kernel,
    outside::Told,
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
/// What was told can't be read, or the descriptors did not come in.
pub(crate) fn try_all(told: &str) -> Result<impl Iterator<Item = Tried>, Failure> {
    let told: Told =
        serde_json::from_str(told).map_err(|error| Failure::Usage(format!("--attack: {error}")))?;
    let inside = Inside::receive(told).map_err(|error| {
        Failure::Failed(format!("take the descriptors that are sent in: {error}"))
    })?;
    Ok(all().map(move |probe| probe.attempt(&inside)))
}
