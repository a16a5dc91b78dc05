//! What the machine needs for the same bytes at the least.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use portcullis_crypto::file::CHUNK;
use portcullis_crypto::{ChunkHash, FileCipher, FileKey, Shape};
use rand_core::{OsRng, RngCore as _};

use super::process::processor_time;
use super::{Cost, Result};

/// A new folder; removed when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn make(below: &Path) -> Result<Self> {
        let path = below.join(format!("portcullis-bench-files-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What can't be removed stays in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Writes a file of bytes that nothing can make smaller.
pub(crate) fn write_random(path: &Path, bytes: u64) -> Result<()> {
    let mut file = File::create_new(path)?;
    let mut block = vec![0; 1 << 20];
    OsRng.fill_bytes(&mut block);
    for number in 0..bytes >> 20 {
        // Each block differs from the others, which is all that matters here.
        for (byte, changed) in
            block.iter_mut().step_by(4096).zip(number.to_be_bytes().iter().cycle())
        {
            *byte ^= changed;
        }
        file.write_all(&block)?;
    }
    file.sync_all()?;
    Ok(())
}

/// Sealing alone: one buffer, one thread.
pub(crate) fn cipher(mebibytes: u64) -> Result<Cost> {
    let shape = Shape::of(mebibytes << 20).ok_or("too large")?;
    let cipher = FileCipher::new(&[0; 16], &FileKey::generate(&mut OsRng), shape);
    let mut buffer = vec![0; CHUNK];
    let start = (Instant::now(), processor_time()?);
    for index in 0..shape.chunks() - 1 {
        buffer.truncate(CHUNK);
        cipher.seal(index, &mut buffer)?;
    }
    since(start)
}

/// Hashing alone: one buffer, one thread.
pub(crate) fn hash(mebibytes: u64) -> Result<Cost> {
    let shape = Shape::of(mebibytes << 20).ok_or("too large")?;
    let buffer = vec![0; CHUNK + 16];
    let start = (Instant::now(), processor_time()?);
    for index in 0..shape.chunks() {
        std::hint::black_box(ChunkHash::of(shape, index, &buffer));
    }
    since(start)
}

/// A copy by the system's own program.
pub(crate) fn copy(source: &Path, folder: &Path, durable: bool) -> Result<Cost> {
    let target = folder.join("copy");
    let start = (Instant::now(), processor_time()?);
    let copied = Command::new("cp").arg(source).arg(&target).status()?;
    if durable {
        File::open(&target)?.sync_all()?;
    }
    let cost = since(start);
    std::fs::remove_file(target)?;
    if copied.success() { cost } else { Err("cp failed".into()) }
}

/// Compares two files.
pub(crate) fn is_same(one: &Path, other: &Path) -> Result<()> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let (mut first, mut second) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Err("what was received has another length".into());
    }
    loop {
        let read = one.read(&mut first)?;
        let (Some(first), Some(second)) = (first.get(..read), second.get_mut(..read)) else {
            continue;
        };
        other.read_exact(second)?;
        if first != second {
            return Err("what was received is not what was sent".into());
        }
        if read == 0 {
            return Ok(());
        }
    }
}

fn since((start, processor): (Instant, std::time::Duration)) -> Result<Cost> {
    Ok(Cost { time: start.elapsed(), processor: processor_time()?.saturating_sub(processor) })
}
