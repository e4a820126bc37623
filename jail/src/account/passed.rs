//! An account's facts as bytes: those that a child has looked up come out of it so.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

use nix::errno::Errno;

use super::{identity::Identity, services::Unanswered};

impl Identity {
    /// Writes all facts, in the order in which [`Identity::from_bytes`] reads them.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for text in [
            &self.name,
            &self.group,
            self.home.as_os_str(),
            self.shell.as_os_str(),
        ] {
            put(&mut bytes, text);
        }
        put_number(&mut bytes, self.uid);
        put_number(&mut bytes, self.gid);
        put_all(&mut bytes, &self.groups);
        put_all(&mut bytes, &self.group_ids);
        self.group_names
            .iter()
            .for_each(|name| put(&mut bytes, name));
        put_all(&mut bytes, self.unnamed_group.as_slice());
        if let Some(Unanswered { service, errno }) = &self.unanswered {
            put(&mut bytes, OsStr::new(service));
            let errno = errno.map(|errno| (errno as i32).unsigned_abs());
            put_all(&mut bytes, errno.as_slice());
        }
        bytes
    }

    /// Reads what [`Identity::to_bytes`] has written; nothing where it is not all there.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Identity> {
        let mut rest = bytes;
        let rest = &mut rest;
        let (name, group) = (take(rest)?, take(rest)?);
        let (home, shell) = (PathBuf::from(take(rest)?), PathBuf::from(take(rest)?));
        let (uid, gid) = (take_number(rest)?, take_number(rest)?);
        let (groups, group_ids) = (take_all(rest)?, take_all(rest)?);
        let group_names = group_ids
            .iter()
            .map(|_| take(rest))
            .collect::<Option<_>>()?;
        let unnamed_group = take_all(rest)?.first().copied();
        let unanswered = match rest.is_empty() {
            true => None,
            false => Some(Unanswered {
                service: take(rest)?.into_string().ok()?,
                errno: take_all(rest)?
                    .first()
                    .and_then(|errno| i32::try_from(*errno).ok())
                    .map(Errno::from_raw),
            }),
        };
        Some(Identity {
            name,
            uid,
            gid,
            group,
            groups,
            group_names,
            group_ids,
            unnamed_group,
            unanswered,
            home,
            shell,
        })
    }
}

fn put(bytes: &mut Vec<u8>, text: &OsStr) {
    // A field of an account is shorter than the buffer that the C library fills.
    put_number(bytes, u32::try_from(text.len()).unwrap_or(u32::MAX));
    bytes.extend_from_slice(text.as_bytes());
}

fn put_number(bytes: &mut Vec<u8>, number: u32) {
    bytes.extend_from_slice(&number.to_ne_bytes());
}

fn put_all(bytes: &mut Vec<u8>, numbers: &[u32]) {
    put_number(bytes, u32::try_from(numbers.len()).unwrap_or(u32::MAX));
    numbers.iter().for_each(|number| put_number(bytes, *number));
}

fn take(rest: &mut &[u8]) -> Option<OsString> {
    let length = usize::try_from(take_number(rest)?).ok()?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(OsString::from_vec(text.to_vec()))
}

fn take_number(rest: &mut &[u8]) -> Option<u32> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u32::from_ne_bytes(*number))
}

fn take_all(rest: &mut &[u8]) -> Option<Vec<u32>> {
    let count = take_number(rest)?;
    (0..count).map(|_| take_number(rest)).collect()
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use crate::account::{identity::Identity, services::Unanswered};

    #[test]
    fn what_comes_out_is_what_went_in_and_half_of_it_is_nothing() {
        let plain = Identity::example("ann", 1001);
        let full = Identity {
            groups: vec![1001, 27, 4242, 30_001],
            group_names: vec!["ann".into(), "sudo".into(), "\u{fc}ber".into()],
            group_ids: vec![1001, 27, 30_001],
            unnamed_group: Some(4242),
            unanswered: Some(Unanswered {
                service: "ldap".into(),
                errno: Some(Errno::ECONNREFUSED),
            }),
            ..plain.clone()
        };
        let no_module = Identity {
            unanswered: Some(Unanswered {
                service: "ldap".into(),
                errno: None,
            }),
            ..full.clone()
        };
        for identity in [plain, full, no_module] {
            let bytes = identity.to_bytes();
            assert_eq!(Identity::from_bytes(&bytes).as_ref(), Some(&identity));
            for end in 0..bytes.len() {
                let half = Identity::from_bytes(&bytes[..end]);
                assert!(
                    half.is_none_or(|it| it.unanswered != identity.unanswered),
                    "{end}"
                );
            }
        }
    }
}
