//! The decoder of the forms by which guests send files: whatever comes, cut however it comes.

use portcullis_server_core::form::{BadForm, Form, Piece};
use portcullis_server_core::limits::{FORM_BOUNDARY_BYTES, FORM_HEAD_BYTES};

/// The first line is the `Content-Type`, the byte behind it a packet's length; the rest is the form.
pub(super) fn form(bytes: &[u8]) {
    let line = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (kind, rest) = bytes.split_at(line);
    let kind = String::from_utf8_lossy(kind);
    let Some((packet, body)) = rest.get(1..).and_then(<[u8]>::split_first) else { return };
    let whole = read(&kind, body, body.len().max(1));
    let cut = read(&kind, body, usize::from(*packet).max(1));
    assert!(whole == cut, "read otherwise in packets of {packet}");
    let taken = whole.ok().flatten().map_or(0, |file| file.bytes.len());
    assert!(taken <= body.len(), "more than there was");
}

/// The file of a form, if it has one. Of one that isn't whole it is chance how much was handed on.
#[derive(PartialEq, Eq)]
struct File {
    name: Option<String>,
    bytes: Vec<u8>,
    is_whole: bool,
}

fn read(kind: &str, body: &[u8], packet: usize) -> Result<Option<File>, BadForm> {
    let Some(mut form) = Form::new(kind)? else { return Ok(None) };
    let mut file: Option<File> = None;
    for packet in body.chunks(packet) {
        form.push(packet);
        while let Some(piece) = form.piece()? {
            let in_order = match (piece, &mut file) {
                (Piece::Begins(name), none @ None) => {
                    *none = Some(File { name, bytes: Vec::new(), is_whole: false });
                    true
                }
                (Piece::Bytes(bytes), Some(file)) => {
                    file.bytes.extend(bytes);
                    !file.is_whole
                }
                (Piece::Ends, Some(file)) => !std::mem::replace(&mut file.is_whole, true),
                _ => false,
            };
            assert!(in_order, "a piece comes out of order");
        }
        let most = FORM_HEAD_BYTES + FORM_BOUNDARY_BYTES + packet.len();
        assert!(form.held() <= most, "{} bytes are held back", form.held());
    }
    if let Some(file) = file.as_mut().filter(|file| !file.is_whole) {
        file.bytes.clear();
    }
    Ok(file)
}
