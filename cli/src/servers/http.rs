//! `sinew http`: serves a folder, other servers below paths of their own, and redirects. The example `serve_dir` is the same as a plain
//! program, with uploads.

use std::path::PathBuf;

use serde::Deserialize;
use sinew::{
    application::{Service, StartError},
    auth::PasswordFile,
    http::server::{
        AccessLog, Compression, ErrorPages, Files, Guard, Handler, HttpServer, LogFormat, Redirect,
        ReverseProxy, Router,
    },
    reactor::Excerpt,
    transports::endpoint::ClientEndpoint,
};

use super::users_file;
use crate::run::{Context, ServerCommand};

/// The arguments of `sinew http`.
#[derive(Clone, Debug, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Http {
    /// The folder
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) directory: PathBuf,
    /// Show no lists of what is in a folder
    #[arg(long)]
    pub(crate) no_listing: bool,
    /// Serve names that begin with a dot, too
    #[arg(long)]
    pub(crate) dot_files: bool,
    /// Have all below a path answered by another server, as /api=tcp:127.0.0.1:3000, which gets the whole path. May be repeated, also for
    /// the same path, whose requests the servers then share
    #[arg(long, value_name = "PATH=ENDPOINT")]
    pub(crate) proxy: Vec<String>,
    /// Send clients from a path to another place, as /old=/new. May be repeated
    #[arg(long, value_name = "PATH=LOCATION")]
    pub(crate) redirect: Vec<String>,
    /// Let in only who is in this file, which `htpasswd -B` makes. Over anything but TLS, names and passwords can be read on the way
    #[arg(long, value_name = "FILE")]
    pub(crate) htpasswd: Option<PathBuf>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            directory: ".".into(),
            no_listing: false,
            dot_files: false,
            proxy: Vec::new(),
            redirect: Vec::new(),
            htpasswd: None,
        }
    }
}

impl Http {
    /// All that is served: other servers, redirects, and the folder.
    fn site(&self) -> Result<Router, StartError> {
        let files = Files::new(&self.directory).map_err(|error| {
            StartError::other(format!("{}: {error}", Excerpt::path(&self.directory)))
        })?;
        let files = files.listing(!self.no_listing).dot_files(self.dot_files).precompressed(true);
        let mut router = Router::new();
        for (path, proxy) in self.proxies()? {
            router = router.nest(&path, proxy);
        }
        for text in &self.redirect {
            let (path, location) = split(text)?;
            router = router.any(path, Redirect::to(location).map_err(StartError::other)?);
        }
        Ok(router.fallback(files))
    }

    /// The other servers, by path: several for one path share its requests.
    fn proxies(&self) -> Result<Vec<(String, ReverseProxy)>, StartError> {
        let mut proxies: Vec<(String, ReverseProxy)> = Vec::new();
        for text in &self.proxy {
            let (path, to) = split(text)?;
            let to: ClientEndpoint = to.parse().map_err(StartError::other)?;
            match proxies.iter().position(|(known, _)| known == path) {
                Some(at) => {
                    let (path, proxy) = proxies.swap_remove(at);
                    proxies.push((path, proxy.backend(to)));
                }
                None => proxies.push((path.to_owned(), ReverseProxy::new(to))),
            }
        }
        Ok(proxies)
    }
}

/// A path, and what follows the equals sign.
fn split(text: &str) -> Result<(&str, &str), StartError> {
    let wrong = |why: &str| StartError::other(format!("{:?}: {why}", Excerpt::new(text)));
    let (path, value) =
        text.split_once('=').ok_or_else(|| wrong("write a path, = and what is there"))?;
    let path = path.trim_end_matches('/');
    if !path.starts_with('/') || path.contains(['{', '}']) {
        return Err(wrong("the path begins with a slash, and names one place"));
    }
    Ok((path, value))
}

impl ServerCommand for Http {
    fn service(&self, context: &Context) -> Result<Box<dyn Service>, StartError> {
        let site = self.site()?;
        match &self.htpasswd {
            Some(file) => {
                let users = PasswordFile::open(file).map_err(StartError::other)?;
                users_file::warn(context, file);
                let guarded = Guard::basic("files", users, site).map_err(StartError::other)?;
                serve(context, guarded)
            }
            None => serve(context, site),
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        self.htpasswd.iter().cloned().collect()
    }
}

fn serve(context: &Context, handler: impl Handler) -> Result<Box<dyn Service>, StartError> {
    let pages = ErrorPages::new(Compression::new(handler));
    let logged = AccessLog::new(pages).format(LogFormat::Common);
    context.serve("tcp:127.0.0.1:8080", HttpServer::new(logged))
}
