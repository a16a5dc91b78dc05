//! The server's side of TLS: a certificate chain and a key, from PEM files. TLS 1.2 and 1.3, by
//! rustls over aws-lc-rs; clients' certificates aren't asked for. Source: RFC 8446, RFC 7468.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why TLS can't be set up.
#[derive(Debug)]
pub enum TlsError {
    /// A file can't be read, or is not PEM.
    File(PathBuf, pem::Error),
    /// The file of certificates holds none.
    NoCertificate(PathBuf),
    /// The key doesn't fit the certificate, or neither is usable.
    Unusable(rustls::Error),
}

/// Reads a certificate chain (its own certificate first) and its key.
///
/// # Errors
/// [`TlsError`], which names the file.
pub fn load(certificates: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let unreadable = |path: &Path, error| TlsError::File(path.to_owned(), error);
    let chain = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(certificates, error))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(certificates.to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(TlsError::Unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

impl fmt::Display for TlsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::File(path, error) => write!(formatter, "{}: {error}", path.display()),
            TlsError::NoCertificate(path) => {
                write!(formatter, "{}: there is no certificate in it", path.display())
            }
            TlsError::Unusable(error) => write!(formatter, "the certificate and key: {error}"),
        }
    }
}

impl std::error::Error for TlsError {}
