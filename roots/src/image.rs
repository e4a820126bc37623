//! Images of containers, as `docker save` and OCI tools write them: which layers there are, in what order.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader, Chain, Cursor, Read, Write},
    os::unix::fs::FileExt,
    path::{Component, Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;
use rustix::fs::{CWD, Mode, OFlags, openat};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use serde_json::Value;
use tar::EntryType;

use crate::{fault::Fault, manifest::digest, tree::Tree};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// The most that a JSON document of an image may have, in bytes.
const LARGEST_DOCUMENT: u64 = 16 * 1024 * 1024;
/// How deep indexes may lead to indexes.
const DEEPEST_INDEX: usize = 4;
const BLOCK: usize = 512;

/// Where an image's parts are.
#[derive(Debug)]
pub enum Store {
    /// In an archive: where each begins, and its length.
    Archive(File, HashMap<PathBuf, Part>),
    /// In a directory.
    Directory(Tree),
}

/// A member of an archive.
#[derive(Clone, Debug)]
pub enum Part {
    /// Its bytes: where they begin, and how many they are.
    Bytes(u64, u64),
    /// Another name of one.
    Alias(PathBuf),
}

/// A layer, by its name in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    name: PathBuf,
    /// The digest of its bytes as they are stored, where the image has it.
    sha256: Option<String>,
    /// The digest of its archive, which may be compressed, where the image has it.
    diff_id: Option<String>,
}

/// Undoes gzip or zstd, or nothing, as the first bytes say.
///
/// # Errors
/// It can't be read, or is compressed by something else.
pub fn decompress<'read>(from: impl Read + 'read) -> io::Result<Box<dyn Read + 'read>> {
    let mut from = BufReader::with_capacity(256 * 1024, from);
    let start = from.fill_buf()?;
    for (magic, name) in [
        (&b"BZh"[..], "bzip2"),
        (b"\xfd7zXZ", "xz"),
        (b"PK\x03\x04", "zip"),
    ] {
        if start.starts_with(magic) {
            let what =
                format!("it is compressed with {name}; gzip, zstd and plain tar can be read");
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        }
    }
    if start.starts_with(GZIP) {
        Ok(Box::new(MultiGzDecoder::new(from)))
    } else if start.starts_with(ZSTD) || is_skippable(start) {
        Ok(Box::new(Frames {
            source: Some(from),
            decoder: None,
        }))
    } else {
        Ok(Box::new(from))
    }
}

/// The frames of a zstd file, one after the other, without those that are to be skipped: RFC 8878, 3.
struct Frames<Source: Read> {
    source: Option<BufReader<Source>>,
    decoder: Option<Frame<Source>>,
}

/// A frame that is being read: its magic number, which was read before, and what follows.
type Frame<Source> = StreamingDecoder<Chain<Cursor<[u8; 4]>, BufReader<Source>>, FrameDecoder>;

impl<Source: Read> Read for Frames<Source> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(decoder) = &mut self.decoder {
                let count = decoder.read(buffer)?;
                if count > 0 || buffer.is_empty() {
                    return Ok(count);
                }
                let source = self.decoder.take().map(StreamingDecoder::into_inner);
                self.source = source.map(|source| source.into_inner().1);
            }
            let Some(mut source) = self.source.take() else {
                return Ok(0);
            };
            if source.fill_buf()?.is_empty() {
                return Ok(0);
            }
            let mut magic = [0; 4];
            source.read_exact(&mut magic)?;
            if is_skippable(&magic) {
                let mut length = [0; 4];
                source.read_exact(&mut length)?;
                let length = u64::from(u32::from_le_bytes(length));
                if io::copy(&mut source.by_ref().take(length), &mut io::sink())? < length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.source = Some(source);
                continue;
            }
            let decoder = StreamingDecoder::new(Cursor::new(magic).chain(source));
            self.decoder =
                Some(decoder.map_err(|error| {
                    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
                })?);
        }
    }
}

