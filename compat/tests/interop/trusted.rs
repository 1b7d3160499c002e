//! An authority, and what it has signed, as files.

#![allow(dead_code, reason = "each test binary needs only a part")]

use std::path::PathBuf;

use crate::interop::Folder;
use crate::tls::{Authority, Identity};

/// An authority whose certificate is in a file, for those who read only files.
pub(crate) struct Trusted {
    pub(crate) authority: Authority,
    pub(crate) folder: Folder,
    pub(crate) ca: PathBuf,
}

impl Trusted {
    pub(crate) fn new() -> Self {
        let (authority, folder) = (Authority::new(), Folder::new());
        let ca = folder.write("ca.pem", &authority.pem());
        Trusted { authority, folder, ca }
    }

    /// The files of a certificate and its key.
    pub(crate) fn identity(&self, name: &str) -> (PathBuf, PathBuf) {
        let Identity { cert, key } = self.authority.sign(&[name]);
        (self.folder.write(&format!("{name}.pem"), &cert), self.folder.write(&format!("{name}.key"), &key))
    }
}
