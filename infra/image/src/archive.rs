//! The archive: blobs by digest, an index that names the image.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufWriter, Read as _, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tar::{Builder, Header};

use crate::layer::{Layer, compress};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// Images do not say when they were made: the same content is the same image.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// Bytes of an archive's index.
const INDEX_BYTES_MAX: u64 = 1024 * 1024;

/// How the image is started.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// `uid:gid`.
    pub user: String,
    /// Facts about it, by their keys.
    pub labels: BTreeMap<String, String>,
    /// `NAME=value`.
    pub environment: Vec<String>,
}

/// An image.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its full name with a tag, `registry/name:tag`.
    pub name: String,
    /// How it is started.
    pub config: Config,
    /// Its layers, lowest first.
    pub layers: Vec<Layer>,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// `sha256:…` of the manifest: what a pod names.
    pub digest: String,
    /// Bytes of the archive.
    pub size: u64,
}

/// What an archive says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its full name with a tag.
    pub name: String,
    /// `sha256:…` of its manifest.
    pub digest: String,
}

impl Described {
    /// `registry/name@sha256:…`: the same content for ever.
    #[must_use]
    pub fn reference(&self) -> String {
        let path = self.name.rfind('/').map_or(0, |slash| slash + 1);
        let end = self.name[path..].find(':').map_or(self.name.len(), |colon| path + colon);
        format!("{}@{}", &self.name[..end], self.digest)
    }
}

/// Reads which image an archive holds.
///
/// # Errors
/// When it is not an archive of one named image.
pub fn describe(path: &Path) -> Result<Described> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let mut archive = tar::Archive::new(file);
    for entry in archive.entries()? {
        let entry = entry.with_context(|| format!("{} is no archive", path.display()))?;
        if entry.path()?.as_os_str() != "index.json" {
            continue;
        }
        let index: Value = serde_json::from_reader(entry.take(INDEX_BYTES_MAX))?;
        let manifest = &index["manifests"][0];
        let name = manifest["annotations"]["io.containerd.image.name"].as_str();
        let (Some(name), Some(digest)) = (name, manifest["digest"].as_str()) else { break };
        return Ok(Described { name: name.to_owned(), digest: digest.to_owned() });
    }
    anyhow::bail!("{} holds no image with a name", path.display())
}

impl Image {
    /// Writes the archive, whole or not at all.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, path: &Path) -> Result<Written> {
        let (blobs, manifest) = self.blobs()?;
        let temporary = path.with_extension("partial");
        let file = File::create(&temporary).with_context(|| temporary.display().to_string())?;
        let mut archive = Builder::new(BufWriter::new(file));
        let (digest, size) = (format!("sha256:{}", manifest), blobs[&manifest].len());
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [{
            "mediaType": MANIFEST, "digest": digest, "size": size,
            "platform": {"architecture": architecture(), "os": "linux"},
            "annotations": {
                "io.containerd.image.name": self.name,
                "org.opencontainers.image.ref.name": self.name,
            },
        }]});
        append(&mut archive, "oci-layout", &bytes(&json!({"imageLayoutVersion": "1.0.0"}))?)?;
        append(&mut archive, "index.json", &bytes(&index)?)?;
        for (name, blob) in &blobs {
            append(&mut archive, &format!("blobs/sha256/{name}"), blob)?;
        }
        archive.into_inner()?.flush()?;
        fs::rename(&temporary, path).with_context(|| path.display().to_string())?;
        Ok(Written { digest, size: fs::metadata(path)?.len() })
    }

    /// All blobs by their hexadecimal digests, and which of them is the manifest.
    fn blobs(&self) -> Result<(BTreeMap<String, Vec<u8>>, String)> {
        let mut blobs = BTreeMap::new();
        let mut keep = |blob: Vec<u8>| {
            let name = hex::encode(Sha256::digest(&blob));
            let size = blob.len();
            blobs.insert(name.clone(), blob);
            (name, size)
        };
        let (mut layers, mut contents) = (Vec::new(), Vec::new());
        for layer in &self.layers {
            let tar = layer.tar()?;
            contents.push(format!("sha256:{}", hex::encode(Sha256::digest(&tar))));
            let (name, size) = keep(compress(&tar)?);
            layers.push(descriptor(LAYER, &name, size));
        }
        let Config { entrypoint, user, labels, environment } = &self.config;
        let config = json!({
            "created": CREATED, "architecture": architecture(), "os": "linux",
            "config": {
                "User": user, "Entrypoint": entrypoint, "Env": environment, "Labels": labels,
                "WorkingDir": "/",
            },
            "rootfs": {"type": "layers", "diff_ids": contents},
        });
        let (name, size) = keep(bytes(&config)?);
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "layers": layers,
            "config": descriptor(CONFIG, &name, size), "annotations": labels,
        });
        let (manifest, _) = keep(bytes(&manifest)?);
        Ok((blobs, manifest))
    }
}

fn descriptor(media_type: &str, name: &str, size: usize) -> Value {
    json!({"mediaType": media_type, "digest": format!("sha256:{name}"), "size": size})
}

fn bytes(value: &Value) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec(value)?)
}

fn append<W: std::io::Write>(archive: &mut Builder<W>, path: &str, blob: &[u8]) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_mtime(0);
    header.set_mode(0o644);
    header.set_size(blob.len() as u64);
    archive.append_data(&mut header, path, blob).with_context(|| format!("writing {path}"))
}

/// This machine's, in the words of the specification.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Entry;

    fn image(text: &str) -> Image {
        let mut layer = Layer::default();
        layer.put("bin/x", Entry::File(0o755, text.as_bytes().to_vec())).unwrap();
        let config = Config { entrypoint: vec!["/bin/x".into()], ..Config::default() };
        Image { name: "hansa.test/x:1".into(), config, layers: vec![layer] }
    }

    #[test]
    fn an_image_is_its_content() {
        // Deployments name images by digest: another digest for the same content restarts nodes,
        // the same digest for another content would hide a change.
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let one = image("one").write(&path("1")).unwrap();
        let described = describe(&path("1")).unwrap();
        assert_eq!(described.reference(), format!("hansa.test/x@{}", one.digest));
        assert_eq!(one, image("one").write(&path("2")).unwrap());
        assert_eq!(fs::read(path("1")).unwrap(), fs::read(path("2")).unwrap());
        assert_ne!(one.digest, image("two").write(&path("3")).unwrap().digest);
    }

    #[test]
    fn every_blob_that_is_named_is_there_under_its_digest() {
        // A runtime refuses an image whose parts it does not find.
        let (blobs, manifest) = image("one").blobs().unwrap();
        for (name, blob) in &blobs {
            assert_eq!(*name, hex::encode(Sha256::digest(blob)));
        }
        let read: Value = serde_json::from_slice(&blobs[&manifest]).unwrap();
        let named = read["layers"].as_array().unwrap().iter().chain([&read["config"]]);
        for descriptor in named {
            let digest = descriptor["digest"].as_str().unwrap();
            let blob = &blobs[digest.strip_prefix("sha256:").unwrap()];
            assert_eq!(descriptor["size"], blob.len());
        }
    }
}
