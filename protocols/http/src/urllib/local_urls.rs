//! URLs that need no network: [`FileHandler`] for `file:`, [`DataHandler`] for `data:`.

use std::{fs::File, path::PathBuf};

use super::{Handler, Request, Response, UrlOpenError};
use crate::{
    client::{RequestError, Url, UrlError},
    codec::{DataUrl, Fields, format_date},
};

/// Opens `file:` URLs of this machine. The response has its size, its type by name and its modification time as fields.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileHandler;

/// Opens `data:` URLs (RFC 2397).
#[derive(Clone, Copy, Debug, Default)]
pub struct DataHandler;

impl Handler for FileHandler {
    fn name(&self) -> &'static str {
        "file"
    }

    fn open(&self, url: &Url, _: &Request) -> Option<Result<Response, UrlOpenError>> {
        (url.scheme() == "file").then(|| open_file(url))
    }
}

impl Handler for DataHandler {
    fn name(&self) -> &'static str {
        "data"
    }

    fn open(&self, url: &Url, _: &Request) -> Option<Result<Response, UrlOpenError>> {
        (url.scheme() == "data").then(|| open_data(url))
    }
}

/// The path of a local file.
pub(super) fn local_path(url: &Url) -> Result<PathBuf, UrlOpenError> {
    let host = url.host_str().unwrap_or_default();
    if !["", "localhost", "127.0.0.1", "[::1]"].contains(&host) {
        return Err(UrlOpenError::RemoteFile { host: host.to_owned() });
    }
    let mut local = url.clone();
    let _ = local.set_host(None);
    let no_path = || UrlError::Invalid { url: url.to_string(), reason: "no path".to_owned() };
    Ok(local.to_file_path().map_err(|()| no_path())?)
}

fn open_file(url: &Url) -> Result<Response, UrlOpenError> {
    let path = local_path(url)?;
    let opened = File::open(&path).and_then(|file| {
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(std::io::ErrorKind::IsADirectory.into());
        }
        Ok((file, metadata))
    });
    let (file, metadata) =
        opened.map_err(|source| UrlOpenError::File { path: path.clone(), source })?;
    let kind = mime_guess::from_path(&path).first_or_text_plain();
    let mut fields = Fields::new();
    let mut append = |name, value: &str| fields.append(name, value).map_err(RequestError::Field);
    append("Content-Type", kind.as_ref())?;
    append("Content-Length", &metadata.len().to_string())?;
    if let Ok(changed) = metadata.modified() {
        append("Last-Modified", &format_date(changed))?;
    }
    Ok(Response::from_file(url.as_str(), fields, file, metadata.len()))
}

fn open_data(url: &Url) -> Result<Response, UrlOpenError> {
    let DataUrl { media_type, data } = DataUrl::parse(url.as_str())?;
    let mut fields = Fields::new();
    let mut append = |name, value: &str| fields.append(name, value).map_err(RequestError::Field);
    append("Content-Type", &media_type)?;
    append("Content-Length", &data.len().to_string())?;
    Ok(Response::from_bytes(url.as_str(), fields, data))
}
