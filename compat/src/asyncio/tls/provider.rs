//! Which implementation of the cryptography is used.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The implementation of the cryptography under a context.
///
/// It is named for every context and never taken from the process, so another library that installs a default changes
/// nothing here. ring is the default where both are compiled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SslProvider {
    /// ring, with the feature `tls`.
    #[cfg(feature = "tls")]
    Ring,
    /// aws-lc, with the feature `tls-aws-lc`.
    #[cfg(feature = "tls-aws-lc")]
    AwsLc,
}

impl Default for SslProvider {
    fn default() -> Self {
        #[cfg(feature = "tls")]
        return SslProvider::Ring;
        #[cfg(not(feature = "tls"))]
        return SslProvider::AwsLc;
    }
}

impl SslProvider {
    pub(super) fn provider(self) -> Arc<CryptoProvider> {
        Arc::new(match self {
            #[cfg(feature = "tls")]
            SslProvider::Ring => rustls::crypto::ring::default_provider(),
            #[cfg(feature = "tls-aws-lc")]
            SslProvider::AwsLc => rustls::crypto::aws_lc_rs::default_provider(),
        })
    }
}
