//! Images of containers, as `docker save` and OCI tools write them: which layers there are, in what order.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    compression::decompress,
    fault::Fault,
    manifest::digest,
    store::{Store, plain},
};

/// How deep indexes may lead to indexes.
const DEEPEST_INDEX: usize = 4;
const BLOCK: usize = 512;

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
            .map(|digest| hexadecimal(digest).map(str::to_owned))
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
        self.verify(&name, &sha256)?;
        let document = self.document(&name)?;
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

    /// Makes sure that a part is the one that was meant.
    fn verify(&self, name: &Path, wanted: &str) -> Result<(), Fault> {
        compare(self.open(name)?, name, wanted)
    }

    /// Opens a layer's archive, once its bytes are known to be those that the image names. No more than `most` bytes of it
    /// are looked at for that.
    ///
    /// # Errors
    /// They are not, or can't be read.
    pub fn open_layer<'store>(
        &'store self,
        layer: &Layer,
        most: u64,
    ) -> Result<Box<dyn Read + 'store>, Fault> {
        let open = || decompress(self.open(&layer.name)?).map_err(Fault::io("read", &layer.name));
        if let Some(wanted) = &layer.sha256 {
            self.verify(&layer.name, wanted)?;
        }
        if let Some(wanted) = &layer.diff_id {
            compare(open()?.take(most), &layer.name, wanted)?;
        }
        open()
    }
}

/// Makes sure that bytes have a digest.
fn compare(bytes: impl Read, name: &Path, wanted: &str) -> Result<(), Fault> {
    let (found, _) = digest(bytes, |_| Ok(())).map_err(Fault::io("read", name))?;
    if found == wanted {
        return Ok(());
    }
    let name = name.display();
    Err(Fault::Failed(format!(
        "read {name} of the image: its digest is {found}"
    )))
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
    let digest = hexadecimal(descriptor.get("digest").unwrap_or(&Value::Null))?;
    Ok((Path::new("blobs/sha256").join(digest), digest.to_owned()))
}

/// Gives the digits of a digest, which are fit to be a name.
fn hexadecimal(digest: &Value) -> Result<&str, Fault> {
    let text = digest.as_str().unwrap_or_default();
    let digits = text.strip_prefix("sha256:").filter(|digits| {
        let digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        digits.len() == 64 && digits.bytes().all(digit)
    });
    digits.ok_or_else(|| Fault::Failed(format!("read the image: {text:?} is no digest of SHA-256")))
}
