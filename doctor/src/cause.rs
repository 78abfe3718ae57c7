//! What was done to a delivery, in words.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    fix::Remedy,
    head, key,
    payload::{Space, Step},
};

/// Names one cause: undone, alone or with another, a signature matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The payload was parsed and written again.
    Reserialised(Rewriting),
    /// Something else was done to the whole payload.
    Payload(Step),
    /// The secret isn't what the sender signs with.
    Secret(key::Change),
    /// The headers aren't what the sender wrote.
    Head(head::Change),
}

/// Says how two forms of one JSON value differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rewriting {
    pub(crate) given: Option<Space>,
    pub(crate) signed: Option<Space>,
    pub(crate) reordered: bool,
    pub(crate) relisted: bool,
    pub(crate) escaped: bool,
}

impl Cause {
    /// Returns its name for programs.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Reserialised(_) => "payload_reserialised",
            Self::Payload(step) => match step {
                Step::SpaceAdded => "payload_space_added",
                Step::NewlineLost => "payload_newline_lost",
                Step::CrlfMade => "payload_crlf_made",
                Step::CrlfLost => "payload_crlf_lost",
                Step::BomAdded => "payload_bom_added",
                Step::BomLost => "payload_bom_lost",
                Step::HtmlEscaped => "payload_html_escaped",
                Step::UrlEncoded => "payload_url_encoded",
                Step::Base64 => "payload_base64",
                Step::JsonString => "payload_json_string",
                Step::Mojibake => "payload_mojibake",
                Step::Latin1 => "payload_latin1",
                Step::Wrapped => "payload_wrapped",
                Step::PythonBytes => "payload_python_bytes",
            },
            Self::Secret(change) => match change {
                key::Change::Surrounded => "secret_white_space",
                key::Change::Quoted => "secret_quoted",
                key::Change::Assigned => "secret_assignment",
                key::Change::PrefixLost => "secret_prefix_lost",
                key::Change::PrefixAdded => "secret_prefix_added",
                key::Change::FromBase64 => "secret_decoded_base64",
                key::Change::FromHex => "secret_decoded_hex",
                key::Change::Base64 => "secret_encoded_base64",
                key::Change::Hex => "secret_encoded_hex",
                key::Change::UrlEncoded => "secret_url_encoded",
                key::Change::AsStandardWebhooks => "secret_of_standard_webhooks",
                key::Change::AsStripe => "secret_of_stripe",
                key::Change::OtherEndpoint => "secret_of_another_endpoint",
            },
            Self::Head(change) => match change {
                head::Change::Wrapped => "header_wrapped",
                head::Change::Split => "header_split",
                head::Change::Encoded => "header_encoded",
                head::Change::Respelled => "header_respelled",
                head::Change::Renamed => "header_of_another_scheme",
                head::Change::Milliseconds | head::Change::Zone(_) | head::Change::Time(_) => {
                    "timestamp_altered"
                }
            },
        }
    }

    /// Says what was done.
    pub(crate) fn title(self) -> String {
        match self {
            Self::Reserialised(rewriting) => rewriting.title(),
            Self::Payload(step) => payload_title(step).to_string(),
            Self::Secret(change) => secret_title(change).to_string(),
            Self::Head(change) => head_title(change),
        }
    }

    /// Says how that usually comes about.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Reserialised(_) => {
                "A framework parsed the body, and what is verified was written from the parsed \
                 object. JSON has many spellings; the signature is over one of them, byte for byte."
            }
            Self::Payload(step) => payload_reason(step),
            Self::Secret(change) => secret_reason(change),
            Self::Head(change) => head_reason(change),
        }
    }

    /// Says what kind of change mends it.
    pub(crate) const fn remedy(self) -> Remedy {
        match self {
            Self::Reserialised(_) => Remedy::RawBody,
            Self::Payload(Step::Base64 | Step::Wrapped) => Remedy::Decode,
            Self::Payload(_) => Remedy::RawBody,
            Self::Secret(_) => Remedy::Secret,
            Self::Head(_) => Remedy::Header,
        }
    }
}

impl Rewriting {
    fn title(self) -> String {
        let mut differences = Vec::new();
        if self.given != self.signed
            && let (Some(given), Some(signed)) = (self.given, self.signed)
        {
            differences.push(format!(
                "it is {}, and {} was signed",
                given.name(),
                signed.name()
            ));
        }
        let mut add = |holds: bool, text: &str| {
            if holds {
                differences.push(text.to_string());
            }
        };
        add(self.reordered, "its keys stand in another order");
        add(self.escaped, "its characters are escaped otherwise");
        add(self.relisted, "empty objects became empty lists");
        if differences.is_empty() {
            differences.push("its white space is another".to_string());
        }
        format!("The payload was re-serialised: {}.", differences.join("; "))
    }
}

const fn payload_title(step: Step) -> &'static str {
    match step {
        Step::SpaceAdded => "White space that was not signed stands around the payload.",
        Step::NewlineLost => "The line end at the payload's end was lost.",
        Step::CrlfMade => "The payload's line ends became CRLF; LF was signed.",
        Step::CrlfLost => "The payload's line ends became LF; CRLF was signed.",
        Step::BomAdded => "A byte order mark that was not signed stands before the payload.",
        Step::BomLost => "The byte order mark before the payload was lost.",
        Step::HtmlEscaped => "The payload was HTML-escaped: `&quot;` stands for `\"`.",
        Step::UrlEncoded => "The payload is URL-encoded.",
        Step::Base64 => "The payload is base64 of what was signed.",
        Step::JsonString => "The payload was encoded twice: it is a JSON string that holds JSON.",
        Step::Mojibake => "UTF-8 was read as Latin-1 and written again: `ü` became `Ã¼`.",
        Step::Latin1 => "The payload is Latin-1; UTF-8 was signed.",
        Step::Wrapped => "This is the whole event of the gateway; what was signed is its `body`.",
        Step::PythonBytes => "This is how Python shows bytes, `b'…'`, not the bytes.",
    }
}

