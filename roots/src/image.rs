//! Images of containers, as `docker save` and OCI tools write them: which layers there are, in what order.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    bounded::Bounded,
    compression::decompress,
    fault::Fault,
    manifest::{digest_text, hexadecimal},
    store::{Store, parsed, plain},
};

/// How deep indexes may lead to indexes.
const DEEPEST_INDEX: usize = 4;
const BLOCK: usize = 512;
/// The most bytes that may follow the end of an archive, which fill its last record.
const LONGEST_TAIL: u64 = 16 * 1024 * 1024;

/// A layer, by its name in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    name: PathBuf,
    /// The digest of its bytes as they are stored, where the image has it.
    sha256: Option<String>,
    /// The digest of its archive, which may be compressed, where the image has it.
    diff_id: Option<String>,
}

/// Reads the name of an archive's first entry, and says whether it is that of an image. What was read is given back.
///
/// # Errors
/// It can't be read.
pub fn is_image(from: &mut impl Read) -> io::Result<(bool, Vec<u8>)> {
    let mut block = Vec::with_capacity(BLOCK);
    from.take(512).read_to_end(&mut block)?;
    let name = block.get(..100).unwrap_or_default();
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let name = String::from_utf8_lossy(name).into_owned();
    let name = name.trim_start_matches("./");
    let first = name.split('/').next().unwrap_or_default();
    let known = [
        "blobs",
        "index.json",
        "manifest.json",
        "oci-layout",
        "repositories",
    ]
    .contains(&first);
    let digest = first.trim_end_matches(".json").trim_end_matches(".tar");
    let digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    Ok((known || digest, block))
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its layers, lowest first.
    pub layers: Vec<Layer>,
    /// The digest of its manifest, where it is named by one.
    pub digest: Option<String>,
}

impl Store {
    /// Says which layers an image has. `image` is its name, where there are several.
    ///
    /// # Errors
    /// The documents make no sense, or which image is meant is not clear.
    pub fn image(&self, image: Option<&str>) -> Result<Image, Fault> {
        if self.has("index.json") {
            let index = self.document(Path::new("index.json"))?;
            return self.of_index(&index, image, 0);
        }
        let manifests = self.document(Path::new("manifest.json"))?;
        let manifests = manifests.as_array().map(Vec::as_slice).unwrap_or_default();
        let names = |manifest: &Value| -> Vec<String> {
            let tags = manifest.get("RepoTags").and_then(Value::as_array);
            tags.into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        };
        let manifest = choose(manifests, image, names)?;
        let layers = manifest.get("Layers").and_then(Value::as_array);
        let layers = layers.ok_or_else(|| {
            Fault::Failed("read manifest.json of the image: it lists no layers".to_owned())
        })?;
        let names: Vec<&str> = layers.iter().filter_map(Value::as_str).collect();
        let mut diff_ids = self.diff_ids(manifest)?.into_iter();
        if diff_ids.len() != 0 && diff_ids.len() != names.len() {
            return Err(Fault::Failed(format!(
                "read the image: it has {} layers, and digests of {}",
                names.len(),
                diff_ids.len()
            )));
        }
        let layer = |name: &str| Layer {
            name: plain(Path::new(name)),
            sha256: None,
            diff_id: diff_ids.next(),
        };
        Ok(Image {
            layers: names.into_iter().map(layer).collect(),
            digest: None,
        })
    }

    /// Gives the digests of the layers that the configuration of a saved image lists. Those of old have none.
    fn diff_ids(&self, manifest: &Value) -> Result<Vec<String>, Fault> {
        let config = manifest.get("Config").and_then(Value::as_str);
        let Some(config) = config.map(|name| plain(Path::new(name))) else {
            return Ok(Vec::new());
        };
        let config = self.document(&config)?;
        let listed = config.get("rootfs").and_then(|root| root.get("diff_ids"));
        let listed = listed.and_then(Value::as_array);
        listed
            .into_iter()
            .flatten()
            .map(|digest| digits_of(digest).map(str::to_owned))
            .collect()
    }

    fn of_index(&self, index: &Value, image: Option<&str>, depth: usize) -> Result<Image, Fault> {
        let manifests = index.get("manifests").and_then(Value::as_array);
        let manifests = manifests.map(Vec::as_slice).unwrap_or_default();
        let here: Vec<Value> = manifests
            .iter()
            .filter(|manifest| is_for_here(manifest))
            .cloned()
            .collect();
        let names = |manifest: &Value| -> Vec<String> {
            let annotations = manifest.get("annotations").and_then(Value::as_object);
            let names = annotations
                .into_iter()
                .flatten()
                .filter(|(key, _)| key.ends_with("name"));
            names
                .filter_map(|(_, value)| value.as_str())
                .map(str::to_owned)
                .collect()
        };
        let chosen = choose(&here, image, names)?;
        let (name, sha256) = blob(chosen)?;
        let text = self.text(&name)?;
        let found = digest_text(&text);
        if found != sha256 {
            return Err(differs(&name, &found));
        }
        let document = parsed(&text, &name)?;
        if document.get("manifests").is_some() && depth < DEEPEST_INDEX {
            return self.of_index(&document, None, depth + 1);
        }
        let layers = document.get("layers").and_then(Value::as_array);
        let layers = layers.ok_or_else(|| {
            Fault::Failed(format!(
                "read {} of the image: it lists no layers",
                name.display()
            ))
        })?;
        let layers = layers.iter().map(|layer| {
            blob(layer).map(|(name, sha256)| Layer {
                name,
                sha256: Some(sha256),
                diff_id: None,
            })
        });
        Ok(Image {
            layers: layers.collect::<Result<_, _>>()?,
            digest: Some(sha256),
        })
    }

