//! An account's facts as bytes: those that a child has looked up come out of it so.

use nix::errno::Errno;

use super::{identity::Identity, services::Unanswered};
use crate::packed::{Packed, Unpacked};

impl Identity {
    /// Writes all facts, in the order in which [`Identity::from_bytes`] reads them.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Packed::default();
        bytes.put(&self.name);
        bytes.put(&self.group);
        bytes.put(&self.home);
        bytes.put(&self.shell);
        bytes.put_numbers(&[self.uid, self.gid]);
        bytes.put_numbers(&self.groups);
        bytes.put_numbers(&self.group_ids);
        bytes.put_all(&self.group_names);
        bytes.put_numbers(self.unnamed_group.as_slice());
        let unanswered = self.unanswered.as_slice();
        bytes.put_number(unanswered.len());
        for Unanswered { service, errno } in unanswered {
            bytes.put(service);
            let errno = errno.map(|errno| (errno as i32).unsigned_abs());
            bytes.put_numbers(errno.as_slice());
        }
        bytes.into_bytes()
    }

    /// Reads what [`Identity::to_bytes`] has written; nothing where it is not all there.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Identity> {
        let mut rest = Unpacked::new(bytes);
        let rest = &mut rest;
        let (name, group) = (rest.take()?, rest.take()?);
        let (home, shell) = (rest.take()?.into(), rest.take()?.into());
        let [uid, gid] = rest.all(Unpacked::number)?.try_into().ok()?;
        let (groups, group_ids) = (rest.all(Unpacked::number)?, rest.all(Unpacked::number)?);
        let group_names = rest.all(Unpacked::take)?;
        let unnamed_group = rest.all(Unpacked::number)?.pop();
        let mut unanswered = rest.all(|rest| {
            Some(Unanswered {
                service: rest.word()?,
                errno: rest.all(Unpacked::number)?.pop().map(Errno::from_raw),
            })
        })?;
        rest.is_empty().then_some(Identity {
            name,
            uid,
            gid,
            group,
            groups,
            group_names,
            group_ids,
            unnamed_group,
            unanswered: unanswered.pop(),
            home,
            shell,
        })
    }
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
                assert_eq!(Identity::from_bytes(&bytes[..end]), None, "{end}");
            }
        }
    }
}
