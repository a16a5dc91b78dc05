//! The server's OPAQUE set-up: a file of its own beside the database, made once.

use std::io;
use std::path::Path;

use portcullis_crypto::classic::ClassicKey;
use portcullis_crypto::{Randomness, ServerSetup};
use portcullis_server_core::store::Store as _;
use zeroize::Zeroizing;

use super::{OpenError, SqliteStore, files};

impl SqliteStore {
    /// Reads the OPAQUE set-up of this data folder. It is made only while there are no accounts: any
    /// other would shut out everyone who has registered.
    ///
    /// # Errors
    /// [`OpenError::SetupMissing`], [`OpenError::SetupDamaged`], or what the folder or the store says.
    pub fn load_or_create_setup(&self, rng: &mut dyn Randomness) -> Result<ServerSetup, OpenError> {
        match std::fs::read(self.folder.join(files::SETUP)) {
            Ok(bytes) => {
                let bytes = Zeroizing::new(bytes);
                ServerSetup::from_bytes(&bytes).map_err(|_| OpenError::SetupDamaged)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !self.accounts(None, 1)?.is_empty() {
                    return Err(OpenError::SetupMissing);
                }
                let setup = ServerSetup::generate(rng);
                files::write_secret(&self.folder, files::SETUP, &setup.to_bytes())?;
                Ok(setup)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the key with which the server of this data folder speaks to classroom guests, or makes it, and the folder too:
    /// other operators may want it before the server has run. One that is lost is made anew: to guests the server is
    /// somebody else then, and to linked servers too.
    ///
    /// # Errors
    /// [`OpenError::SetupDamaged`], or what the folder says.
    pub fn load_or_create_classroom_key(folder: &Path) -> Result<ClassicKey, OpenError> {
        let path = folder.join(files::CLASSROOM_KEY);
        if !path.try_exists()? {
            files::create_folder(folder)?;
            files::write_secret_once(folder, files::CLASSROOM_KEY, || {
                let key = ClassicKey::generate().map_err(io::Error::other)?;
                Ok(key.to_pkcs8())
            })?;
        }
        let bytes = Zeroizing::new(std::fs::read(path)?);
        ClassicKey::from_pkcs8(&bytes).map_err(|_| OpenError::SetupDamaged)
    }
}
