//! Who logs in, asked of a credential provider of redis-py's as connections are made.

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use seawall::{Credentials, Identity, Secret};

use crate::calls;

/// A `redis.credentials.CredentialProvider`.
pub(crate) struct Provider(pub(crate) Py<PyAny>);

impl Credentials for Provider {
    fn identity(&self) -> Result<Identity, Box<str>> {
        let asked = Python::try_attach(|py| {
            let none = PyTuple::empty(py);
            let given = calls::method(self.0.bind(py), "get_credentials", none);
            given
                .and_then(|given| read(&given))
                .map_err(|error| error.to_string().into())
        });
        asked.unwrap_or_else(|| Err("the interpreter is shutting down".into()))
    }
}

/// `(user, password)`, or `(password,)` alone.
fn read(given: &Bound<'_, PyAny>) -> PyResult<Identity> {
    let given = given.cast::<PyTuple>()?;
    let password = given.get_item(given.len().saturating_sub(1))?;
    let user = match given.len() {
        0 | 1 => None,
        _ => Some(text(&given.get_item(0)?)?).filter(|user| !user.is_empty()),
    };
    Ok(Identity {
        user,
        password: Secret::from(text(&password)?),
    })
}

fn text(word: &Bound<'_, PyAny>) -> PyResult<String> {
    if word.is_none() {
        return Ok(String::new());
    }
    word.str()?.extract()
}
