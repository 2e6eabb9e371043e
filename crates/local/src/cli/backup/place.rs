//! Where backups lie: a folder, a bucket, or beside the objects of the data folder.

use std::path::{Path, absolute};

use streamforge_backup::Place;

use crate::{cli::exit::Failure, platform::Places};

/// Opens a place to write to.
pub(super) async fn open(url: Option<&str>, places: &Places) -> Result<Place, Failure> {
    let objects = match url {
        Some(url) => streamforge_store::open_objects(&whole(url)?).await.map_err(failure)?,
        None => places.open_objects().await?,
    };
    Ok(Place::new(objects))
}

/// Opens a place to read from; a folder that is not there is not made.
pub(super) async fn open_existing(url: Option<&str>, places: &Places) -> Result<Place, Failure> {
    let url = url.map(whole).transpose()?.unwrap_or_else(|| places.objects_url());
    if let Some(folder) = url.strip_prefix("file://")
        && !Path::new(folder).is_dir()
    {
        return Err(Failure::Unavailable(format!("there are no backups in `{folder}`; name another place by --from")));
    }
    Ok(Place::new(streamforge_store::open_objects(&url).await.map_err(failure)?))
}

/// The URL of what may be `file:` and a folder as people write it.
fn whole(url: &str) -> Result<String, Failure> {
    let folder = url.strip_prefix("file:").filter(|folder| !folder.starts_with("//"));
    let Some(folder) = folder else { return Ok(url.to_owned()) };
    let refuse = || Failure::Configuration(format!("place `{url}` is not valid: write `file:FOLDER` or `s3://BUCKET`"));
    let path = absolute(folder).map_err(|_| refuse())?;
    path.to_str().map(|path| format!("file://{path}")).ok_or_else(refuse)
}

/// A URL that names no place is the caller's mistake.
fn failure(error: streamforge_store::Error) -> Failure {
    crate::platform::Error::from(error).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_as_people_write_it() {
        let here = std::env::current_dir().unwrap().display().to_string();
        for (text, url) in [
            ("file:a b/c", format!("file://{here}/a b/c")),
            ("file:/a", "file:///a".to_owned()),
            ("file:///a", "file:///a".to_owned()),
            ("s3://bucket/x", "s3://bucket/x".to_owned()),
        ] {
            assert_eq!(whole(text).unwrap(), url);
        }
        assert!(matches!(whole("file:"), Err(Failure::Configuration(_))));
    }
}
