//! Who may do what: decided from a request's head, without a socket and without
//! a clock.
//!
//! An operator's name is of the configuration: a token leads to it, a session
//! that a token began, or the proxy that shows its secret. No form field and no
//! other header says who somebody is. What a false accept costs: somebody reads
//! what events say, or lets parked events go. What a false reject costs: a login.

mod cookie;
mod host;
mod local;
mod operators;
mod origin;
mod proxy;
mod session;
mod throttle;

use std::net::IpAddr;

use axum::http::{HeaderMap, header::HOST};
use hookgate_core::time::Timestamp;

pub(crate) use self::operators::{OperatorsError, read as token_digest};
pub(super) use self::{
    cookie::Cookie,
    host::Hosts,
    operators::{Operators, Person},
    proxy::Proxy,
    session::Sessions,
    throttle::Throttle,
};
use crate::config::{LocalReading, Role};

/// Says who may come in, and how.
#[derive(Debug)]
pub(super) struct Policy {
    /// Names that it may be asked for by.
    pub(super) hosts: Hosts,
    /// Whether the listener is on loopback.
    pub(super) is_local: bool,
    /// Whether who is on this machine may read.
    pub(super) local_reading: LocalReading,
    /// Who may come in.
    pub(super) operators: Operators,
    /// Who says who somebody is.
    pub(super) proxy: Option<Proxy>,
}

/// Says who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    /// Somebody on this machine, who may read.
    Local,
    /// An operator, and what their forms have to carry.
    Operator {
        /// Who.
        person: Person,
        /// How they came in.
        via: Via,
    },
}

/// Says how an operator came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Via {
    /// With a token in the request, which no browser adds by itself.
    Token,
    /// With something that a browser adds by itself, so that forms carry a token
    /// of their own.
    Browser {
        /// What forms carry.
        form_token: String,
        /// Whether it is a session that can be ended.
        is_session: bool,
    },
}

/// Says why somebody isn't let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Asked for under a name that isn't ours.
    Host,
    /// Nothing says who asks.
    Unknown,
    /// A token that isn't one.
    WrongToken,
    /// The role doesn't allow it.
    Role,
    /// It comes from another site, or from no form of ours.
    Forged,
}

impl Policy {
    /// Refuses a name that isn't ours, before anything else is looked at.
    ///
    /// # Errors
    /// [`Refusal::Host`].
    pub(super) fn admit_host(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut given = headers.get_all(HOST).iter();
        match (given.next(), given.next()) {
            (Some(host), None) if self.hosts.allow(host.as_bytes()) => Ok(()),
            _ => Err(Refusal::Host),
        }
    }

    /// Finds who asks.
    ///
    /// # Errors
    /// [`Refusal::Unknown`], [`Refusal::WrongToken`].
    pub(super) fn identify(
        &self,
        peer: IpAddr,
        headers: &HeaderMap,
        sessions: &Sessions,
        now: Timestamp,
    ) -> Result<Caller, Refusal> {
        // A proxy logged somebody in: what their browser sends besides, such as
        // credentials that the proxy itself asks for, is none of ours.
        if let Some(proxy) = &self.proxy
            && let Some(name) = proxy.says(peer, headers)
        {
            let person = self.operators.named(name).ok_or(Refusal::Unknown)?;
            let via = Via::Browser {
                form_token: proxy.form_token(&person),
                is_session: false,
            };
            return Ok(Caller::Operator { person, via });
        }
        // Who shows a token wants to be known by it, and by nothing else.
        if operators::shows_token(headers) {
            let person = self.operators.bearer(headers);
            let person = person.ok_or(Refusal::WrongToken)?;
            let via = Via::Token;
            return Ok(Caller::Operator { person, via });
        }
        if let Some((person, form_token)) = sessions.find(&Cookie::of(headers).shown(headers), now)
        {
            let via = Via::Browser {
                form_token,
                is_session: true,
            };
            return Ok(Caller::Operator { person, via });
        }
        if self.proxy.is_some() {
            return Err(Refusal::Unknown);
        }
        let is_open = self.is_local
            && self.local_reading == LocalReading::Open
            && !self.hosts.are_configured();
        if is_open && local::is_of_this_machine(peer, headers) {
            return Ok(Caller::Local);
        }
        Err(Refusal::Unknown)
    }

    /// Returns whom the proxy names, if that is no operator.
    pub(super) fn stranger<'a>(&self, peer: IpAddr, headers: &'a HeaderMap) -> Option<&'a str> {
        let name = self.proxy.as_ref()?.says(peer, headers)?;
        self.operators.named(name).is_none().then_some(name)
    }

    /// Refuses a request that a page of another site makes a browser send.
    ///
    /// # Errors
    /// [`Refusal::Forged`].
    pub(super) fn admit_origin(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if origin::is_own(headers, &self.hosts) {
            Ok(())
        } else {
            Err(Refusal::Forged)
        }
    }
}

impl Caller {
    /// Returns who may decide, if it is them and if the form is ours.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(super) fn may_act(&self, form_token: Option<&str>) -> Result<&Person, Refusal> {
        let Self::Operator { person, via } = self else {
            return Err(Refusal::Unknown);
        };
        if person.role != Role::Operate {
            return Err(Refusal::Role);
        }
        via.admit_form(form_token)?;
        Ok(person)
    }

    /// Lets somebody end their session, if the form is ours; whatever their role.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(super) fn may_leave(&self, form_token: Option<&str>) -> Result<(), Refusal> {
        match self {
            Self::Local => Err(Refusal::Unknown),
            Self::Operator { via, .. } => via.admit_form(form_token),
        }
    }

    /// Returns the operator; `None`: somebody who only reads.
    pub(super) const fn person(&self) -> Option<&Person> {
        match self {
            Self::Local => None,
            Self::Operator { person, .. } => Some(person),
        }
    }

    /// Tells whether it may decide.
    pub(super) fn operates(&self) -> bool {
        (self.person()).is_some_and(|person| person.role == Role::Operate)
    }

    /// Returns what its forms carry.
    pub(super) fn form_token(&self) -> Option<&str> {
        match self {
            Self::Operator {
                via: Via::Browser { form_token, .. },
                ..
            } => Some(form_token),
            _ => None,
        }
    }

    /// Tells whether it can end its session.
    pub(super) const fn has_session(&self) -> bool {
        let Self::Operator { via, .. } = self else {
            return false;
        };
        matches!(via, Via::Browser { is_session, .. } if *is_session)
    }
}

impl Via {
    /// Refuses a form that isn't ours.
    ///
    /// # Errors
    /// [`Refusal::Forged`].
    pub(super) fn admit_form(&self, shown: Option<&str>) -> Result<(), Refusal> {
        use subtle::ConstantTimeEq as _;
        match self {
            Self::Token => Ok(()),
            Self::Browser { form_token, .. } => {
                let shown = shown.unwrap_or_default().as_bytes();
                if bool::from(form_token.as_bytes().ct_eq(shown)) {
                    Ok(())
                } else {
                    Err(Refusal::Forged)
                }
            }
        }
    }
}

/// Makes a text that nobody can guess: 256 bits in hex.
///
/// # Errors
/// The system gives no random bytes.
pub(super) fn random_text() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests;
