//! What can be relied on of an event's attributes.

/// Says whether the signature covers an attribute of a scheme's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// It does.
    Signed,
    /// It doesn't: whoever carries a delivery can write it.
    Unsigned,
    /// There is no such attribute.
    Absent,
}
