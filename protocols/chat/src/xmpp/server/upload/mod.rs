//! Slots for uploads over HTTP (XEP-0363): [`UploadService`] gives them at a domain of a server. [`Uploads`] decides who may upload
//! what, pure; an [`UploadKey`] signs what was decided.
//!
//! Files are neither received nor stored here. The HTTP server that does it, which may be another process, has the same key: it gives
//! [`UploadKey::verify`] the path and the header `Authorization` of a PUT, and is told how many bytes of which type it may store there.
//! The address for GET is the same path, which nobody can guess.

mod upload_config;
mod upload_key;
mod upload_service;
mod uploads;

pub use {
    upload_config::UploadConfig,
    upload_key::{Grant, GrantError, UploadKey},
    upload_service::UploadService,
    uploads::Uploads,
};
