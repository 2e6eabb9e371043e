//! The archives in which images travel: one layer, a configuration, and what names both.
//!
//! # Source
//! <https://github.com/opencontainers/image-spec>, <https://github.com/moby/docker-image-spec/blob/main/v1.2.md>

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::containerfile::Containerfile;

/// Everything is as old as this, so that the same files make the same image.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// What lies at a path of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Folder,
    /// Where its bytes are read here, and its mode.
    File(PathBuf, u32),
}

impl Node {
    /// What its owner and others may do with it.
    pub(crate) fn mode(&self) -> u32 {
        match self {
            Self::Folder => 0o755,
            Self::File(_, mode) => *mode,
        }
    }
}

/// Writes the archive that container runtimes import, with an uncompressed layer.
pub(crate) fn write_for_runtime(
    file: &Path,
    name: &str,
    settings: &Containerfile,
    nodes: &BTreeMap<PathBuf, Node>,
) -> Result<()> {
    let layer = layer(nodes)?;
    let config = config(settings, &layer);
    let config_name = format!("{}.json", digest(&config));
    let manifest = json!([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).to_string();
    pack(file, &[("layer.tar", &layer), (&config_name, &config), ("manifest.json", manifest.as_bytes())])
}

/// Writes an OCI archive, with a compressed layer; answers how many bytes a registry keeps.
pub(crate) fn write_oci(
    file: &Path,
    name: &str,
    settings: &Containerfile,
    nodes: &BTreeMap<PathBuf, Node>,
) -> Result<u64> {
    let layer = layer(nodes)?;
    let config = config(settings, &layer);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&layer).and_then(|()| encoder.try_finish()).context("compress the layer")?;
    let layer = encoder.finish().context("compress the layer")?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &layer)],
    })
    .to_string();
    let mut named = descriptor("application/vnd.oci.image.manifest.v1+json", manifest.as_bytes());
    named["annotations"] = json!({"org.opencontainers.image.ref.name": name});
    let index = json!({"schemaVersion": 2, "manifests": [named]}).to_string();
    let blob = |bytes: &[u8]| format!("blobs/sha256/{}", digest(bytes));
    pack(
        file,
        &[
            ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#),
            ("index.json", index.as_bytes()),
            (&blob(manifest.as_bytes()), manifest.as_bytes()),
            (&blob(&config), &config),
            (&blob(&layer), &layer),
        ],
    )?;
    Ok(u64::try_from(manifest.len() + config.len() + layer.len())?)
}

/// Its configuration, which is also its identity.
fn config(settings: &Containerfile, layer: &[u8]) -> Vec<u8> {
    let variables: Vec<String> = settings.variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "created": CREATED,
        "config": {
            "Entrypoint": settings.entrypoint, "User": settings.user, "WorkingDir": settings.folder,
            "Labels": settings.labels, "Env": variables,
        },
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", digest(layer))]},
        "history": [{"created": CREATED, "created_by": "streamforge"}],
    });
    config.to_string().into_bytes()
}

/// This machine's processor, by the name that images know it by.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The files of an image.
fn layer(nodes: &BTreeMap<PathBuf, Node>) -> Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, node) in nodes {
        let mut header = header(node.mode());
        let appended = match node {
            Node::Folder => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_size(0);
                builder.append_data(&mut header, path, io::empty())
            }
            Node::File(here, _) => {
                let bytes = fs::read(here).with_context(|| format!("read {}", here.display()))?;
                header.set_size(u64::try_from(bytes.len())?);
                builder.append_data(&mut header, path, bytes.as_slice())
            }
        };
        appended.with_context(|| format!("add {} to an image", path.display()))?;
    }
    Ok(builder.into_inner()?)
}

