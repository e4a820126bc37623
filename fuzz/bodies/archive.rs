//! Any bytes as an archive and as a layer of an image: no panic, no more than is allowed, and nothing beside the root.

use std::{fs, fs::File, path::Path};

use jail_roots::{
    archive::{Policy, Unpacker},
    compression::decompress,
    progress::Progress,
    tree::Tree,
};

const POLICY: Policy = Policy {
    keep_owners: true,
    keep_set_ids: false,
    most_bytes: 1 << 20,
    most_entries: 1000,
};

/// Takes one input. It writes below `place`, which is its own.
pub(crate) fn take(bytes: &[u8], place: &Path) {
    let (root, canary) = (place.join("root"), place.join("canary"));
    fs::remove_dir_all(&root).ok();
    fs::create_dir_all(&root).unwrap();
    fs::write(&canary, "alive").unwrap();

    let tree = Tree::new(File::open(&root).unwrap().into(), &root);
    let mut nobody = |_| ();
    let mut unpacker = Unpacker::new(&tree, POLICY, Progress::to(&mut nobody));
    if let Ok(mut archive) = decompress(bytes) {
        unpacker.tar(&mut archive, false).ok();
    }
    unpacker.tar(bytes, true).ok();
    let unpacked = unpacker.finish();
    // One piece may be read before it is seen to be too much.
    assert!(unpacked.bytes <= POLICY.most_bytes + (128 << 10));
    assert!(unpacked.entries <= POLICY.most_entries);

    assert_eq!(fs::read(&canary).unwrap(), b"alive");
    assert_eq!(fs::read_dir(place).unwrap().count(), 2);
    assert!(!root.join(".login-jail").exists() || root.join(".login-jail").is_symlink());
}
