//! Moving files, with real files and real sockets: a world of folders, what the tests ask of it, and what a sender
//! who means ill can make.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod direct;
mod engine;
mod part;
mod part_lost;
mod quic;
mod relay;
mod sealed;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use portcullis_client_core::Fault;
use portcullis_client_core::defences::{self, HELLO, SOUND};
use portcullis_crypto::{
    AuthKey, ChunkHash, FileCipher, FileKey, FileRoot, Hash, Secret, Signature,
};
use portcullis_proto::{DeviceId, FileName, FileOffer, Holds, TransferId};
use rand_core::OsRng;
use tempfile::TempDir;

use super::halt::Halt;
use super::meter::Meter;
use super::part::Part;
use super::prepare::{Preparing, prepare};
use super::sealed::{Sealed, place_of};
use super::stop::Stop;
use engine::DEVICE;

/// Folders for a sender and a recipient.
struct World {
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["files", "transfers", "into"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the recipient wants files.
    fn chosen(&self) -> PathBuf {
        self.path("into")
    }

    /// Makes a file of the sender, and the folders that it is in.
    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path("files").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Offers what lies under these names.
    fn offer(&self, names: &[&str]) -> Offered {
        let paths: Vec<PathBuf> = names.iter().map(|name| self.path("files").join(name)).collect();
        let transfers = self.path("transfers");
        let prepared = prepare(&paths, &transfers, &mut OsRng, &Preparing::default());
        let (offer, _) = prepared.unwrap();
        Offered { offer, place: place_of(&paths).unwrap(), transfers }
    }

    fn part(&self, offer: &FileOffer) -> Result<Part, Halt> {
        let part = Part::path(&self.chosen(), offer.transfer, DEVICE);
        Part::open(offer.clone(), part, SOUND, &Stop::default(), &Meter::default())
    }

    /// The names in the recipient's folder, in order.
    fn names(&self) -> Vec<String> {
        let found = fs::read_dir(self.chosen()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = found.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The same, without parts.
    fn shown(&self) -> Vec<String> {
        self.names().into_iter().filter(|name| !name.ends_with(".part")).collect()
    }
}

/// The key of the one device that is waited for.
fn auth() -> AuthKey {
    AuthKey::from_secret(&Secret::from_bytes([5; 32]))
}

/// What that device shows to the sender of an offer.
fn pass(offer: &FileOffer) -> Signature {
    defences::path_pass(&auth(), &offer.key, DEVICE)
}

/// What a device says first whose key that is.
fn path_hello(key: &FileKey, device: DeviceId, offset: u64, random: [u8; 16]) -> [u8; HELLO] {
    let pass = defences::path_pass(&auth(), key, device);
    defences::path_hello(key, (device, &pass), offset, random)
}

/// An own offer.
struct Offered {
    offer: FileOffer,
    place: String,
    transfers: PathBuf,
}

impl Offered {
    fn sealed(&self) -> Result<Sealed, Halt> {
        Sealed::open(&self.offer, &self.place, &self.transfers, SOUND)
    }

    /// Its blob from a byte on, piece by piece, as far as it may leave.
    fn pieces(&self, offset: u64) -> Result<Vec<Vec<u8>>, Halt> {
        pieces(&self.sealed()?, offset)
    }
}

fn pieces(sealed: &Sealed, offset: u64) -> Result<Vec<Vec<u8>>, Halt> {
    let mut pieces = sealed.pieces_from(offset);
    let next = || pieces.next(Vec::new()).map(|piece| piece.map(|piece| piece.bytes().to_vec()));
    std::iter::from_fn(next).collect()
}

/// Gives a part the next piece.
fn take(part: &mut Part, piece: &[u8]) -> Result<(), Halt> {
    if part.wants_hashes() {
        return part.take_hashes(piece);
    }
    let (judge, kept) = part.halves();
    let next = kept.next_chunk().ok_or(Halt::Fault(Fault::Corrupt))?;
    kept.write(&judge.open_chunk(next, piece.to_vec())?)
}

/// Gives a part all that it lacks, and finishes it.
fn receive(part: &mut Part, pieces: Vec<Vec<u8>>) -> Result<Vec<PathBuf>, Halt> {
    pieces.iter().try_for_each(|piece| take(part, piece))?;
    part.finish()
}

/// Bytes that don't repeat.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|number| (number * 7 + number / 256 + number / 65_536) as u8).collect()
}

/// What a sender can offer whose program is its own: any manifest, with any files behind it.
fn forged(
    manifest: &str,
    files: &[u8],
    change: impl FnOnce(&mut FileOffer),
) -> (FileOffer, Vec<Vec<u8>>) {
    let mut offer = FileOffer {
        transfer: TransferId::random(&mut OsRng),
        key: FileKey::generate(&mut OsRng),
        root: Hash::from_bytes([0; 32]),
        bytes: (manifest.len() + files.len()) as u64,
        manifest: u32::try_from(manifest.len()).unwrap(),
        title: FileName::parse("a").unwrap(),
        files: 1,
        holds: Holds::FILE,
    };
    change(&mut offer);
    let shape = offer.shape().unwrap();
    let cipher = FileCipher::new(offer.transfer.as_bytes(), &offer.key, shape);
    let mut stream = [manifest.as_bytes(), files].concat();
    stream.resize(usize::try_from(shape.bytes()).unwrap(), 0);
    let (mut root, mut hashes, mut chunks) = (FileRoot::default(), Vec::new(), Vec::new());
    for index in 0..shape.chunks() {
        let range = shape.range(index);
        let mut chunk = stream[range.start as usize..range.end as usize].to_vec();
        cipher.seal(index, &mut chunk).unwrap();
        let hash = ChunkHash::of(shape, index, &chunk);
        root.push(hash);
        hashes.extend_from_slice(hash.as_bytes());
        chunks.push(chunk);
    }
    offer.root = root.finish().unwrap();
    (offer, std::iter::once(hashes).chain(chunks).collect())
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}
