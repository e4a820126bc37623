//! What sentences and paths of several users have in common.

/// Puts `general` in the place of a word, wherever that stands alone: not as a part of a longer name.
pub(crate) fn generalised(text: &str, word: &str, general: &str) -> String {
    if word.is_empty() {
        return text.to_owned();
    }
    let is_in_name = |letter: char| letter.is_alphanumeric() || "_-".contains(letter);
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(word) {
        result.push_str(before);
        let joined = result.ends_with(is_in_name) || after.starts_with(is_in_name);
        result.push_str(if joined { word } else { general });
        rest = after;
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::generalised;

    #[test]
    fn only_the_whole_name_is_replaced() {
        for (text, general) in [
            ("/srv/ann/home/ann", "/srv/{user}/home/{user}"),
            ("ann.toml of ann: bob", "{user}.toml of {user}: bob"),
            ("/srv/anna/x of joann, ann-b", "/srv/anna/x of joann, ann-b"),
            ("annann ann", "annann {user}"),
        ] {
            assert_eq!(generalised(text, "ann", "{user}"), general);
        }
    }
}
