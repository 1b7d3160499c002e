//! Where the data of this package lies. The package is never published, so the paths of its source tree hold.

use std::path::{Path, PathBuf};

/// The scenarios of this package.
pub fn scenarios_file() -> PathBuf {
    package_file("scenarios.json")
}

/// The reference driver, which runs scenarios on CPython's asyncio.
pub fn cpython_driver() -> PathBuf {
    package_file("cpython_driver.py")
}

/// The ids of the scenarios to which Foster conforms.
pub(crate) fn conforming_file() -> PathBuf {
    package_file("conforming.txt")
}

/// The scenarios on which CPython 3.11 may differ, with the reasons.
pub(crate) fn known_cpython_file() -> PathBuf {
    package_file("known-cpython-3.11.txt")
}

/// The self-signed certificate for `localhost`, for tests only.
pub(crate) fn certificate_file() -> PathBuf {
    package_file("certs/cert.pem")
}

/// The private key of that certificate.
pub(crate) fn key_file() -> PathBuf {
    package_file("certs/key.pem")
}

fn package_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}
