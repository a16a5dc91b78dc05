//! Just enough of Rust's lexer to tell code from comments, strings and characters.
//!
//! Source: "Tokens" and "Comments" of the Rust Reference. Leaves out everything that needs a
//! grammar; rules that need one ask for words and braces instead.

use std::ops::Range;

/// The text with comments, strings and character literals turned into spaces.
///
/// Length, offsets and line ends stay as they were, so that an offset means the same in both.
pub(super) fn code_only(text: &str) -> String {
    let mut code = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let (kind, length) = piece(rest);
        let (this, after) = rest.split_at(length.min(rest.len()));
        match kind {
            Kind::Code => code.extend_from_slice(this),
            Kind::Blank => {
                code.extend(this.iter().map(|&byte| if byte == b'\n' { byte } else { b' ' }))
            }
        }
        rest = after;
    }
    String::from_utf8_lossy(&code).into_owned()
}

/// Every identifier and keyword with its byte offset.
pub(super) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let bytes = code.as_bytes();
        while at < bytes.len() && !is_word(bytes[at]) {
            at += 1;
        }
        let start = at;
        while at < bytes.len() && is_word(bytes[at]) {
            at += 1;
        }
        (start < at).then(|| (start, &code[start..at]))
    })
}

/// The byte ranges of all functions with a body, from `fn` to the closing brace.
pub(super) fn functions(code: &str) -> Vec<Range<usize>> {
    words(code)
        .filter(|(start, word)| *word == "fn" && has_name(&code[start + 2..]))
        .filter_map(|(start, _)| Some(start..function_end(code, start)?))
        .collect()
}

/// The line, counted from 1, that a byte offset lies in.
pub(super) fn line_of(code: &str, offset: usize) -> usize {
    1 + code.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count()
}

/// True after the `fn` of a function, which has a name or `$name`, unlike a pointer's or `$fn:ident`.
fn has_name(after: &str) -> bool {
    after.trim_start().bytes().next().is_some_and(|byte| is_word(byte) || byte == b'$')
}

/// The end of the function that starts at `start`; none if it has no body.
fn function_end(code: &str, start: usize) -> Option<usize> {
    let mut brackets = 0_usize;
    let mut braces = 0_usize;
    for (index, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' if braces == 0 => brackets += 1,
            b')' | b']' if braces == 0 => brackets = brackets.saturating_sub(1),
            b';' if braces == 0 && brackets == 0 => return None,
            b'{' if brackets == 0 => braces += 1,
            b'}' if brackets == 0 && braces <= 1 => return Some(index + 1),
            b'}' if brackets == 0 => braces -= 1,
            _ => {}
        }
    }
    None
}

enum Kind {
    Code,
    Blank,
}

/// The kind and length in bytes of the piece that `rest`, which isn't empty, starts with.
fn piece(rest: &[u8]) -> (Kind, usize) {
    match rest {
        [b'/', b'/', ..] => (Kind::Blank, position(rest, b'\n').unwrap_or(rest.len())),
        [b'/', b'*', ..] => (Kind::Blank, block_comment(rest)),
        [b'"', ..] => (Kind::Blank, string(rest)),
        [b'\'', ..] => character(rest).map_or((Kind::Code, 1), |length| (Kind::Blank, length)),
        [first, ..] if is_word(*first) => word(rest),
        _ => (Kind::Code, 1),
    }
}

/// A word, or the literal that it is the prefix of, such as `br"…"`.
fn word(rest: &[u8]) -> (Kind, usize) {
    let length = rest.iter().position(|&byte| !is_word(byte)).unwrap_or(rest.len());
    let (word, after) = rest.split_at(length);
    let literal = match (word, after.first()) {
        (b"r" | b"br" | b"cr", Some(b'"' | b'#')) => raw_string(after),
        (b"b" | b"c", Some(b'"')) => Some(string(after)),
        (b"b", Some(b'\'')) => character(after),
        _ => None,
    };
    literal.map_or((Kind::Code, length), |more| (Kind::Blank, length + more))
}

/// The length of a comment that starts with `/*`; such comments nest.
fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                at += 2;
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

/// The length of a string that starts with `"`.
fn string(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

/// The length of a raw string without its prefix, `#"…"#`; none for a raw identifier, `#type`.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest.iter().take_while(|&&byte| byte == b'#').count();
    if rest.get(hashes) != Some(&b'"') {
        return None;
    }
    let mut end = vec![b'#'; hashes + 1];
    end[0] = b'"';
    let body = &rest[hashes + 1..];
    let length = body.windows(end.len()).position(|window| window == end).unwrap_or(body.len());
    Some(hashes + 1 + length + end.len())
}

/// The length of a character literal that starts with `'`; none for a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    let first = *rest.get(1)?;
    if first == b'\\' {
        // The escaped character itself may be a quote, so the search starts behind it.
        return Some(3 + position(rest.get(3..)?, b'\'')? + 1);
    }
    let width = match first {
        0xF0.. => 4,
        0xE0.. => 3,
        0xC0.. => 2,
        _ => 1,
    };
    (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
}

fn position(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().position(|&byte| byte == wanted)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is code in `text`, with each run of spaces made one.
    fn check(text: &str, expected: &str) {
        let code = code_only(text);
        assert_eq!(code.len(), text.len(), "{text}");
        assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{text}");
    }

    #[test]
    fn comments_strings_and_characters_are_blanked() {
        check("a // b\nc", "a c");
        check("a /* b /* c */ d */ e", "a e");
        check(r#"a "b \" c" d"#, "a d");
        check(r###"a r#"b " c"# d"###, "a d");
        check(r##"a br"b\" c b"d" e"##, "a c e");
        check("r#type r", "r#type r");
        check(r"a '{' b '\'' c '\u{7d}' d b'}' e 'é' f", "a b c d e f");
        check("&'a str, 'b: loop {}", "&'a str, 'b: loop {}");
        check("<'a, 'b>('c')", "<'a, 'b>( )");
        check("\"// no comment\" a", "a");
        check("// \"no string\na", "a");
        check("a \"never closed {", "a");
        check("a /* never closed {", "a");
        check("a r#\"never closed {", "a");
        check("'", "'");
    }

    #[test]
    fn words_have_offsets() {
        let found: Vec<_> = words("a_1::b  é").collect();
        assert_eq!(found, [(0, "a_1"), (5, "b"), (8, "é")]);
    }

    #[test]
    fn functions_are_found_whole() {
        let rows: &[(&str, &[&str])] = &[
            ("fn a() {}", &["fn a() {}"]),
            ("x fn a() -> [u8; 3] { { } } y", &["fn a() -> [u8; 3] { { } }"]),
            ("fn a(); fn b() { f(|x| { x; }) }", &["fn b() { f(|x| { x; }) }"]),
            ("type F = fn(u8); fn a() { }", &["fn a() { }"]),
            ("fn a() { fn b() { } }", &["fn a() { fn b() { } }", "fn b() { }"]),
            ("fn a(x: [u8; { 1 + 1 }]) {}", &["fn a(x: [u8; { 1 + 1 }]) {}"]),
            ("fn $name() { }", &["fn $name() { }"]),
            ("($fn:ident) => { $fn(); }", &[]),
            ("fn a() {", &[]),
        ];
        for (code, expected) in rows {
            let found: Vec<&str> = functions(code).into_iter().map(|range| &code[range]).collect();
            assert_eq!(found, *expected, "{code}");
        }
    }

    #[test]
    fn lines_count_from_one() {
        assert_eq!([line_of("a\nb", 0), line_of("a\nb", 1), line_of("a\nb", 2)], [1, 1, 2]);
    }
}