const fn payload_reason(step: Step) -> &'static str {
    match step {
        Step::SpaceAdded => {
            "`echo`, editors and templates add a line end; a copied text brings spaces along."
        }
        Step::NewlineLost => {
            "Something trimmed the body, or a shell's `$(…)` took the line end off."
        }
        Step::CrlfMade | Step::CrlfLost => {
            "The body went through something that reads text: a text mode, Git, an editor, a form."
        }
        Step::BomAdded | Step::BomLost => {
            "The body was written or read as text with an encoding that has a byte order mark."
        }
        Step::HtmlEscaped => {
            "A filter against cross-site scripting or a template escaped the body before it was \
             verified."
        }
        Step::UrlEncoded => "The body was read as a form, or copied from a URL.",
        Step::Base64 => {
            "API Gateway and others hand binary bodies on as base64 (`isBase64Encoded`)."
        }
        Step::JsonString => "The body was already text when `JSON.stringify` or its like wrote it.",
        Step::Mojibake | Step::Latin1 => {
            "The body was decoded with the encoding that a server or a reader assumes where \
             `Content-Type` names no charset."
        }
        Step::Wrapped => "The function verifies its event instead of the event's `body`.",
        Step::PythonBytes => {
            "`str(body)` was taken where `body.decode()`, or just `body`, was meant."
        }
    }
}

const fn secret_title(change: key::Change) -> &'static str {
    match change {
        key::Change::Surrounded => "White space stands around the secret.",
        key::Change::Quoted => "Quotes stand around the secret, or one that stayed behind.",
        key::Change::Assigned => "The secret is a whole line of an environment file: `NAME=…`.",
        key::Change::PrefixLost => "`whsec_` is missing before the secret.",
        key::Change::PrefixAdded => "`whsec_` stands before the secret, and doesn't belong to it.",
        key::Change::FromBase64 => "The secret was decoded from base64; its text is the key.",
        key::Change::FromHex => "The secret was decoded from hex; its text is the key.",
        key::Change::Base64 => "The secret is base64 of the secret.",
        key::Change::Hex => "The secret is hex of the secret.",
        key::Change::UrlEncoded => "The secret is percent-encoded.",
        key::Change::AsStandardWebhooks => {
            "The sender signs as Standard Webhooks does, with the bytes that the secret decodes to."
        }
        key::Change::AsStripe => {
            "The sender signs as Stripe does, with the secret's text and not its decoded bytes."
        }
        key::Change::OtherEndpoint => "The delivery is signed with the secret of another endpoint.",
    }
}

const fn secret_reason(change: key::Change) -> &'static str {
    match change {
        key::Change::Surrounded => {
            "A file ends with a line end, or the value was copied with what surrounds it."
        }
        key::Change::Quoted => {
            "Docker's `--env-file` and some loaders take quotes as part of the value."
        }
        key::Change::Assigned => "The line was copied, or `cut` and `sed` left the name.",
        key::Change::PrefixLost | key::Change::PrefixAdded => {
            "At Stripe `whsec_` is part of the key; Standard Webhooks takes it off before decoding."
        }
        key::Change::FromBase64 | key::Change::FromHex => {
            "Stripe's secrets look encoded and aren't: the whole text is the key."
        }
        key::Change::Base64 | key::Change::Hex => {
            "Kubernetes wants base64 under `data`; encoded by hand and then again it stays encoded."
        }
        key::Change::UrlEncoded => "The value went through a URL or a connection string.",
        key::Change::AsStandardWebhooks | key::Change::AsStripe => {
            "Both write `whsec_…`; what is the key differs. Verify with the library of who sends."
        }
        key::Change::OtherEndpoint => {
            "Each endpoint has its own secret, test and live mode have different ones, Connect has \
             its own, and `stripe listen` prints yet another."
        }
    }
}

fn head_title(change: head::Change) -> String {
    match change {
        head::Change::Wrapped => {
            "The signature header has something around it: quotes, brackets or its own name.".into()
        }
        head::Change::Split => "The signature header was split at its commas.".into(),
        head::Change::Encoded => "The signature header is percent-encoded or HTML-escaped.".into(),
        head::Change::Respelled => {
            "The signature header is spelled otherwise: separators, quotes or upper case.".into()
        }
        head::Change::Renamed => {
            "The signature is of another scheme than the header that it stands in.".into()
        }
        head::Change::Milliseconds => {
            "The timestamp is in milliseconds; seconds were signed.".into()
        }
        head::Change::Zone(minutes) => format!(
            "The timestamp is off by {}{}:{:02} hours, as by a time zone.",
            if minutes < 0 { '-' } else { '+' },
            minutes.unsigned_abs() / 60,
            minutes.unsigned_abs() % 60
        ),
        head::Change::Time(seconds) => {
            format!("The timestamp was altered; {seconds} was signed.")
        }
    }
}

const fn head_reason(change: head::Change) -> &'static str {
    match change {
        head::Change::Wrapped => "The value was printed, logged or copied, and taken from there.",
        head::Change::Split => {
            "A framework hands headers over as lists, or takes the comma for a separator of values."
        }
        head::Change::Encoded => "The value went through a URL, a form or a page.",
        head::Change::Respelled => "The value was parsed and written anew, or typed.",
        head::Change::Renamed => "Two senders share an endpoint, or a proxy renames headers.",
        head::Change::Milliseconds | head::Change::Zone(_) | head::Change::Time(_) => {
            "The time is part of what is signed, digit for digit: never convert it, and sign with \
             seconds of UTC."
        }
    }
}
