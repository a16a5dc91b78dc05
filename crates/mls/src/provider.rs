//! What the library asks of its surroundings: algorithms, randomness, storage, and a signer.

use crate::records::Records;
use openmls_rust_crypto::RustCrypto;
use openmls_traits::OpenMlsProvider;
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use portcullis_crypto::LeafKey;

/// Algorithms of the RustCrypto project, with their randomness, and our [`Records`].
#[derive(Default)]
pub(crate) struct Provider {
    crypto: RustCrypto,
    pub(crate) records: Records,
}

impl OpenMlsProvider for Provider {
    type CryptoProvider = RustCrypto;
    type RandProvider = RustCrypto;
    type StorageProvider = Records;

    fn storage(&self) -> &Records {
        &self.records
    }

    fn crypto(&self) -> &RustCrypto {
        &self.crypto
    }

    fn rand(&self) -> &RustCrypto {
        &self.crypto
    }
}

/// Signs with the device's leaf key.
pub(crate) struct LeafSigner(pub(crate) LeafKey);

impl Signer for LeafSigner {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.0.sign_labelled(payload).as_bytes().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}
