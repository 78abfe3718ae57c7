//! What is seen where nothing that was tried makes a signature match.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use hookgate_core::{request::RequestHead, scheme::Scheme, signature::SignatureError};

use crate::{
    diagnosis::{Certainty, Finding},
    fix::Remedy,
    input::{Delivery, Secret},
    payload::{is_cut_off, unlike_stripe},
};

/// Lengths at which logs, columns, buffers and previews are cut, in bytes.
const LIMITS: [usize; 18] = [
    255, 256, 500, 512, 1_000, 1_024, 2_000, 2_048, 4_096, 8_192, 10_000, 16_384, 32_768, 65_535,
    65_536, 100_000, 102_400, 1_048_576,
];

/// Returns what is seen, or else what is likely.
pub(crate) fn findings(scheme: &Scheme, delivery: &Delivery, secrets: &[Secret]) -> Vec<Finding> {
    let mut found = Vec::new();
    header(scheme, delivery, &mut found);
    for secret in secrets {
        found.extend(odd_secret(secret));
    }
    if secrets.is_empty() {
        found.push(finding(
            "secret_missing",
            Certainty::Seen,
            "No secret was given.",
            "Without one nothing can be verified. It stands on the endpoint's page in the \
             sender's dashboard.",
            Remedy::Secret,
        ));
    }
    payload(delivery, &mut found);
    if *scheme == Scheme::Stripe
        && let Some(how) = unlike_stripe(&delivery.payload)
    {
        found.push(finding(
            "payload_reserialised",
            Certainty::Likely,
            &format!("The payload isn't in the form in which Stripe sends events: {how}."),
            "It looks as if it had been parsed and written again; what was signed could not be \
             brought back, so this isn't proven.",
            Remedy::RawBody,
        ));
    }
    found.push(other_secret(delivery));
    // Beside what is certain a likelihood only distracts.
    if found
        .iter()
        .any(|finding| finding.certainty == Certainty::Seen)
    {
        found.retain(|finding| finding.certainty == Certainty::Seen);
    }
    found
}

fn finding(
    code: &'static str,
    certainty: Certainty,
    title: &str,
    detail: &str,
    remedy: Remedy,
) -> Finding {
    Finding {
        code,
        certainty,
        title: title.to_string(),
        detail: detail.to_string(),
        remedy,
        advice: remedy.advice(),
    }
}

fn header(scheme: &Scheme, delivery: &Delivery, found: &mut Vec<Finding>) {
    let name = scheme.signature_header();
    let mut seen = |code, title: &str, detail: &str| {
        found.push(finding(
            code,
            Certainty::Seen,
            title,
            detail,
            Remedy::Header,
        ));
    };
    let ours = |(key, _): &&(String, Vec<u8>)| key.eq_ignore_ascii_case(name);
    let values: Vec<&[u8]> = delivery
        .head
        .iter()
        .filter(ours)
        .map(|(_, it)| &**it)
        .collect();
    let Some(value) = values.first() else {
        return seen(
            "header_missing",
            "There is no signature header.",
            "Stripe sends `Stripe-Signature`. A proxy may strip it, or the request isn't a \
             webhook's.",
        );
    };
    if *scheme == Scheme::Stripe {
        let (mut versions, mut has_time, mut short) = (Vec::new(), false, false);
        for item in value.split(|&byte| byte == b',') {
            let mut parts = item.trim_ascii().splitn(2, |&byte| byte == b'=');
            let (key, digest) = (parts.next().unwrap_or_default(), parts.next());
            has_time |= key == b"t";
            if let [b'v', digit] = key
                && digit.is_ascii_digit()
            {
                versions.push(*digit);
                short |= *digit == b'1' && digest.is_some_and(|it| it.len() < 64);
            }
        }
        if !versions.contains(&b'1') {
            return if versions.contains(&b'0') {
                seen(
                    "header_only_v0",
                    "The header has only a `v0` signature.",
                    "Stripe adds `v0` to events of test mode as a decoy and never means it to be \
                     verified; the `v1` that comes with it is missing here.",
                )
            } else {
                seen(
                    "header_without_v1",
                    "The header has no `v1` signature.",
                    "Stripe's header is `t=…,v1=…`. What stands behind a comma may have been cut \
                     off: frameworks take it for a separator.",
                )
            };
        }
        if !has_time {
            return seen(
                "header_without_time",
                "The header has no `t`.",
                "The time is signed with the payload; without it nothing can be verified.",
            );
        }
        if short {
            return seen(
                "header_cut_off",
                "A `v1` signature is cut off.",
                "It has 64 hex digits when Stripe sends it: a log, a column or a copy is too \
                 short.",
            );
        }
    }
    match scheme.read(RequestHead(&delivery.head)) {
        Err(SignatureError::Missing) => seen(
            "header_missing",
            "The signature header is empty.",
            "Something between the sender and here took its value away.",
        ),
        Err(_) => seen(
            "header_malformed",
            "The headers of the signature are not of their scheme's form.",
            "One that is signed with it may be missing (`webhook-id`, `webhook-timestamp`), come \
             twice, or be something else.",
        ),
        Ok(_) => {}
    }
}

