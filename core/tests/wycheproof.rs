//! HMAC-SHA256 by the vectors of others: RFC 4231 always, Wycheproof where the
//! corpus is. A tag that is cut short is refused, however genuine its start.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests say what they expect by failing"
)]

use std::{env, fs, path::Path};

use base64ct::{Base64, Encoding as _};
use hookgate_core::{
    request::RequestHead, scheme::Scheme, secret::SigningSecret, signature::SignatureError,
};
use serde::Deserialize;

/// One vector: key, message and tag in hex, and whether the tag is the
/// message's.
#[derive(Deserialize)]
struct Case {
    #[serde(default, rename = "tcId")]
    number: u32,
    key: String,
    msg: String,
    tag: String,
    result: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    tag_size: usize,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Suite {
    number_of_tests: usize,
    test_groups: Vec<Group>,
}

/// RFC 4231, sections 4.2 to 4.8; the fifth is of 128 bits there.
const RFC_4231: [(&str, &str, &str); 6] = [
    (
        "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
        "4869205468657265",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ),
    (
        "4a656665",
        "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
    ),
    (
        "0102030405060708090a0b0c0d0e0f10111213141516171819",
        "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
    ),
    (
        "0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c",
        "546573742057697468205472756e636174696f6e",
        "a3b6167473100ee06e0c796c2955552b",
    ),
    (
        "LONG",
        "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6579204669727374",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
];

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |digit: u8| (digit as char).to_digit(16).unwrap() as u8;
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|it| digit(it[0]) << 4 | digit(it[1])).collect()
}

/// Verifies a message whose signature is over nothing but itself.
fn verify(key: &[u8], message: &[u8], tag: &str) -> Result<(), SignatureError> {
    // Base64 carries any bytes: a secret as text may not.
    let secret = SigningSecret::from_base64("case", Base64::encode_string(key).as_bytes());
    let secret = secret.unwrap();
    let headers = [(
        "x-hub-signature-256".to_owned(),
        format!("sha256={tag}").into_bytes(),
    )];
    let signed = Scheme::Github.read(RequestHead(&headers))?;
    let mut verdicts = [message.len().max(1), 1].map(|size| {
        let mut verifier = signed.verifier([&secret].into_iter());
        message
            .chunks(size)
            .for_each(|chunk| verifier.update(chunk));
        verifier.finish().map(drop)
    });
    assert_eq!(verdicts[0], verdicts[1], "whole and byte by byte");
    std::mem::replace(&mut verdicts[0], Ok(()))
}

/// Tells whether a tag was refused as one that can't match.
fn is_refused(verdict: Result<(), SignatureError>) -> bool {
    matches!(
        verdict,
        Err(SignatureError::Mismatch | SignatureError::Malformed)
    )
}

#[test]
fn the_vectors_of_rfc_4231_verify_whole_and_in_no_part() {
    for (key, message, tag) in RFC_4231 {
        let key = if key == "LONG" {
            vec![0xaa; 131]
        } else {
            bytes(key)
        };
        let message = bytes(message);
        if tag.len() == 64 {
            assert_eq!(verify(&key, &message, tag), Ok(()), "{tag}");
        }
        for digits in 0..tag.len().min(63) {
            let cut = &tag[..digits];
            assert!(is_refused(verify(&key, &message, cut)), "{cut}");
        }
        let mut other = message.clone();
        other.push(0);
        assert!(is_refused(verify(&key, &other, tag)));
    }
}

#[test]
fn every_vector_of_wycheproof_gets_its_verdict() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = env::var_os("HOOKGATE_CORPUS").map_or(beside, Into::into);
    let file = shared.join("corpus/wycheproof/hmac_sha256_test.json");
    let Ok(text) = fs::read(&file) else {
        eprintln!(
            "no Wycheproof vectors at `{}` (HOOKGATE_CORPUS): RFC 4231 alone",
            file.display()
        );
        return;
    };
    let suite: Suite = serde_json::from_slice(&text).unwrap();
    let (mut valid, mut invalid, mut cut) = (0, 0, 0);
    for Group { tag_size, tests } in suite.test_groups {
        for case in tests {
            let (key, message) = (bytes(&case.key), bytes(&case.msg));
            let verdict = verify(&key, &message, &case.tag);
            let number = case.number;
            if tag_size < 256 {
                // Genuine or not: half a tag is half as hard to guess.
                assert!(is_refused(verdict), "{number}");
                cut += 1;
            } else if case.result == "valid" {
                assert_eq!(verdict, Ok(()), "{number}");
                valid += 1;
            } else {
                assert!(is_refused(verdict), "{number}");
                invalid += 1;
            }
        }
    }
    eprintln!("Wycheproof: {valid} valid, {invalid} invalid, {cut} of tags that are cut short");
    assert_eq!(valid + invalid + cut, suite.number_of_tests);
    assert!(valid > 0 && invalid > 0 && cut > 0);
}
