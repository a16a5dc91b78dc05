//! A safety number as a QR code of block characters, two modules to a character.
//!
//! Light modules are painted and dark ones left empty, for a terminal with light text on a dark ground;
//! the other way round it is an inverted code, which readers take as well.

use qrcode::{Color, EcLevel, QrCode};

/// Modules of light around the code. The standard asks for four; cameras are content with two, and the
/// code has to fit a screen of 24 rows beside its digits.
const MARGIN: usize = 2;

/// The rows of the code of these digits, all equally wide; none if they don't fit a code.
pub(super) fn rows(digits: &str) -> Vec<String> {
    let Ok(code) = QrCode::with_error_correction_level(digits, EcLevel::L) else {
        return Vec::new();
    };
    let (width, colors) = (code.width(), code.to_colors());
    let light = |x: usize, y: usize| {
        let inside = |at: usize| at.checked_sub(MARGIN).filter(|at| *at < width);
        match (inside(x), inside(y)) {
            (Some(x), Some(y)) => colors.get(y * width + x) != Some(&Color::Dark),
            _ => true,
        }
    };
    let whole = width + 2 * MARGIN;
    let character = |x, y| match (light(x, y), y + 1 < whole && light(x, y + 1)) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    };
    (0..whole).step_by(2).map(|y| (0..whole).map(|x| character(x, y)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_digits_fit_beside_a_number() {
        let rows = rows(&"0123456789".repeat(6));
        assert_eq!(rows.len(), 15);
        assert!(rows.iter().all(|row| row.chars().count() == 29), "{rows:#?}");
        // The finder pattern's corner: a light margin of two, then the dark frame of seven.
        let corner: Vec<String> =
            rows.iter().skip(1).take(2).map(|r| r.chars().take(9).collect()).collect();
        let expected: [String; 2] = ["██ ▄▄▄▄▄ ".into(), "██ █   █ ".into()];
        assert_eq!(corner, expected);
    }
}
