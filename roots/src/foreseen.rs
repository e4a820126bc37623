//! What an import would make: it reads all that the import would read, and makes nothing.

use std::{env, ffi::OsStr, io, path::PathBuf};

use rustix::fs::FileType;
use serde::Serialize;

use crate::{
    archive::Policy,
    bounded::Bounded,
    fault::Fault,
    import::{Request, Source},
    item::{Content, Item},
    manifest::CONTROL,
    new_root::absolute,
    tape::Tape,
    tree::Tree,
    versions::place_foreseen,
};

/// What would be made.
#[derive(Debug, Serialize)]
pub struct Foreseen {
    /// Where the root or the version would be.
    pub root: PathBuf,
    /// Whether logins would get it at once.
    pub in_use: bool,
    /// The digest of the image's manifest, where it is an image that has one.
    pub digest: Option<String>,
    /// What comes in, a layer after the other; one for what is no image, and nothing where that is not known.
    pub layers: Vec<Layer>,
}

/// What one archive or directory has. What a later layer replaces or removes counts as well.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Layer {
    /// How many entries.
    pub entries: u64,
    /// The bytes of their files.
    pub bytes: u64,
}

/// Finds what an import would make: as a version of this name, where there is one.
///
/// # Errors
/// Those of the import that do not need a write to be found.
pub fn foresee(request: &Request, version: Option<(&str, bool)>) -> Result<Foreseen, Fault> {
    let wanted = absolute(&request.root)?;
    let root = match version {
        Some((name, _)) => place_foreseen(&wanted, name)?,
        None => wanted.clone(),
    };
    drop(request.recipe(&root)?);
    let in_use = root == wanted || version.is_some_and(|(_, into_use)| into_use);
    let mut digest = None;
    let mut layers = Vec::new();
    let policy = request.policy;
    match request.opened(&env::temp_dir())? {
        Source::Debootstrap(_) => {}
        Source::Directory(tree) => layers.push(directory(&tree, policy)?),
        Source::Archive(archive) => layers.push(archive_of(archive, policy)?),
        Source::Images(store) => {
            let image = store.image(request.image.as_deref())?;
            for layer in &image.layers {
                store.with_layer(layer, policy.most_read(), |archive| {
                    layers.push(archive_of(archive, policy)?);
                    Ok(())
                })?;
            }
            digest = image.digest;
        }
    }
    let bytes: u64 = layers.iter().map(|it| it.bytes).sum();
    let entries: u64 = layers.iter().map(|it| it.entries).sum();
    for (what, found, most, option) in [
        ("bytes", bytes, policy.most_bytes, "--max-size"),
        ("entries", entries, policy.most_entries, "--max-entries"),
    ] {
        if found > most {
            return Err(Fault::Failed(format!(
                "import: {found} {what} and no more than {most} are allowed; {option} allows more"
            )));
        }
    }
    Ok(Foreseen {
        root,
        in_use,
        digest,
        layers,
    })
}

impl Layer {
    fn add(&mut self, bytes: u64) {
        self.entries = self.entries.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

fn archive_of(archive: impl io::Read, policy: Policy) -> Result<Layer, Fault> {
    let damaged = |error: io::Error| Fault::Failed(format!("read the archive: {error}"));
    let mut tape = Tape::new(Bounded::new(archive, policy.most_read()));
    let mut layer = Layer::default();
    while let Some(Item { content, .. }) = tape.forward().map_err(damaged)? {
        let bytes = match content {
            Content::File | Content::Sparse(..) => {
                io::copy(&mut tape, &mut io::sink()).map_err(damaged)?
            }
            _ => 0,
        };
        layer.add(bytes);
    }
    Ok(layer)
}

fn directory(tree: &Tree, policy: Policy) -> Result<Layer, Fault> {
    let mut layer = Layer::default();
    let mut open = vec![PathBuf::new()];
    while let Some(directory) = open.pop() {
        for (name, _) in tree.list(&directory)? {
            let path = directory.join(name);
            if path == OsStr::new(CONTROL) {
                continue;
            }
            let Some(stat) = tree.stat(&path)? else {
                continue;
            };
            let mut bytes = 0;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory if !tree.is_mount_point(&path)? => open.push(path),
                FileType::RegularFile => bytes = u64::try_from(stat.st_size).unwrap_or(0),
                _ => {}
            }
            layer.add(bytes);
            if layer.entries > policy.most_entries {
                return Ok(layer);
            }
        }
    }
    Ok(layer)
}
