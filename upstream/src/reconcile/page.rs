//! One page of a list of Stripe's, as it comes.
//!
//! Source: <https://docs.stripe.com/api/pagination>.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::round::Last;

/// Holds the items of a page, each as the bytes that were sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// In the order of the list.
    pub(crate) items: Vec<Bytes>,
    /// Whether others follow.
    pub(crate) has_more: bool,
}

/// Says that an answer is no page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a list of objects with an ID")]
pub(crate) struct PageError;

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
    has_more: bool,
}

#[derive(Deserialize)]
struct Named {
    id: String,
    #[serde(default)]
    created: u64,
}

impl Page {
    /// Reads the body of an answer.
    ///
    /// # Errors
    /// [`PageError`].
    pub(crate) fn read(body: &Bytes) -> Result<Self, PageError> {
        let List { data, has_more } = serde_json::from_slice(body).map_err(|_| PageError)?;
        let items = data.into_iter().map(RawValue::get);
        Ok(Self {
            items: items.map(|text| body.slice_ref(text.as_bytes())).collect(),
            has_more,
        })
    }

    /// Returns where the page ends; `None` if it is empty.
    ///
    /// # Errors
    /// [`PageError`] if its last item has no ID.
    pub(crate) fn last(&self) -> Result<Option<Last>, PageError> {
        let read = |item: &Bytes| {
            let Named { id, created } = serde_json::from_slice(item).map_err(|_| PageError)?;
            Ok(Last { id, created })
        };
        self.items.last().map(read).transpose()
    }

    /// Returns the IDs of its items.
    ///
    /// # Errors
    /// [`PageError`] if one has none.
    pub(crate) fn ids(&self) -> Result<Vec<String>, PageError> {
        let read = |item: &Bytes| serde_json::from_slice::<Named>(item);
        let ids = self.items.iter().map(|item| read(item).map(|it| it.id));
        ids.collect::<Result<_, _>>().map_err(|_| PageError)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Page, PageError};
    use crate::reconcile::round::Last;

    #[test]
    fn takes_each_event_as_the_bytes_that_were_sent() {
        let body = br#"{"object": "list", "data": [{"id": "evt_2",
            "created": 7 , "\u0061": 1.0}, {"created":6,"id":"evt_1"}], "has_more": true}"#;
        let page = Page::read(&Bytes::from_static(body)).unwrap();
        let texts: Vec<&[u8]> = page.items.iter().map(|item| &item[..]).collect();
        assert_eq!(
            texts,
            [
                &b"{\"id\": \"evt_2\",\n            \"created\": 7 , \"\\u0061\": 1.0}"[..],
                b"{\"created\":6,\"id\":\"evt_1\"}"
            ]
        );
        assert!(page.has_more);
        let last = Last {
            id: "evt_1".to_owned(),
            created: 6,
        };
        assert_eq!(page.last(), Ok(Some(last)));
        assert_eq!(page.ids().unwrap(), ["evt_2", "evt_1"]);
    }

    #[test]
    fn refuses_what_is_no_list() {
        for body in [
            "",
            "[]",
            "{\"data\": []}",
            "{\"data\": 1, \"has_more\": false}",
        ] {
            let page = Page::read(&Bytes::from_static(body.as_bytes()));
            assert_eq!(page, Err(PageError), "{body}");
        }
        let nameless = br#"{"data": [{"created": 1}], "has_more": false}"#;
        let page = Page::read(&Bytes::from_static(nameless)).unwrap();
        assert_eq!(page.last(), Err(PageError));
        let empty = Bytes::from_static(br#"{"data": [], "has_more": true}"#);
        assert_eq!(Page::read(&empty).unwrap().last(), Ok(None));
    }
}
