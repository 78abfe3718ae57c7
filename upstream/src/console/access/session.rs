//! Sessions of browsers: in memory, a bounded number, for a bounded time.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::http::{HeaderMap, HeaderValue, header::COOKIE as COOKIE_HEADER};
use hookgate_core::time::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{Person, random_text};

/// What the cookie is called.
pub(in crate::console) const COOKIE: &str = "hookgate-console";

/// How long a session lasts: a shift.
pub(in crate::console) const LIFETIME: Duration = Duration::from_hours(12);

/// Most sessions of one operator; the one that would end first makes room. So
/// nobody can log others out, and there are as many as operators make.
const MAX_SESSIONS: usize = 16;

/// Holds the sessions, by the digests of their names: what is in memory opens
/// nothing.
#[derive(Default)]
pub(in crate::console) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

struct Session {
    person: Person,
    form_token: String,
    until: Timestamp,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl Sessions {
    /// Begins one; returns its name, which the cookie holds.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub(in crate::console) fn begin(
        &self,
        person: Person,
        now: Timestamp,
    ) -> Result<String, getrandom::Error> {
        let (name, form_token) = (random_text()?, random_text()?);
        let lifetime = u64::try_from(LIFETIME.as_millis()).unwrap_or(u64::MAX);
        let until = Timestamp::from_unix_millis(now.unix_millis().saturating_add(lifetime));
        let mut sessions = self.lock();
        sessions.retain(|_, session| session.until > now);
        let own = || (sessions.iter()).filter(|(_, session)| session.person.name == person.name);
        if own().count() >= MAX_SESSIONS {
            let first = own().min_by_key(|(_, session)| session.until);
            if let Some(digest) = first.map(|(digest, _)| *digest) {
                sessions.remove(&digest);
            }
        }
        let session = Session {
            person,
            form_token,
            until,
        };
        sessions.insert(Sha256::digest(&name).into(), session);
        Ok(name)
    }

    /// Finds the session of a request: who it is of, and what its forms carry.
    pub(super) fn find(&self, headers: &HeaderMap, now: Timestamp) -> Option<(Person, String)> {
        let sessions = self.lock();
        let session = sessions.get(&digest(headers)?)?;
        (session.until > now).then(|| (session.person.clone(), session.form_token.clone()))
    }

    /// Ends the session of a request.
    pub(in crate::console) fn end(&self, headers: &HeaderMap) {
        if let Some(digest) = digest(headers) {
            self.lock().remove(&digest);
        }
    }

    /// Nothing panics while it is held.
    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Digests the name of the session that a request's cookie holds.
fn digest(headers: &HeaderMap) -> Option<[u8; 32]> {
    let cookies = headers.get_all(COOKIE_HEADER).iter();
    let cookies = cookies.filter_map(|value: &HeaderValue| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';'));
    let name = pairs.find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then_some(value)
    })?;
    Some(Sha256::digest(name).into())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};
    use hookgate_core::time::Timestamp;

    use super::{COOKIE, LIFETIME, MAX_SESSIONS, Person, Sessions};
    use crate::config::Role;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_760_000_000);

    fn ada() -> Person {
        Person {
            name: "ada".to_owned(),
            role: Role::Operate,
        }
    }

    fn shown(name: &str) -> HeaderMap {
        let value = format!("a=b; {COOKIE}={name}");
        let value = HeaderValue::from_str(&value).unwrap();
        [(axum::http::header::COOKIE, value)].into_iter().collect()
    }

    fn after(seconds: u64) -> Timestamp {
        Timestamp::from_unix_seconds(NOW.unix_seconds() + seconds)
    }

    #[test]
    fn a_session_is_who_began_it_until_it_ends() {
        let sessions = Sessions::default();
        let name = sessions.begin(ada(), NOW).unwrap();
        let (person, form_token) = sessions.find(&shown(&name), NOW).unwrap();
        assert_eq!(person, ada());
        assert_eq!(form_token.len(), 64);
        assert_ne!(form_token, name);
        assert_eq!(sessions.find(&shown(&form_token), NOW), None);
        assert_eq!(sessions.find(&HeaderMap::new(), NOW), None);
        let seconds = LIFETIME.as_secs();
        assert!(sessions.find(&shown(&name), after(seconds - 1)).is_some());
        assert_eq!(sessions.find(&shown(&name), after(seconds)), None);
        sessions.end(&shown(&name));
        assert_eq!(sessions.find(&shown(&name), NOW), None);
    }

    #[test]
    fn an_operator_has_never_more_than_so_many_and_ends_only_their_own() {
        let sessions = Sessions::default();
        let other = Person {
            name: "eve".to_owned(),
            role: Role::Read,
        };
        let others = sessions.begin(other, NOW).unwrap();
        let first = sessions.begin(ada(), NOW).unwrap();
        let second = sessions.begin(ada(), after(1)).unwrap();
        for _ in 2..=MAX_SESSIONS {
            sessions.begin(ada(), after(2)).unwrap();
        }
        assert_eq!(sessions.lock().len(), MAX_SESSIONS + 1);
        assert!(sessions.find(&shown(&others), after(2)).is_some());
        assert_eq!(sessions.find(&shown(&first), after(2)), None);
        assert!(sessions.find(&shown(&second), after(2)).is_some());
    }
}
