//! Changes a JSON text in a few places and keeps it JSON: what a lying server or a damaged record gets
//! past the first look. Leaves out bytes that are no JSON; targets feed those raw.

use super::input::Input;
use serde_json::Value;

/// Texts that mean something somewhere.
const TEXTS: &[&str] = &[
    "",
    "mira",
    "oleg",
    "#lobby",
    "#den",
    "owner",
    "outside",
    "channel",
    "group",
    "AAAA",
    "236c6f62627900000000000000000000",
    "00000000000000000000000000000000",
    "\u{202e}\u{1b}[2J",
];

/// The text with up to four nodes changed. Gives it back as it is where it is no JSON.
pub(super) fn mutate(text: &str, input: &mut Input<'_>) -> Option<String> {
    let Ok(mut value) = serde_json::from_str::<Value>(text) else {
        return Some(text.to_owned());
    };
    let changes = 1 + input.below(4)?;
    for _ in 0..changes {
        let nodes = count(&value);
        let at = input.below(nodes)?;
        let other = node(&mut value, input.below(nodes)?).map(|node| node.clone());
        if let (Some(node), Some(other)) = (node(&mut value, at), other) {
            change(node, other, input)?;
        }
    }
    Some(value.to_string())
}

/// How many nodes there are, the root among them.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum::<usize>(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

/// The node at this place, counted from the root down.
fn node(value: &mut Value, at: usize) -> Option<&mut Value> {
    let Some(mut left) = at.checked_sub(1) else {
        return Some(value);
    };
    let below: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(fields) => fields.values_mut().collect(),
        _ => Vec::new(),
    };
    for child in below {
        let nodes = count(child);
        if left < nodes {
            return node(child, left);
        }
        left -= nodes;
    }
    None
}

fn change(node: &mut Value, other: Value, input: &mut Input<'_>) -> Option<()> {
    match input.below(12)? {
        0 => *node = Value::Null,
        1 => *node = Value::Bool(true),
        2 => *node = input.pick(TEXTS)?.into(),
        3 => *node = input.text()?.into(),
        4 => *node = other,
        5 => *node = Value::Array(Vec::new()),
        6 => repeat(node, other),
        7 => drop_one(node, input.below(256)?),
        8 | 9 => nudge(node, input)?,
        _ => *node = input.number()?.into(),
    }
    Some(())
}

/// An array gets its first item once more, an object another field's value.
fn repeat(node: &mut Value, other: Value) {
    match node {
        Value::Array(items) => items.extend(items.first().cloned()),
        Value::Object(fields) => {
            fields.insert("later".to_owned(), other);
        }
        _ => *node = other,
    }
}

fn drop_one(node: &mut Value, at: usize) {
    match node {
        Value::Array(items) if !items.is_empty() => drop(items.remove(at % items.len())),
        Value::Object(fields) if !fields.is_empty() => {
            let key = fields.keys().nth(at % fields.len()).cloned();
            key.and_then(|key| fields.remove(&key));
        }
        _ => {}
    }
}

/// A neighbouring number, or a text with one letter changed.
fn nudge(node: &mut Value, input: &mut Input<'_>) -> Option<()> {
    match node {
        Value::Number(number) => {
            let number = number.as_u64().unwrap_or_default();
            let up = input.byte()? % 2 == 0;
            *node = if up { number.wrapping_add(1) } else { number.wrapping_sub(1) }.into();
        }
        Value::String(text) if text.is_ascii() && !text.is_empty() => {
            let at = input.below(text.len())?;
            let letter = char::from(b"0aAf/+z=".get(input.below(8)?).copied().unwrap_or(b'0'));
            text.replace_range(at..=at, letter.encode_utf8(&mut [0; 4]));
        }
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, bytes: &[u8], expected: Option<&str>) {
        assert_eq!(mutate(text, &mut Input::new(bytes)).as_deref(), expected, "{bytes:?}");
    }

    #[test]
    fn a_place_is_changed_and_the_rest_stays() {
        check(r#"{"a":1,"b":[2,3]}"#, &[0, 1, 0, 0], Some(r#"{"a":null,"b":[2,3]}"#));
        check(r#"{"a":1,"b":[2,3]}"#, &[0, 4, 0, 8, 0], Some(r#"{"a":1,"b":[2,4]}"#));
        check(r#"{"a":1,"b":[2,3]}"#, &[0, 2, 0, 6], Some(r#"{"a":1,"b":[2,3,2]}"#));
        check(r#"{"a":1,"b":[2,3]}"#, &[0, 0, 0, 7, 0], Some(r#"{"b":[2,3]}"#));
        check(r#"["abc"]"#, &[0, 1, 0, 8, 1, 4], Some(r#"["a/c"]"#));
        check("1", &[0, 0, 0, 11, 248], Some("18446744073709551615"));
        check("no json", &[], Some("no json"));
        check("1", &[0, 0], None);
    }
}