    /// Unpacks a layer's archive by `unpack`, and makes sure that the bytes it was given are those that the image names: somebody may
    /// put others in their place meanwhile. No more than `most` bytes are read.
    ///
    /// # Errors
    /// They are not, or can't be read. What was unpacked is not to be used then.
    pub fn with_layer(
        &self,
        layer: &Layer,
        most: u64,
        unpack: impl FnOnce(&mut dyn Read) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let name = &layer.name;
        let read = Bounded::new(self.open(name)?, most.saturating_add(LONGEST_TAIL));
        let mut stored = Digested::new(read, layer.sha256.as_deref());
        let archive = decompress(&mut stored).map_err(Fault::io("read", name))?;
        let mut archive = Digested::new(archive, layer.diff_id.as_deref());
        if let Err(fault) = unpack(&mut archive) {
            drop(archive);
            // What is damaged is best named by its digest.
            return match stored.other(u64::MAX) {
                Ok(Some(found)) => Err(differs(name, &found)),
                _ => Err(fault),
            };
        }
        for other in [archive.other(LONGEST_TAIL), stored.other(LONGEST_TAIL)] {
            if let Some(found) = other.map_err(Fault::io("read", name))? {
                return Err(differs(name, &found));
            }
        }
        Ok(())
    }
}

/// A reader that digests what was read from it, where there is a digest that it must have.
struct Digested<'layer, Source> {
    source: Source,
    wanted: Option<(&'layer str, Sha256)>,
}

impl<'layer, Source: Read> Digested<'layer, Source> {
    fn new(source: Source, wanted: Option<&'layer str>) -> Self {
        let wanted = wanted.map(|wanted| (wanted, Sha256::new()));
        Digested { source, wanted }
    }

    /// Reads on to the end, before which `most` bytes may come, and gives the digest if it is another than was meant.
    fn other(mut self, most: u64) -> io::Result<Option<String>> {
        if self.wanted.is_none() {
            return Ok(None);
        }
        if io::copy(&mut (&mut self).take(most), &mut io::sink())? == most {
            let mib = most >> 20;
            return Err(io::Error::other(format!(
                "{mib} MiB or more follow the end of the archive in it"
            )));
        }
        let found = self
            .wanted
            .map(|(wanted, hash)| (wanted, hexadecimal(&hash.finalize())));
        Ok(found
            .filter(|(wanted, found)| wanted != found)
            .map(|(_, found)| found))
    }
}

impl<Source: Read> Read for Digested<'_, Source> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        if let Some((_, hash)) = &mut self.wanted {
            hash.update(buffer.get(..count).unwrap_or_default());
        }
        Ok(count)
    }
}

fn differs(name: &Path, found: &str) -> Fault {
    let name = name.display();
    Fault::Failed(format!("read {name} of the image: its digest is {found}"))
}

/// Picks the one image there is, or the one that is named.
fn choose<'list>(
    images: &'list [Value],
    wanted: Option<&str>,
    names: impl Fn(&Value) -> Vec<String>,
) -> Result<&'list Value, Fault> {
    let mut fitting = images
        .iter()
        .filter(|image| wanted.is_none_or(|wanted| names(image).iter().any(|name| name == wanted)));
    match (fitting.next(), fitting.next()) {
        (Some(image), None) => Ok(image),
        (first, _) => {
            let known: Vec<String> = images.iter().flat_map(names).collect();
            let what = if first.is_some() {
                "several images are in there"
            } else {
                "no such image is in there"
            };
            Err(Fault::Failed(format!(
                "read the image: {what}; --image takes one of: {}",
                known.join(" ")
            )))
        }
    }
}

/// Whether an image is for this kind of processor, or does not say.
fn is_for_here(manifest: &Value) -> bool {
    let here = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    };
    let of = |key| {
        manifest
            .get("platform")
            .and_then(|platform| platform.get(key))
            .and_then(Value::as_str)
    };
    of("architecture").is_none_or(|architecture| architecture == here)
        && of("os").is_none_or(|os| os == "linux")
}

/// Gives the name and digest of what a descriptor describes.
fn blob(descriptor: &Value) -> Result<(PathBuf, String), Fault> {
    let digest = digits_of(descriptor.get("digest").unwrap_or(&Value::Null))?;
    Ok((Path::new("blobs/sha256").join(digest), digest.to_owned()))
}

/// Gives the digits of a digest, which are fit to be a name.
fn digits_of(digest: &Value) -> Result<&str, Fault> {
    let text = digest.as_str().unwrap_or_default();
    let digits = text.strip_prefix("sha256:").filter(|digits| {
        let digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        digits.len() == 64 && digits.bytes().all(digit)
    });
    digits.ok_or_else(|| Fault::Failed(format!("read the image: {text:?} is no digest of SHA-256")))
}
