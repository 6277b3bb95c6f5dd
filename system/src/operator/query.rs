//! The query of a list: each bad or unknown parameter is refused by its name.

use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use shared_http::Problem;

use crate::view::Page;
use crate::view::paging::MOST;

/// The parameters that are not taken yet.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Ok(Self(pairs.into_owned().collect()))
    }

    /// The parameter of that name, if it is there.
    pub(super) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        // A number and a boolean are their own JSON, everything else is a text.
        let value = serde_json::from_str(&text).or_else(|_| serde_json::from_value(text.clone().into()));
        value.map(Some).map_err(|error| refused(name, &error.to_string()))
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let at = self.0.iter().position(|(key, _)| key == name);
        let found = at.map(|at| self.0.remove(at).1);
        match self.0.iter().any(|(key, _)| key == name) {
            true => Err(refused(name, "is given twice")),
            false => Ok(found),
        }
    }

    /// The page that is asked for; no parameter may be left then.
    pub(super) fn page(mut self) -> Result<Page, Problem> {
        let default = Page::default();
        let limit = self.take::<usize>("limit")?.unwrap_or(default.limit);
        if !(1..=MOST).contains(&limit) {
            return Err(refused("limit", &format!("must be 1 to {MOST}")));
        }
        let after = self.text("after")?;
        self.end()?;
        Ok(Page { limit, after })
    }

    /// No parameter may be left.
    pub(super) fn end(self) -> Result<(), Problem> {
        self.0.first().map_or(Ok(()), |(name, _)| Err(refused(name, "is unknown here")))
    }
}

/// `400`, for a parameter.
pub(super) fn refused(name: &str, why: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, format!("the parameter {name:?}: {why}"))
}
