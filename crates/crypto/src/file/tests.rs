//! Tests of sealed files: both backends, every boundary, every kind of mix-up.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::testing::{damaged, seeded};

const FILE: [u8; 16] = [7; 16];

fn key() -> FileKey {
    FileKey::from_secret(Secret::from_bytes([3; 32]))
}

fn cipher(bytes: u64) -> FileCipher {
    FileCipher::new(&FILE, &key(), Shape::of(bytes).unwrap())
}

/// A file of so many bytes, sealed.
fn sealed(bytes: u64) -> Vec<Vec<u8>> {
    let cipher = cipher(bytes);
    let seal = |index| {
        let range = cipher.shape().range(index);
        let mut chunk: Vec<u8> = range.map(|place| (place % 251) as u8).collect();
        cipher.seal(index, &mut chunk).unwrap();
        chunk
    };
    (0..cipher.shape().chunks()).map(seal).collect()
}

fn root(bytes: u64, chunks: &[Vec<u8>]) -> Hash {
    let shape = Shape::of(bytes).unwrap();
    let mut root = FileRoot::default();
    for (index, chunk) in (0..).zip(chunks) {
        root.push(ChunkHash::of(shape, index, chunk));
    }
    root.finish().unwrap()
}

#[test]
fn shapes() {
    let check = |bytes: u64, chunks: u64, last: usize| {
        let shape = Shape::of(bytes).unwrap();
        assert_eq!(shape.chunks(), chunks, "{bytes}");
        assert_eq!(shape.sealed_len(chunks - 1), last + TAG, "{bytes}");
        let sealed: u64 = (0..chunks).map(|index| shape.sealed_len(index) as u64).sum();
        assert_eq!(shape.sealed_bytes(), sealed, "{bytes}");
        assert_eq!(shape.range(chunks), bytes..bytes);
        assert_eq!(shape.range(u64::MAX), bytes..bytes);
    };
    check(0, 1, 0);
    check(1, 1, 1);
    check(CHUNK as u64, 1, CHUNK);
    check(CHUNK as u64 + 1, 2, 1);
    check(3 * CHUNK as u64, 3, CHUNK);
    assert!(Shape::of(LARGEST_FILE).is_some());
    assert!(Shape::of(LARGEST_FILE + 1).is_none());
    assert!(Shape::of(u64::MAX).is_none());
}

#[test]
fn what_is_sealed_opens() {
    let check = |bytes: u64| {
        let cipher = cipher(bytes);
        let mut opened = Vec::new();
        for (index, mut chunk) in (0..).zip(sealed(bytes)) {
            opened.extend_from_slice(cipher.open(index, &mut chunk).unwrap());
        }
        let expected: Vec<u8> = (0..bytes).map(|place| (place % 251) as u8).collect();
        assert!(opened == expected, "{bytes}");
    };
    for bytes in [0, 1, 1000, CHUNK as u64 - 1, CHUNK as u64, CHUNK as u64 + 1, 1_000_000] {
        check(bytes);
    }
}

#[test]
fn the_root_is_the_plain_hash_of_all_sealed_chunks() {
    let check = |chunks: u64, more: u64| {
        let bytes = chunks * CHUNK as u64 + more;
        let sealed = sealed(bytes);
        let plain = Hash::from_bytes(blake3::hash(&sealed.concat()).into());
        assert_eq!(root(bytes, &sealed), plain, "{bytes}");
    };
    check(0, 0);
    check(0, 5);
    for chunks in 1..9 {
        check(chunks, 0);
        check(chunks, 1);
        check(chunks, 100_000);
    }
    assert_eq!(FileRoot::default().finish(), None);
}

#[test]
fn a_chunk_opens_at_its_own_place_of_its_own_file_alone() {
    let bytes = 2 * CHUNK as u64;
    let chunks = sealed(bytes);
    let refused = |cipher: &FileCipher, index: u64, chunk: &[u8]| {
        assert_eq!(cipher.open(index, &mut chunk.to_vec()).err(), Some(BadChunk));
    };
    let right = cipher(bytes);
    refused(&right, 1, &chunks[0]);
    refused(&right, 0, &chunks[1]);
    refused(&right, 2, &chunks[1]);
    refused(&right, u64::MAX, &chunks[1]);
    refused(&FileCipher::new(&[8; 16], &key(), right.shape()), 0, &chunks[0]);
    refused(
        &FileCipher::new(&FILE, &FileKey::generate(&mut seeded(1)), right.shape()),
        0,
        &chunks[0],
    );
    // A longer file has the same chunk at the same place, but is another file.
    refused(&cipher(bytes + 1), 0, &chunks[0]);
    // A shorter one would end here: the mark of the last chunk differs.
    refused(&cipher(CHUNK as u64), 0, &chunks[0]);
}

#[test]
fn a_damaged_chunk_does_not_open() {
    let cipher = cipher(9);
    for mut chunk in damaged(&sealed(9)[0]) {
        assert_eq!(cipher.open(0, &mut chunk).err(), Some(BadChunk));
    }
}

#[test]
fn a_chunk_of_another_length_is_not_sealed() {
    let cipher = cipher(CHUNK as u64 + 5);
    let check = |index: u64, bytes: usize, fits: bool| {
        assert_eq!(cipher.seal(index, &mut vec![0; bytes]).is_ok(), fits, "{index} {bytes}");
    };
    check(0, CHUNK, true);
    check(0, CHUNK - 1, false);
    check(0, CHUNK + 1, false);
    check(1, 5, true);
    check(1, 0, false);
    check(2, 0, false);
}

#[test]
fn hashes_name_the_place() {
    let shape = Shape::of(2 * CHUNK as u64).unwrap();
    let chunk = vec![0; SEALED_CHUNK];
    assert_ne!(ChunkHash::of(shape, 0, &chunk), ChunkHash::of(shape, 1, &chunk));
    let hash = ChunkHash::of(shape, 1, &chunk);
    assert_eq!(ChunkHash::from_bytes(*hash.as_bytes()), hash);
}

#[test]
fn both_backends_agree() {
    let check = |chunk: &[u8]| {
        let (one, other) = (backend::Cipher::new(&[9; 32]), browser::Cipher::new(&[9; 32]));
        let (mut by_one, mut by_other) = (chunk.to_vec(), chunk.to_vec());
        let tag = one.seal(&[1; 12], b"associated", &mut by_one).unwrap();
        assert_eq!(other.seal(&[1; 12], b"associated", &mut by_other), Ok(tag));
        assert_eq!(by_one, by_other);
        by_one.extend_from_slice(&tag);
        by_other.extend_from_slice(&tag);
        assert_eq!(other.open(&[1; 12], b"associated", &mut by_one).unwrap(), chunk);
        assert_eq!(one.open(&[1; 12], b"associated", &mut by_other).unwrap(), chunk);
        assert_eq!(other.open(&[1; 12], b"associated", &mut [0; 15]).err(), Some(BadChunk));
        assert_eq!(one.open(&[1; 12], b"associated", &mut [0; 15]).err(), Some(BadChunk));
    };
    check(b"");
    check(b"some bytes");
    check(&[5; 1000]);
}

#[test]
fn secrets_are_not_shown_and_differ_by_use() {
    assert_eq!(format!("{:?}", key()), "FileKey(..)");
    assert_ne!(key().path_secret(), *key().secret());
    assert_eq!(key().path_secret(), key().path_secret());
}
