//! The known word that was probably meant by an unknown one.

/// Longer words are not compared: nobody mistypes them by two letters.
const LONGEST: usize = 64;

/// Finds the word among `known` that is at most one typing error away from `word` for every three letters of that, and at
/// most two. None is near to a word of less than three letters or of more than 64.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(LONGEST + 1).collect();
    if word.len() > LONGEST {
        return None;
    }
    let allowed = (word.len() / 3).min(2);
    let close = known.into_iter().filter_map(|candidate| {
        let letters: Vec<char> = candidate.chars().take(LONGEST + 1).collect();
        let near = letters.len().abs_diff(word.len()) <= allowed;
        let errors = near.then(|| typing_errors(&word, &letters))?;
        (errors <= allowed).then_some((errors, candidate))
    });
    close
        .min_by_key(|(errors, _)| *errors)
        .map(|(_, candidate)| candidate)
}

/// Finds the word that begins like this, where only one does.
pub(crate) fn shortened<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let mut all = known.into_iter().filter(|it| it.starts_with(word));
    let only = all.next().filter(|_| word.len() > 2)?;
    all.next().is_none().then_some(only)
}

/// Counts the letters to insert, delete, replace or swap (optimal string alignment), letter case
/// aside.
fn typing_errors(a: &[char], b: &[char]) -> usize {
    let mut older: Vec<usize> = Vec::new();
    let mut old: Vec<usize> = (0..=b.len()).collect();
    let mut before_a = None;
    for (i, &letter_a) in a.iter().enumerate() {
        let mut new = vec![i + 1];
        let mut before_b = None;
        for (j, &letter_b) in b.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX);
            let differs = usize::from(!letter_a.eq_ignore_ascii_case(&letter_b));
            let mut fewest = (at(&old, j) + differs)
                .min(at(&old, j + 1) + 1)
                .min(at(&new, j) + 1);
            if j > 0 && before_a == Some(letter_b) && before_b == Some(letter_a) {
                fewest = fewest.min(at(&older, j - 1) + 1);
            }
            new.push(fewest);
            before_b = Some(letter_b);
        }
        before_a = Some(letter_a);
        older = std::mem::replace(&mut old, new);
    }
    old.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_typing_errors() {
        let errors = |a: &str, b: &str| {
            typing_errors(
                &a.chars().collect::<Vec<_>>(),
                &b.chars().collect::<Vec<_>>(),
            )
        };
        assert_eq!(errors("", ""), 0);
        assert_eq!(errors("", "ab"), 2);
        assert_eq!(errors("ab", ""), 2);
        assert_eq!(errors("shell", "shell"), 0);
        assert_eq!(errors("Shell", "shell"), 0);
        assert_eq!(errors("shel", "shell"), 1);
        assert_eq!(errors("shlel", "shell"), 1);
        assert_eq!(errors("kitten", "sitting"), 3);
    }

    #[test]
    fn suggests_the_nearest_word_only_if_it_is_near() {
        let known = ["root", "shell", "home", "env"];
        assert_eq!(nearest("shel", known), Some("shell"));
        assert_eq!(nearest("hmoe", known), Some("home"));
        assert_eq!(nearest("enviroment", known), None);
        assert_eq!(nearest("xyz", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"x".repeat(100_000), known), None);
    }
}
