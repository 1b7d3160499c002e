//! The file of a listening Unix socket.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Remembers which file a server has made, so that it removes no other.
#[derive(Debug)]
pub(crate) struct UnixSocketFile {
    path: PathBuf,
    /// (device, inode)
    identity: (u64, u64),
}

impl UnixSocketFile {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let metadata = path.symlink_metadata()?;
        Ok(UnixSocketFile { path: path.to_owned(), identity: (metadata.dev(), metadata.ino()) })
    }

    /// Removes the file if it is still the one that the server made.
    pub(crate) fn remove(&self) {
        let is_ours = UnixSocketFile::of(&self.path).is_ok_and(|now| now.identity == self.identity);
        if is_ours {
            // Gone already is as good.
            let _ = std::fs::remove_file(&self.path);
        }
    }

    /// Removes the socket that an earlier server has left; any other file stays, and binding fails.
    pub(crate) fn remove_stale(path: &Path) {
        if path.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_socket()) {
            // If it cannot be removed, binding says so.
            let _ = std::fs::remove_file(path);
        }
    }
}
