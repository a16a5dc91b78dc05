//! The parameters of a header: `; name=value`, quoted or not. Source: RFC 9110 section 5.6.6, and what
//! browsers really send in forms (RFC 7578 section 4.2).

/// The value of the first parameter of this name, in lower case, behind the header's first `;`.
pub(super) fn parameter(header: &str, name: &str) -> Option<String> {
    let (_, mut rest) = header.split_once(';')?;
    loop {
        let (found, behind) = rest.split_once('=')?;
        let (value, behind) = value(behind.trim_start());
        if found.trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        (_, rest) = behind.split_once(';')?;
    }
}

/// A value, and what is behind it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        let (value, behind) = text.split_at_checked(end).unwrap_or((text, ""));
        return (value.trim_end().to_owned(), behind);
    };
    let mut value = String::new();
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            // Only quotes are escaped: elsewhere a backslash is part of a path as Windows writes it.
            '\\' if letters.as_str().starts_with('"') => value.extend(letters.next()),
            letter => value.push(letter),
        }
    }
    (value, letters.as_str())
}

/// Percent-encoding undone; what isn't UTF-8 then shows as replaced.
pub(super) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let digits = behind.first_chunk::<2>().filter(|_| *first == b'%');
        let byte = digits.and_then(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
        bytes.push(byte.unwrap_or(*first));
        rest = behind.get(if byte.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_by_name() {
        fn check(header: &str, name: &str, expected: Option<&str>) {
            assert_eq!(parameter(header, name).as_deref(), expected, "{header} {name}");
        }
        check("form-data; name=\"file\"; filename=\"a.txt\"", "name", Some("file"));
        check("form-data; name=\"file\"; filename=\"a.txt\"", "filename", Some("a.txt"));
        check("form-data;NAME = file ;filename=a.txt", "name", Some("file"));
        check("form-data; filename=\"a; name=b\"; name=file", "name", Some("file"));
        check("form-data; filename=\"a\\\"b\"; name=file", "filename", Some("a\"b"));
        check("form-data; filename=\"C:\\temp\\a\"; name=file", "filename", Some("C:\\temp\\a"));
        check("form-data; name=\"file", "name", Some("file"));
        check("form-data; name=", "name", Some(""));
        check("form-data; name", "name", None);
        check("form-data; other=1", "name", None);
        check("name=file", "name", None);
        check("multipart/form-data; boundary=a=b", "boundary", Some("a=b"));
        check("", "name", None);
    }

    #[test]
    fn percent_encoding_is_undone() {
        fn check(text: &str, expected: &str) {
            assert_eq!(percent_decoded(text), expected);
        }
        check("f%C3%bcr%20.txt", "für .txt");
        check("100%", "100%");
        check("%4", "%4");
        check("%zz%41", "%zzA");
        check("%ff", "\u{fffd}");
        check("%+1", "%+1");
    }
}
