//! The files of a model in a folder of the user's: nothing that is there is overwritten.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use streamforge_store::{ModelFile, ModelFiles};

use crate::cli::exit::{Failure, Outcome};

/// What a file is called until it is whole.
const PARTIAL: &str = ".partial";

/// Writes the files into a folder that is not there, is empty or holds nothing but some of the same files.
pub(super) fn write(files: &ModelFiles, folder: &Path) -> Outcome {
    let fail =
        |error: io::Error| Failure::Failed(format!("failed to write the model to `{}`: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(fail)?;
    for entry in fs::read_dir(folder).map_err(fail)? {
        let name = entry.map_err(fail)?.file_name();
        let is_partial = ModelFile::ALL.into_iter().any(|file| name == partial(file).as_str());
        let known = ModelFile::ALL.into_iter().find(|file| name == file.as_str());
        let is_same =
            known.map(|file| Ok(fs::read(folder.join(&name))? == files.get(file))).transpose().map_err(fail)?;
        if !(is_partial || is_same == Some(true)) {
            let what = if is_same.is_some() { "with other content" } else { "which is no part of the model" };
            let (folder, name) = (folder.display(), name.to_string_lossy());
            return Err(Failure::Failed(format!("`{folder}` holds `{name}` {what}; name an empty folder by --to")));
        }
    }
    for file in ModelFile::ALL {
        let (unfinished, path) = (folder.join(partial(file)), folder.join(file.as_str()));
        let write = || {
            let mut written = fs::File::create(&unfinished)?;
            written.write_all(files.get(file))?;
            written.sync_all()?;
            fs::rename(&unfinished, &path)
        };
        write().map_err(fail)?;
    }
    Ok(())
}

fn partial(file: ModelFile) -> String {
    format!("{}{PARTIAL}", file.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(weights: &[u8]) -> ModelFiles {
        ModelFiles { onnx: b"onnx".to_vec(), weights: weights.to_vec(), card: b"{}".to_vec() }
    }

    #[test]
    fn the_same_files_may_be_written_again_and_others_may_not() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("a/b");
        for _ in 0..2 {
            write(&files(b"weights"), &folder).unwrap();
        }
        for (name, content) in [("model.onnx", "onnx"), ("weights.safetensors", "weights"), ("card.json", "{}")] {
            assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), content);
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
        let Err(Failure::Failed(reason)) = write(&files(b"others"), &folder) else { panic!("it was overwritten") };
        assert!(reason.contains("`weights.safetensors` with other content"), "{reason}");
        assert_eq!(fs::read(folder.join("weights.safetensors")).unwrap(), b"weights");
        fs::write(folder.join("notes"), "").unwrap();
        let Err(Failure::Failed(reason)) = write(&files(b"weights"), &folder) else { panic!("it was accepted") };
        assert!(reason.contains("`notes` which is no part of the model"), "{reason}");
    }

    #[test]
    fn what_a_killed_export_has_left_is_completed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("model.onnx"), "onnx").unwrap();
        fs::write(folder.path().join("weights.safetensors.partial"), "wei").unwrap();
        write(&files(b"weights"), folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        let file = folder.path().join("card.json");
        let Err(Failure::Failed(reason)) = write(&files(b"weights"), &file) else { panic!("a file is no folder") };
        assert!(reason.contains("card.json"), "{reason}");
    }
}
