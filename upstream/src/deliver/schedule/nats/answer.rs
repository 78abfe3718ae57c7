//! The beginning of an answer as the value of a header, which takes one line of
//! text.

use std::str::Chars;

/// Writes it; what isn't UTF-8 is replaced.
pub(super) fn write(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).escape_debug().to_string()
}

/// Reads what [`write()`] wrote. What was written otherwise stays as it is.
pub(super) fn read(text: &str) -> String {
    let mut read = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        let mut ahead = rest.clone();
        let meant = match character {
            '\\' => escaped(&mut ahead),
            _ => None,
        };
        match meant {
            Some(meant) => {
                read.push(meant);
                rest = ahead;
            }
            None => read.push(character),
        }
    }
    read
}

/// Takes what stands behind a backslash.
fn escaped(rest: &mut Chars<'_>) -> Option<char> {
    match rest.next()? {
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        '0' => Some('\0'),
        same @ ('\\' | '\'' | '"') => Some(same),
        'u' => {
            let (digits, after) = rest.as_str().strip_prefix('{')?.split_once('}')?;
            let code = u32::from_str_radix(digits, 16).ok()?;
            *rest = after.chars();
            char::from_u32(code)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{read, write};

    #[test]
    fn reads_the_answer_that_it_writes_in_one_line() {
        for answer in [
            "",
            "{\"error\": \"it's \\ gone\"}\r\n\t<p>\u{1f600}\u{7f}\0\u{202e}",
            "\\n \\u{41} \\",
        ] {
            let line = write(answer.as_bytes());
            assert!(!line.contains(char::is_control), "{line}");
            assert_eq!(read(&line), answer);
        }
        assert_eq!(read("\\x \\u{zz} \\"), "\\x \\u{zz} \\");
        assert_eq!(read(&write(b"\xff")), "\u{fffd}");
    }
}
