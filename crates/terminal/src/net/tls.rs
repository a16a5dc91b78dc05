//! Whom a `wss://` server has to be vouched for by: the authorities that this machine trusts, or those
//! of one PEM file alone. TLS 1.2 and 1.3, by rustls over aws-lc-rs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::{ClientConfig, RootCertStore};

/// Where trust comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TlsRoots {
    /// The machine's own store.
    #[default]
    System,
    /// The certificates of a PEM file, and no others.
    File(PathBuf),
}

/// Why TLS can't be set up.
#[derive(Debug)]
pub enum TlsError {
    /// The file can't be read, or is not PEM.
    File(PathBuf, pem::Error),
    /// There is no certificate that anything could be vouched for by.
    NoRoots,
    /// The certificates can't be used.
    Unusable(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::NoRoots => f.write_str("there are no trusted certificates to check a server by"),
            Self::Unusable(error) => write!(f, "the trusted certificates can't be used: {error}"),
        }
    }
}

impl std::error::Error for TlsError {}

/// By whom a server has to be vouched for.
pub(super) fn store(roots: &TlsRoots) -> Result<Arc<RootCertStore>, TlsError> {
    let mut store = RootCertStore::empty();
    match roots {
        // What can't be parsed there is not this program's affair.
        TlsRoots::System => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        TlsRoots::File(path) => add_file(&mut store, path)?,
    }
    if store.is_empty() {
        return Err(TlsError::NoRoots);
    }
    Ok(Arc::new(store))
}

/// The client's side of TLS.
pub(super) fn config(store: Arc<RootCertStore>) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn add_file(store: &mut RootCertStore, path: &Path) -> Result<(), TlsError> {
    let unreadable = |error| TlsError::File(path.to_owned(), error);
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        let certificate = certificate.map_err(unreadable)?;
        store.add(certificate).map_err(TlsError::Unusable)?;
    }
    Ok(())
}
