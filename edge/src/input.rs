//! The buffer through which bytes come from JavaScript.
//!
//! ```text
//! head     name NUL value NUL, for each header
//! payload  the rest
//! ```
//! HTTP allows NUL in neither, and `lib/` lets none through.

use std::cell::RefCell;

use wasm_bindgen::prelude::wasm_bindgen;

/// Room that is kept for the next call. What is larger is given back, so that
/// one huge payload doesn't cost its size for ever.
const KEPT_BYTES: usize = 1_048_576;

thread_local! {
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Makes room for `bytes` bytes and returns where they go in the memory. Good
/// until the next call of anything here.
#[wasm_bindgen]
pub fn input(bytes: usize) -> *const u8 {
    INPUT.with_borrow_mut(|input| {
        if bytes <= KEPT_BYTES && input.len() > KEPT_BYTES {
            input.truncate(KEPT_BYTES);
            input.shrink_to_fit();
        }
        if input.len() < bytes {
            input.resize(bytes, 0);
        }
        input.as_ptr()
    })
}

/// Lets `read` have a head and the payload behind it.
pub(crate) fn with<T>(
    head_bytes: usize,
    payload_bytes: usize,
    read: impl FnOnce(&[u8], &[u8]) -> T,
) -> T {
    INPUT.with_borrow(|input| {
        let (head, rest) = input.split_at_checked(head_bytes).unwrap_or_default();
        read(head, rest.get(..payload_bytes).unwrap_or_default())
    })
}

/// Reads a head's headers.
pub(crate) fn headers(head: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut texts = head.split(|&byte| byte == 0);
    let mut headers = Vec::new();
    while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
        headers.push((String::from_utf8_lossy(name).into_owned(), value.to_vec()));
    }
    headers
}

/// Writes what JavaScript would.
#[cfg(test)]
pub(crate) fn with_input(bytes: &[u8]) {
    _ = input(bytes.len());
    INPUT.with_borrow_mut(|input| {
        if let Some(place) = input.get_mut(..bytes.len()) {
            place.copy_from_slice(bytes);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::headers;

    #[test]
    fn reads_the_headers_that_were_written() {
        let expected = [("a", "1"), ("b", ""), ("a", "2, 3")];
        let head: String = expected.map(|(n, v)| format!("{n}\0{v}\0")).concat();
        let expected = expected.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        assert_eq!(headers(head.as_bytes()), expected);
        assert_eq!(headers(b""), []);
    }
}
