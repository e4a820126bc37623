//! Descriptors that stay open in a host program, which knows nothing of them: it may close them, and open something else under
//! the same number.

use std::{
    mem::forget,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use crate::served;

/// A descriptor that is used and closed only as long as it is the one that it was.
#[derive(Debug)]
pub(crate) struct Marked {
    /// Nothing once it is given back.
    fd: Option<OwnedFd>,
    /// Device and inode of the file.
    number: Option<(u64, u64)>,
}

impl Marked {
    /// Remembers which file it is.
    pub(crate) fn of(fd: OwnedFd) -> Marked {
        Marked {
            number: served::number_of(&fd).ok(),
            fd: Some(fd),
        }
    }

    /// Gives the descriptor, if it is still the one that it was.
    pub(crate) fn get(&self) -> Option<BorrowedFd<'_>> {
        let fd = self.fd.as_ref()?;
        (served::number_of(fd).ok() == self.number).then(|| fd.as_fd())
    }
}

impl Drop for Marked {
    /// What the host program has put into its place is not closed here.
    fn drop(&mut self) {
        if self.get().is_none()
            && let Some(strange) = self.fd.take()
        {
            forget(strange);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        os::fd::AsRawFd,
    };

    use super::Marked;

    #[test]
    fn what_a_host_program_has_put_into_the_place_of_a_descriptor_is_neither_used_nor_closed() {
        let mut marked = Marked::of(File::open("/dev/null").unwrap().into());
        assert!(marked.get().is_some());
        let mut place = marked.fd.take().unwrap();
        let number = place.as_raw_fd();
        rustix::io::dup2(File::open("/dev/zero").unwrap(), &mut place).unwrap();
        marked.fd = Some(place);
        assert!(marked.get().is_none());
        drop(marked);
        let shown = fs::read_link(format!("/proc/self/fd/{number}")).unwrap();
        assert_eq!(shown.to_str(), Some("/dev/zero"));
    }
}
