//! HTML forms: [`Form`], with fields in memory and uploads in temporary files. Incremental parts are in `parts.rs`,
//! the files in `files.rs`.

mod files;
mod parts;

use std::{
    io,
    path::{Path, PathBuf},
};

use http::StatusCode;
use sinew_transports::reactor::{Deferred, Failure, error_debug};

use self::files::Collector;
pub use self::{files::UploadedFile, parts::PartReceiver};
use super::Request;
use crate::codec::{BodyError, FormError, MultipartError, MultipartLimits, form};

/// Limits of a form.
///
/// # Examples
///
/// ```
/// use sinew_http::server::FormLimits;
///
/// let limits = FormLimits::default().total_max(1 << 30).file_max(512 << 20).folder("/var/tmp");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct FormLimits {
    fields_max: usize,
    value_max: usize,
    file_max: u64,
    total_max: u64,
    parts: MultipartLimits,
    folder: Option<PathBuf>,
}

impl Default for FormLimits {
    fn default() -> Self {
        Self {
            fields_max: 1_000,
            value_max: 64 * 1024,
            file_max: 16 << 20,
            total_max: 32 << 20,
            parts: MultipartLimits::default(),
            folder: None,
        }
    }
}

impl FormLimits {
    /// Most fields. Default 1,000; for a multipart form, the limit of [parts](Self::parts) applies.
    pub fn fields_max(mut self, fields: usize) -> Self {
        self.fields_max = fields;
        self
    }

    /// Longest value of a field in a multipart form. Default 64 KiB.
    pub fn value_max(mut self, bytes: usize) -> Self {
        self.value_max = bytes;
        self
    }

    /// Longest file. Default 16 MiB.
    pub fn file_max(mut self, bytes: u64) -> Self {
        self.file_max = bytes;
        self
    }

    /// Longest multipart form, with all files. Default 32 MiB. Other forms are limited by the server's
    /// [`body_max`](super::ServerConfig::body_max).
    pub fn total_max(mut self, bytes: u64) -> Self {
        self.total_max = bytes;
        self
    }

    /// Limits of the number of parts and of their heads.
    pub fn parts(mut self, limits: MultipartLimits) -> Self {
        self.parts = limits;
        self
    }

    /// The directory of temporary files. Default: that of the system. A file can be [kept](UploadedFile::persist) in the same
    /// file system only.
    pub fn folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = Some(folder.as_ref().to_owned());
        self
    }
}

/// Why a form was not received.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum FormFailure {
    /// The body was not received. The server responds, unless the handler has.
    #[error(transparent)]
    Body(BodyError),
    /// The content type is not that of a form.
    #[error("the content type of the body is not that of a form")]
    NoForm,
    /// The parts are malformed, or too many.
    #[error(transparent)]
    Parts(#[from] MultipartError),
    /// There are too many fields.
    #[error(transparent)]
    Fields(#[from] FormError),
    /// The value of a field is too long.
    #[error("the value of a field is longer than {max} bytes")]
    ValueTooLong {
        /// The limit.
        max: usize,
    },
    /// A file is too long.
    #[error("a file is longer than {max} bytes")]
    FileTooLong {
        /// The limit.
        max: u64,
    },
    /// The form is too long.
    #[error("the form is longer than {max} bytes")]
    TooLong {
        /// The limit.
        max: u64,
    },
    /// A temporary file could not be made or written.
    #[error("a temporary file could not be written: {0}")]
    Io(#[source] io::Error),
    /// Reading was cancelled, the pool of threads refused the work, or the reactor ended.
    #[error("{0}")]
    Failed(Failure),
}

error_debug!(FormFailure);

impl From<BodyError> for FormFailure {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<Failure> for FormFailure {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl FormFailure {
    /// The status that says so to the client.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Body(error) => error.status(),
            Self::NoForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ValueTooLong { .. } | Self::FileTooLong { .. } | Self::TooLong { .. } => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::Parts(_) | Self::Fields(_) => StatusCode::BAD_REQUEST,
            Self::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Failed(Failure::Overloaded { .. }) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// A received form, either `application/x-www-form-urlencoded` or `multipart/form-data`.
#[derive(Debug, Default)]
pub struct Form {
    fields: Vec<(String, String)>,
    files: Vec<UploadedFile>,
}

impl Form {
    /// The first value with this name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields().find_map(|(found, value)| (found == name).then_some(value))
    }

    /// Names and values, in the order of the form.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The files, in the order of the form. They are deleted with the form, unless they are [taken](Self::take_files).
    #[must_use]
    pub fn files(&self) -> &[UploadedFile] {
        &self.files
    }

    /// Takes the files out.
    #[must_use]
    pub fn take_files(&mut self) -> Vec<UploadedFile> {
        std::mem::take(&mut self.files)
    }
}

impl Request {
    /// Receives a form. Its files are written to temporary files on threads of the pool, with backpressure.
    ///
    /// On [`FormFailure::Body`] the server responds; on other failures the handler does, for example with
    /// [`FormFailure::status`].
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_http::server::{FormLimits, Reply, Request, Response};
    ///
    /// fn upload(request: Request, reply: Reply) {
    ///     request.form(&FormLimits::default()).then(|_, form| match form {
    ///         Ok(form) => {
    ///             let bytes: u64 = form.files().iter().map(|file| file.len()).sum();
    ///             reply.send(Response::text(format!("{} files, {bytes} bytes\n", form.files().len())));
    ///         }
    ///         Err(error) => reply.send(error.status()),
    ///     });
    /// }
    /// ```
    pub fn form(&self, limits: &FormLimits) -> Deferred<Form, FormFailure> {
        let content_type = self.field("content-type").unwrap_or_default();
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let (promise, gathered) = self.reactor().promise();
            self.receive_parts(limits.parts, Collector::new(&self.reactor(), limits, promise));
            return gathered;
        }
        let fields_max = limits.fields_max;
        self.collect().map(move |body: Result<_, BodyError>| {
            let fields = form(&body?, fields_max)?;
            Ok(Form { fields, files: Vec::new() })
        })
    }
}