fn pack(file: &Path, entries: &[(&str, &[u8])]) -> Result<()> {
    let created = fs::File::create(file).with_context(|| format!("make {}", file.display()))?;
    let mut builder = tar::Builder::new(created);
    for (name, bytes) in entries {
        let mut header = header(0o644);
        header.set_size(u64::try_from(bytes.len())?);
        builder.append_data(&mut header, name, *bytes).with_context(|| format!("add {name} to an archive"))?;
    }
    builder.into_inner().and_then(|file| file.sync_all()).with_context(|| format!("write {}", file.display()))
}

/// What belongs to root and has no age.
fn header(mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn descriptor(kind: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": kind, "digest": format!("sha256:{}", digest(bytes)), "size": bytes.len()})
}

fn digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    fn nodes() -> BTreeMap<PathBuf, Node> {
        let file = |mode| Node::File(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"), mode);
        let nodes = [("b", Node::Folder), ("b/c", file(0o644)), ("a", file(0o755))];
        nodes.map(|(path, node)| (PathBuf::from(path), node)).into()
    }

    fn settings() -> Containerfile {
        Containerfile { user: "1:1".to_owned(), entrypoint: vec!["/a".to_owned()], ..Containerfile::default() }
    }

    fn entries(archive: impl io::Read) -> Vec<(String, u32, Vec<u8>)> {
        let mut archive = tar::Archive::new(archive);
        let read = |entry: io::Result<tar::Entry<_>>| {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap(), bytes)
        };
        archive.entries().unwrap().map(read).collect()
    }

    #[test]
    fn both_archives_hold_the_same_image_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["one", "other"] {
            write_for_runtime(&path(name), "a:1", &settings(), &nodes()).unwrap();
            write_oci(&path(&format!("{name}.oci")), "a:1", &settings(), &nodes()).unwrap();
        }
        assert_eq!(fs::read(path("one")).unwrap(), fs::read(path("other")).unwrap());
        assert_eq!(fs::read(path("one.oci")).unwrap(), fs::read(path("other.oci")).unwrap());
        let plain = entries(fs::File::open(path("one")).unwrap());
        let oci = entries(fs::File::open(path("one.oci")).unwrap());
        let manifest: Value = serde_json::from_slice(&plain[2].2).unwrap();
        assert_eq!(manifest[0]["Config"], plain[1].0);
        assert_eq!(plain[1].2, oci[3].2, "one configuration");
        let mut layer = Vec::new();
        GzDecoder::new(oci[4].2.as_slice()).read_to_end(&mut layer).unwrap();
        assert_eq!(plain[0].2, layer, "one layer");
    }

    #[test]
    fn an_archive_names_what_is_in_it_by_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.tar");
        let size = write_oci(&file, "a:1", &settings(), &nodes()).unwrap();
        let entries = entries(fs::File::open(file).unwrap());
        let blobs = entries.iter().filter_map(|(name, _, bytes)| Some((name.strip_prefix("blobs/sha256/")?, bytes)));
        assert!(blobs.clone().all(|(name, bytes)| name == digest(bytes)));
        assert_eq!(blobs.map(|(_, bytes)| bytes.len() as u64).sum::<u64>(), size);
        let index: Value = serde_json::from_slice(&entries[1].2).unwrap();
        assert_eq!(index["manifests"][0]["digest"], format!("sha256:{}", digest(&entries[2].2)));
        let manifest: Value = serde_json::from_slice(&entries[2].2).unwrap();
        assert_eq!(manifest["layers"][0]["digest"], format!("sha256:{}", digest(&entries[4].2)));
    }

    #[test]
    fn a_layer_has_folders_before_files_and_no_times() {
        let layer = layer(&nodes()).unwrap();
        let names: Vec<(String, u32)> =
            entries(layer.as_slice()).into_iter().map(|(name, mode, _)| (name, mode)).collect();
        let expected = [("a", 0o755), ("b", 0o755), ("b/c", 0o644)];
        assert_eq!(names, expected.map(|(name, mode)| (name.to_owned(), mode)));
    }
}
