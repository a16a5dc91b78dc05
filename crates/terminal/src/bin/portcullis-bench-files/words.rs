//! An offer as one word, for the pipes between the processes.

use portcullis_crypto::{FileKey, Hash, Secret};
use portcullis_proto::{FileName, FileOffer, Holds, TransferId};

use super::Result;

pub(crate) fn of(offer: &FileOffer) -> String {
    let FileOffer { transfer, key, root, bytes, manifest, title, files, .. } = offer;
    let (key, root) = (hex(key.secret().expose()), hex(root.as_bytes()));
    format!("{transfer},{key},{root},{bytes},{manifest},{files},{title}")
}

pub(crate) fn read(word: &str) -> Result<FileOffer> {
    let parts: Vec<&str> = word.split(',').collect();
    let [transfer, key, root, bytes, manifest, files, title] = parts.as_slice() else {
        return Err("no offer".into());
    };
    Ok(FileOffer {
        transfer: transfer.parse::<TransferId>()?,
        key: FileKey::from_secret(Secret::from_bytes(bytes_of(key)?)),
        root: Hash::from_bytes(bytes_of(root)?),
        bytes: bytes.parse()?,
        manifest: manifest.parse()?,
        title: FileName::parse(title)?,
        files: files.parse()?,
        // One file is measured.
        holds: Holds::FILE,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(hex: &str) -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    for (number, byte) in bytes.iter_mut().enumerate() {
        let digits = hex.get(2 * number..2 * number + 2).ok_or("too short")?;
        *byte = u8::from_str_radix(digits, 16)?;
    }
    Ok(bytes)
}
