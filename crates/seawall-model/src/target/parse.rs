use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::error::TargetError;
use super::scheme::Scheme;
use super::{Security, Target, URL_BYTES_MAX};
use crate::endpoint::{DEFAULT_PORT, Endpoint, EndpointError, split_port};
use crate::secret::Secret;
use crate::settings::{self, Settings, foreign};

pub(super) fn parse(url: &str) -> Result<Target, TargetError> {
    let url = url.trim();
    if url.is_empty() {
        return Err(TargetError::Empty);
    }
    if url.len() > URL_BYTES_MAX {
        return Err(TargetError::TooLong { bytes: url.len() });
    }
    if let Some((at, found)) = url
        .char_indices()
        .find(|(_, c)| c.is_whitespace() || c.is_control())
    {
        return Err(TargetError::Blank { at, found });
    }
    let (scheme, rest) = Scheme::split(url)?;
    let parts = Parts::split(rest);
    // Once something is wrong, an `@` behind the host means that what stands there may belong to a password.
    parts.read(scheme).map_err(|error| {
        if parts.has_stray_at(scheme) {
            TargetError::StrayAt
        } else {
            error
        }
    })
}

/// A URL behind its scheme, cut but not decoded.
struct Parts<'a> {
    userinfo: Option<&'a str>,
    host: &'a str,
    path: &'a str,
    query: &'a str,
    fragment: &'a str,
}

impl<'a> Parts<'a> {
    fn split(rest: &'a str) -> Self {
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        // The last `@` ends user and password: a raw one inside them is taken as redis-py takes it.
        let (userinfo, host) = match authority.rsplit_once('@') {
            Some((userinfo, host)) => (Some(userinfo), host),
            None => (None, authority),
        };
        Self {
            userinfo,
            host,
            path,
            query,
            fragment,
        }
    }

    fn has_stray_at(&self, scheme: Scheme) -> bool {
        let path = if scheme == Scheme::Unix {
            ""
        } else {
            self.path
        };
        [path, self.query, self.fragment]
            .iter()
            .any(|part| part.contains('@'))
    }

    fn read(&self, scheme: Scheme) -> Result<Target, TargetError> {
        let mut target = Target::new(self.endpoint(scheme)?, security(scheme));
        self.read_credentials(&mut target)?;
        if scheme != Scheme::Unix {
            target.db = db_of_path(self.path)?;
        }
        let mut taken = Vec::new();
        for pair in self.query.split('&').filter(|pair| !pair.is_empty()) {
            take_option(&mut target, &mut taken, pair)?;
        }
        match self.fragment {
            "" => {}
            // What redis-rs calls a connection whose certificate nobody checks.
            "insecure" if scheme == Scheme::Tls => {
                take_option(&mut target, &mut taken, "tls_verify=none")?;
            }
            _ => return Err(TargetError::Fragment),
        }
        Settings::from_target(&target)?;
        Ok(target)
    }

    fn endpoint(&self, scheme: Scheme) -> Result<Endpoint, TargetError> {
        if scheme == Scheme::Unix {
            if !self.host.is_empty() {
                return Err(TargetError::HostBesideSocket);
            }
            // Behind user and password it may be the rest of a password with a raw `@/`.
            if self.userinfo.is_some() && self.path.contains('@') {
                return Err(TargetError::StrayAt);
            }
            return Ok(Endpoint::unix(&decode(self.path, "path")?)?);
        }
        // A bare `redis://` is the local server, as with redis-py and Celery. With anything before the path, a host
        // that is missing is more likely a variable that was left empty.
        if self.host.is_empty() && self.userinfo.is_none() {
            return Ok(Endpoint::tcp("localhost", DEFAULT_PORT)?);
        }
        let (host, port) = split_port(self.host)?;
        if host.is_empty() {
            return Err(EndpointError::NoHost.into());
        }
        Ok(Endpoint::tcp(
            &decode(host, "host")?,
            port.unwrap_or(DEFAULT_PORT),
        )?)
    }

    fn read_credentials(&self, target: &mut Target) -> Result<(), TargetError> {
        let Some(userinfo) = self.userinfo else {
            return Ok(());
        };
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        let (user, password) = (decode(user, "user")?, decode(password, "password")?);
        target.user = (!user.is_empty()).then(|| user.as_ref().into());
        target.password = (!password.is_empty()).then(|| Secret::from(password.as_ref()));
        Ok(())
    }
}

const fn security(scheme: Scheme) -> Security {
    match scheme {
        Scheme::Tls => Security::Tls,
        Scheme::Tcp | Scheme::Unix => Security::Plain,
    }
}

fn decode<'a>(text: &'a str, part: &'static str) -> Result<Cow<'a, str>, TargetError> {
    percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| TargetError::NotUtf8 { part })
}

/// Query strings are decoded as forms are: a plus sign is a space.
fn decode_option(text: &str) -> Result<String, TargetError> {
    Ok(decode(&text.replace('+', " "), "options")?.into_owned())
}

fn db_of_path(path: &str) -> Result<Option<u32>, TargetError> {
    let path = decode(path, "path")?;
    let number = path.trim_matches('/');
    if number.is_empty() {
        return Ok(None);
    }
    let mut settings = Settings::default();
    settings.apply("db", number).map_err(TargetError::Path)?;
    Ok(Some(settings.db()))
}

/// Takes one `name=value`. `taken` holds the settings that were set so far, with the name that was used.
fn take_option(
    target: &mut Target,
    taken: &mut Vec<(&'static str, &'static str)>,
    pair: &str,
) -> Result<(), TargetError> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let (name, value) = (decode_option(name)?, decode_option(value)?);
    if let Some((name, _)) = foreign::PASSED_OVER
        .iter()
        .find(|(known, _)| *known == name)
    {
        target.passed_over.push((name, value));
        return Ok(());
    }
    let Some((setting, name, _)) = settings::named(&name) else {
        return Err(settings::unknown(&name).into());
    };
    let before = taken.iter().find(|(known, _)| *known == setting.name);
    let first = match setting.name {
        "user" if target.user.is_some() => Some("user before the @"),
        "password" if target.password.is_some() => Some("password before the @"),
        _ => before.map(|(_, first)| *first),
    };
    if let Some(first) = first {
        return Err(TargetError::Twice {
            first,
            second: name,
        });
    }
    if setting.name.starts_with("tls_") && target.security == Security::Plain {
        return Err(TargetError::NeedsTls { name });
    }
    taken.push((setting.name, name));
    let mut settings = Settings::default();
    settings.apply(name, &value)?;
    match setting.name {
        "user" => target.user = settings.user(),
        "password" => target.password = settings.password(),
        // Both may be given; the option wins, as with redis-py.
        "db" => target.db = Some(settings.db()),
        _ => target.options.push((name, value)),
    }
    Ok(())
}
