//! Any other HMAC-SHA256, as an operator describes it.
//!
//! A description is checked when the configuration is: the payload is signed
//! exactly once, and every signed header is set off by text, so that one
//! delivery's signed bytes can't be split into another's headers and payload.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use super::{
    Attribute, Signed,
    signed::{DEFAULT_TYPE, optional, required},
};
use crate::{
    event::{Event, PayloadError, json},
    few::Few,
    request::RequestHead,
    secret::SigningSecret,
    signature::{
        SignatureError,
        encoding::{self, DIGEST_BYTES},
        unix_seconds,
    },
    time::Timestamp,
};

/// Holds a checked description of a scheme; header names are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    pub(crate) signature_header: String,
    pub(crate) encoding: Encoding,
    /// What stands before the encoded signature.
    pub(crate) prefix: String,
    /// What is signed, in this order.
    pub(crate) before: Vec<Part>,
    pub(crate) after: Vec<Part>,
    /// One of the signed headers, in unix seconds.
    pub(crate) timestamp_header: Option<String>,
    pub(crate) id: Option<Place>,
    pub(crate) type_name: Option<Place>,
    pub(crate) account: Option<Place>,
}

/// Says how the signature is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Lower-case hex.
    Hex,
    /// Padded base64 of RFC 4648, section 4.
    Base64,
}

/// Names something that is signed beside the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// This text.
    Text(String),
    /// The value of this header.
    Header(String),
}

/// Says where an attribute of the event is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this header.
    Header(String),
    /// Under this key at the top level of a JSON payload.
    Field(String),
}

impl Description {
    pub(super) fn type_attribute(&self) -> Attribute {
        match &self.type_name {
            // All are of one type.
            None => Attribute::Signed,
            Some(place) => self.attribute(place),
        }
    }

    pub(super) fn account_attribute(&self) -> Attribute {
        let place = self.account.as_ref();
        place.map_or(Attribute::Absent, |place| self.attribute(place))
    }

    fn attribute(&self, place: &Place) -> Attribute {
        match self.unsigned_header(Some(place)) {
            Some(_) => Attribute::Unsigned,
            None => Attribute::Signed,
        }
    }

    /// Tells whether type and account are covered by the signature.
    fn signs_attributes(&self) -> bool {
        ![self.type_attribute(), self.account_attribute()].contains(&Attribute::Unsigned)
    }

    pub(super) fn read(&self, head: RequestHead<'_>) -> Result<Signed, SignatureError> {
        let digest = head
            .required(&self.signature_header)?
            .strip_prefix(self.prefix.as_bytes())
            .and_then(|text| self.decode(text))
            .ok_or(SignatureError::Malformed)?;
        let signed_at = match &self.timestamp_header {
            None => None,
            Some(name) => {
                let value = head.optional(name)?.unwrap_or_default();
                Some(unix_seconds(value).ok_or(SignatureError::Malformed)?)
            }
        };
        let header = |place: &Option<Place>| match place {
            Some(Place::Header(name)) => Ok(head.optional(name)?.map(Vec::from)),
            _ => Ok(None),
        };
        let unsigned = [&self.id, &self.type_name, &self.account]
            .into_iter()
            .filter_map(|place| self.unsigned_header(place.as_ref()))
            .map(|name| Ok(head.optional(name)?.map(Vec::from)))
            .collect::<Result<_, SignatureError>>()?;
        Ok(Signed {
            signed_at,
            before: before(&self.before, head)?,
            after: after(&self.after, head)?,
            id: header(&self.id)?,
            type_name: header(&self.type_name)?,
            account: header(&self.account)?,
            unsigned,
            ..Signed::by(Few::one(digest))
        })
    }

    /// Reads the event. A place that is configured for ID or type has to hold
    /// one; an account may be absent.
    ///
    /// Where type or account are in unsigned headers, the ID is a digest over
    /// them too: whoever sends a captured delivery under another type repeats
    /// an event, and suppresses none.
    pub(super) fn event(&self, signed: &Signed, payload: &[u8]) -> Result<Event, PayloadError> {
        let id = match &self.id {
            _ if !self.signs_attributes() => signed.digest_id(payload),
            Some(Place::Field(key)) => field(payload, key)?.required("id")?,
            place if self.unsigned_header(place.as_ref()).is_none() && place.is_some() => {
                required(signed.id.as_deref(), "id")?
            }
            _ => signed.digest_id(payload),
        };
        let type_name = match &self.type_name {
            None => DEFAULT_TYPE.into(),
            Some(Place::Header(_)) => required(signed.type_name.as_deref(), "type")?,
            Some(Place::Field(key)) => field(payload, key)?.required("type")?,
        };
        let account = match &self.account {
            None => None,
            Some(Place::Header(_)) => optional(signed.account.as_deref(), "account")?,
            Some(Place::Field(key)) => field(payload, key)?.optional("account")?,
        };
        Ok(Event {
            id,
            type_name,
            account,
            created: None,
            livemode: None,
            form: None,
            api_version: None,
            unsigned_attributes: !self.signs_attributes(),
        })
    }