/// Tells a value that can't be a signing secret by what it begins with.
fn odd_secret(secret: &Secret) -> Option<Finding> {
    let value = secret.value.trim_ascii();
    let begins = |prefixes: &[&str]| prefixes.iter().any(|it| value.starts_with(it.as_bytes()));
    let holds = |text: &str| value.windows(text.len()).any(|it| it == text.as_bytes());
    let (code, what) = if value.is_empty() {
        ("secret_missing", "is empty")
    } else if begins(&["sk_", "rk_", "pk_"]) {
        ("secret_is_api_key", "is an API key, not a signing secret")
    } else if begins(&["we_", "acct_", "ca_", "evt_"]) {
        (
            "secret_is_identifier",
            "is an identifier, not a signing secret",
        )
    } else if begins(&["http://", "https://"]) {
        ("secret_is_url", "is a URL, not a signing secret")
    } else if holds("...") || holds("…") || holds("***") || holds("•") || holds("xxxx") {
        (
            "secret_is_placeholder",
            "is masked, or the placeholder of an example",
        )
    } else {
        return None;
    };
    Some(finding(
        code,
        Certainty::Seen,
        &format!("The secret {} {what}.", secret.label),
        "Stripe shows an endpoint's signing secret, `whsec_…`, on that endpoint's page.",
        Remedy::Secret,
    ))
}

fn payload(delivery: &Delivery, found: &mut Vec<Finding>) {
    let payload = delivery.payload.as_slice();
    let mut add = |code, certainty, title: &str, detail: &str| {
        found.push(finding(code, certainty, title, detail, Remedy::RawBody));
    };
    let (seen, likely) = (Certainty::Seen, Certainty::Likely);
    let holds = |text: &str| payload.windows(text.len()).any(|it| it == text.as_bytes());
    let announced = announced(delivery);
    if payload.is_empty() {
        return add(
            "payload_empty",
            seen,
            "The payload is empty.",
            "A parser or another reader had the body before, and nothing is left of it.",
        );
    }
    if let Some(bytes) = announced.filter(|bytes| *bytes > payload.len()) {
        add(
            "payload_truncated",
            seen,
            &format!(
                "The payload is cut off: Content-Length says {bytes} bytes, {} are here.",
                payload.len()
            ),
            "A log, a column or a buffer keeps only the beginning. What was cut off can't be \
             brought back: look at where it was kept.",
        );
    } else if is_cut_off(payload) {
        let at_limit = LIMITS.contains(&payload.len());
        let title = match at_limit {
            true => format!(
                "The payload is cut off at {} bytes, a usual limit.",
                payload.len()
            ),
            false => format!(
                "The payload ends after {} bytes, inside its JSON.",
                payload.len()
            ),
        };
        add(
            "payload_truncated",
            likely,
            &title,
            "A log, a column or a buffer keeps only the beginning. What was cut off can't be \
             brought back: look at where it was kept.",
        );
    } else if let Some(bytes) = announced.filter(|bytes| *bytes != payload.len()) {
        add(
            "payload_length",
            seen,
            &format!(
                "Content-Length says {bytes} bytes, {} are here.",
                payload.len()
            ),
            "These are not the bytes that arrived: they were parsed, decoded or changed since.",
        );
    }
    if holds("[object Object]") {
        add(
            "payload_is_object",
            seen,
            "The payload is `[object Object]`.",
            "A parsed object was taken for the text that it was parsed from.",
        );
    } else if payload.starts_with(b"{'") || (payload.starts_with(b"{") && holds("\"=>")) {
        add(
            "payload_is_printed",
            likely,
            "The payload is how a language prints an object, not JSON.",
            "What was parsed was made text again with `str()` or `inspect`.",
        );
    } else if payload.starts_with(&[0x1f, 0x8b]) {
        add(
            "payload_compressed",
            seen,
            "The payload is compressed with gzip.",
            "A proxy compressed it; the sender signed it uncompressed.",
        );
    }
    if holds("[FILTERED]") || holds("[REDACTED]") || holds("[Filtered]") || holds("*****") {
        add(
            "payload_masked",
            likely,
            "Parts of the payload are masked.",
            "It was copied from a log that hides values. Only the bytes that arrived can match.",
        );
    }
    if holds("\u{fffd}") {
        add(
            "payload_characters_lost",
            likely,
            "Characters of the payload were replaced by `�`.",
            "It was decoded with an encoding that it doesn't have, and what was there is lost.",
        );
    }
}

/// Returns the length that the headers name.
fn announced(delivery: &Delivery) -> Option<usize> {
    let header = |wanted: &str| {
        let mut ours = delivery
            .head
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        ours.next().map(|(_, value)| value.as_slice())
    };
    // The length is that of what was compressed.
    if header("content-encoding").is_some_and(|it| it != b"identity") {
        return None;
    }
    let text = str::from_utf8(header("content-length")?).ok()?;
    text.trim().parse().ok()
}

/// Says what is left when all else has been tried.
fn other_secret(delivery: &Delivery) -> Finding {
    let holds = |text: &str| {
        delivery
            .payload
            .windows(text.len())
            .any(|it| it == text.as_bytes())
    };
    let mode = if holds("\"livemode\": true") || holds("\"livemode\":true") {
        " The payload is of live mode: look under live mode."
    } else if holds("\"livemode\": false") || holds("\"livemode\":false") {
        " The payload is of test mode: look under test mode, or take the secret that `stripe \
         listen` printed."
    } else {
        ""
    };
    finding(
        "secret_of_unknown_endpoint",
        Certainty::Likely,
        "The secret is of another endpoint, or the payload was changed in a way that can't be undone.",
        &format!(
            "Each endpoint has its own secret; test mode, live mode, Connect and `stripe listen` \
             all differ. Give the others too, to see which one signed.{mode}"
        ),
        Remedy::Secret,
    )
}
