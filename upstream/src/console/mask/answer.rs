//! What a destination answered, without what may be about a person.
//!
//! Answers that refuse an event often repeat parts of it. They are cut, so that
//! no parser reads them: of what begins as JSON the values are masked but for
//! those that say what is wrong; of every text addresses and long numbers are.

/// Fields that say what is wrong.
const SAYING: [&str; 9] = [
    "code", "detail", "error", "errors", "message", "reason", "status", "title", "type",
];

/// Shortest run of digits that is masked: of dates, amounts and statuses less.
const LONG_NUMBER: usize = 6;

const MASK: &str = "•••";

/// Returns the start of an answer as pages show it.
pub(in crate::console) fn answer(text: &str) -> String {
    if text.trim_start().starts_with(['{', '[']) {
        of_json(text)
    } else {
        of_text(text)
    }
}

/// Masks values of JSON that may end anywhere.
fn of_json(json: &str) -> String {
    let mut written = String::with_capacity(json.len());
    let (mut rest, mut says) = (json, false);
    while let Some(next) = rest.chars().next() {
        let end = match next {
            '"' => end_of_string(rest),
            _ if is_of_word(next) => rest.find(|it| !is_of_word(it)).unwrap_or(rest.len()),
            _ => next.len_utf8(),
        };
        let (token, behind) = rest.split_at(end);
        let inner = token.trim_matches('"');
        if next == '"' && behind.trim_start().starts_with(':') {
            says = SAYING.contains(&inner);
            written.push_str(&if says {
                token.to_owned()
            } else {
                of_text(token)
            });
        } else if next == '"' || is_of_word(next) {
            let is_plain = matches!(token, "true" | "false" | "null");
            written.push_str(&match says || is_plain {
                true => of_text(token),
                false => MASK.to_owned(),
            });
        } else {
            written.push(next);
        }
        rest = behind;
    }
    written
}

/// Returns where the string ends that a text begins with.
fn end_of_string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, it) in text.char_indices().skip(1) {
        match it {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn is_of_word(it: char) -> bool {
    it.is_alphanumeric() || matches!(it, '-' | '+' | '.')
}

/// Masks addresses and long numbers.
fn of_text(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let is_of_address = |it: char| is_of_word(it) || matches!(it, '@' | '_' | '%');
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|it| !is_of_address(it)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        if word.contains('@') {
            written.push_str(MASK);
        } else {
            of_word(word, &mut written);
        }
        let after = behind.chars().next().map_or(0, char::len_utf8);
        let (between, behind) = behind.split_at(after);
        written.push_str(between);
        rest = behind;
    }
    written
}

fn of_word(word: &str, written: &mut String) {
    let mut rest = word;
    while !rest.is_empty() {
        let other = rest
            .find(|it: char| it.is_ascii_digit())
            .unwrap_or(rest.len());
        let (text, digits) = rest.split_at(other);
        let end = digits
            .find(|it: char| !it.is_ascii_digit())
            .unwrap_or(digits.len());
        let (digits, behind) = digits.split_at(end);
        written.push_str(text);
        written.push_str(if digits.len() < LONG_NUMBER {
            digits
        } else {
            MASK
        });
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::answer;

    #[test]
    fn says_what_is_wrong_and_nothing_about_a_person() {
        for (given, shown) in [
            ("unknown currency", "unknown currency"),
            ("422: no such plan", "422: no such plan"),
            ("john@example.com is gone", "••• is gone"),
            ("call +4915112345678 now", "call +••• now"),
            (
                r#"{"error": {"message": "no x@y.example here", "param": "john smith"}}"#,
                r#"{"error": {"message": "no ••• here", "param": •••}}"#,
            ),
            (
                r#"{"code": 17, "got": {"name": "John \"J\" Smith", "age": 44, "paid": true, "m":"#,
                r#"{"code": 17, "got": {"name": •••, "age": •••, "paid": true, "m":"#,
            ),
            (r#"["John", "Smi"#, "[•••, •••"),
            ("", ""),
        ] {
            assert_eq!(answer(given), shown, "{given}");
        }
    }
}