    pub(super) fn sign(
        &self,
        secret: &SigningSecret,
        at: Timestamp,
        head: RequestHead<'_>,
        payload: &[u8],
    ) -> Vec<(String, String)> {
        let timestamp = at.unix_seconds().to_string();
        let value = |part: &'_ Part| match part {
            Part::Text(text) => Vec::from(text.as_bytes()),
            Part::Header(name) if Some(name) == self.timestamp_header.as_ref() => {
                Vec::from(timestamp.as_bytes())
            }
            Part::Header(name) => head.only(name).unwrap_or_default().into(),
        };
        let before: Vec<u8> = self.before.iter().flat_map(value).collect();
        let after: Vec<u8> = self.after.iter().flat_map(value).collect();
        let digest = secret.sign(&[&before, payload, &after]);
        let encoded = match self.encoding {
            Encoding::Hex => encoding::hex(&digest),
            Encoding::Base64 => encoding::base64(&digest),
        };
        let time = self.timestamp_header.clone().map(|name| (name, timestamp));
        let signature = self.prefix.clone() + &encoded;
        time.into_iter()
            .chain([(self.signature_header.clone(), signature)])
            .collect()
    }

    /// Tells whether this header's value is part of what is signed.
    pub(crate) fn signs_header(&self, name: &str) -> bool {
        let mut parts = self.before.iter().chain(&self.after);
        parts.any(|part| matches!(part, Part::Header(signed) if signed == name))
    }

    fn unsigned_header<'a>(&self, place: Option<&'a Place>) -> Option<&'a str> {
        match place {
            Some(Place::Header(name)) if !self.signs_header(name) => Some(name),
            _ => None,
        }
    }

    fn decode(&self, text: &[u8]) -> Option<[u8; DIGEST_BYTES]> {
        match self.encoding {
            Encoding::Hex => encoding::from_hex(text),
            Encoding::Base64 => encoding::from_base64(text),
        }
    }
}

fn field<'de>(payload: &'de [u8], key: &str) -> Result<json::Scalar<'de>, PayloadError> {
    let [value] = json::top_level(payload, [key])?;
    Ok(value)
}

/// Joins what is signed before the payload: read from the left, a header ends
/// where the text behind it begins, so it can't hold that text's first byte.
fn before(parts: &[Part], head: RequestHead<'_>) -> Result<Vec<u8>, SignatureError> {
    let next = parts.iter().skip(1).map(Some).chain([None]);
    join(parts.iter().zip(next), head, <[u8]>::first)
}

/// Joins what is signed behind the payload: read from the right, a header
/// begins where the text before it ends, so it can't hold that text's last byte.
fn after(parts: &[Part], head: RequestHead<'_>) -> Result<Vec<u8>, SignatureError> {
    let previous = [None].into_iter().chain(parts.iter().map(Some));
    join(parts.iter().zip(previous), head, <[u8]>::last)
}

fn join<'a>(
    parts: impl Iterator<Item = (&'a Part, Option<&'a Part>)>,
    head: RequestHead<'_>,
    boundary: impl Fn(&'a [u8]) -> Option<&'a u8>,
) -> Result<Vec<u8>, SignatureError> {
    let mut joined = Vec::new();
    for (part, neighbour) in parts {
        match part {
            Part::Text(text) => joined.extend_from_slice(text.as_bytes()),
            Part::Header(name) => {
                let value = head.optional(name)?.ok_or(SignatureError::Malformed)?;
                let end = match neighbour {
                    Some(Part::Text(text)) => boundary(text.as_bytes()),
                    _ => None,
                };
                if value.contains(end.ok_or(SignatureError::Malformed)?) {
                    return Err(SignatureError::Malformed);
                }
                joined.extend_from_slice(value);
            }
        }
    }
    Ok(joined)
}
