//! The server's OPAQUE set-up: a file of its own beside the database, made once.

use std::io;

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
                files::write_setup(&self.folder, &setup.to_bytes())?;
                Ok(setup)
            }
            Err(error) => Err(error.into()),
        }
    }
}