/// Whether a frame of zstd begins that is no part of what was compressed.
fn is_skippable(start: &[u8]) -> bool {
    matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
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

impl Store {
    /// Takes the parts of an archive, which is written to a file that nobody sees if it is compressed.
    ///
    /// # Errors
    /// It can't be read, or has more than `most` bytes.
    pub fn of_archive(mut from: impl Read, directory: &Path, most: u64) -> Result<Store, Fault> {
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        let file = openat(CWD, directory, flags, Mode::RUSR | Mode::WUSR);
        let mut file = File::from(file.map_err(Fault::io("make a file in", directory))?);
        let copied = io::copy(&mut (&mut from).take(most), &mut file);
        let copied = copied.map_err(|error| Fault::Failed(format!("read the archive: {error}")))?;
        if copied == most {
            return Err(Fault::Failed(format!(
                "read the archive: more than {most} bytes; --max-size allows more"
            )));
        }
        file.flush().map_err(Fault::io("write in", directory))?;
        Store::of_file(file)
    }

    /// Takes the parts of an archive that is not compressed.
    ///
    /// # Errors
    /// It can't be read.
    pub fn of_file(file: File) -> Result<Store, Fault> {
        let damaged = |error: io::Error| Fault::Failed(format!("read the archive: {error}"));
        let mut parts = HashMap::new();
        let whole = Section {
            file: &file,
            at: 0,
            left: u64::MAX,
        };
        let mut archive = tar::Archive::new(whole);
        // Raw: the names in question fit a header, and no other is wanted.
        for entry in archive.entries().map_err(damaged)?.raw(true) {
            let entry = entry.map_err(damaged)?;
            let header = entry.header();
            let Ok(name) = header.path().map(|name| plain(&name)) else {
                continue;
            };
            let part = match header.entry_type() {
                EntryType::Regular => {
                    let size = header.entry_size().map_err(damaged)?;
                    Part::Bytes(entry.raw_file_position(), size)
                }
                EntryType::Symlink | EntryType::Link => {
                    let Ok(Some(to)) = header.link_name() else {
                        continue;
                    };
                    // Links of older versions of Docker lead to a layer that another image has, too.
                    let above = name.parent().unwrap_or(Path::new(""));
                    Part::Alias(plain(&if header.entry_type() == EntryType::Symlink {
                        above.join(to)
                    } else {
                        to.into_owned()
                    }))
                }
                _ => continue,
            };
            parts.insert(name, part);
        }
        Ok(Store::Archive(file, parts))
    }

    /// Whether there is a part of this name.
    fn has(&self, name: &str) -> bool {
        match self {
            Store::Archive(_, parts) => parts.contains_key(Path::new(name)),
            Store::Directory(tree) => tree.stat(Path::new(name)).is_ok_and(|stat| stat.is_some()),
        }
    }

    /// Opens a part.
    fn open<'store>(&'store self, name: &Path) -> Result<Box<dyn Read + 'store>, Fault> {
        match self {
            Store::Archive(file, parts) => {
                let mut part = parts.get(name);
                for _ in 0..DEEPEST_INDEX {
                    match part {
                        Some(Part::Alias(to)) => part = parts.get(to),
                        Some(Part::Bytes(at, left)) => {
                            return Ok(Box::new(Section {
                                file,
                                at: *at,
                                left: *left,
                            }));
                        }
                        None => break,
                    }
                }
                Err(Fault::Failed(format!(
                    "read the image: it has no {}",
                    name.display()
                )))
            }
            Store::Directory(tree) => Ok(Box::new(tree.open_file(name)?)),
        }
    }

    fn document(&self, name: &Path) -> Result<Value, Fault> {
        let fault =
            |error: String| Fault::Failed(format!("read {} of the image: {error}", name.display()));
        let mut text = Vec::new();
        let read = self
            .open(name)?
            .take(LARGEST_DOCUMENT)
            .read_to_end(&mut text);
        read.map_err(|error| fault(error.to_string()))?;
        serde_json::from_slice(&text).map_err(|error| fault(error.to_string()))
    }

    /// Says which layers an image has, lowest first. `image` is its name, where there are several.
    ///
    /// # Errors
    /// The documents make no sense, or which image is meant is not clear.
    pub fn layers(&self, image: Option<&str>) -> Result<Vec<Layer>, Fault> {
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
        Ok(names.into_iter().map(layer).collect())
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

    fn of_index(
        &self,
        index: &Value,
        image: Option<&str>,
        depth: usize,
    ) -> Result<Vec<Layer>, Fault> {
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
        layers
            .iter()
            .map(|layer| {
                blob(layer).map(|(name, sha256)| Layer {
                    name,
                    sha256: Some(sha256),
                    diff_id: None,
                })
            })
            .collect()
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

/// Takes `.` and `..` out of a name within a store. It is looked up in a table or below a descriptor, never opened.
fn plain(name: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in name.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => drop(plain.pop()),
            _ => {}
        }
    }
    plain
}

/// A part of a file, read from the file's own beginning whatever others have read.
#[derive(Debug)]
struct Section<'file> {
    file: &'file File,
    at: u64,
    left: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = self
            .file
            .read_at(buffer.get_mut(..most).unwrap_or_default(), self.at)?;
        let advanced = u64::try_from(count).unwrap_or(0);
        self.at = self.at.saturating_add(advanced);
        self.left = self.left.saturating_sub(advanced);
        Ok(count)
    }
}
