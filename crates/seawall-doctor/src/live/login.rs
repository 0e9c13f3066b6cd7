//! As whom the doctor logs in.

use seawall_model::{Secret, Target};

/// A password, and whose it is.
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: Secret,
}

impl Login {
    /// As the URL says.
    pub(super) fn of(target: &Target) -> Option<Self> {
        Some(Self {
            user: target.user().map(str::to_owned),
            password: target.password()?.clone(),
        })
    }

    /// As the environment says, where the URL has no password: one in a command stands in lists of processes and in the
    /// shell's history. Only a server that wants a password is told it: there may be others beside it that have none.
    pub(super) fn around(
        target: &Target,
        look_up: impl Fn(&str) -> Option<String>,
    ) -> Option<Self> {
        let told = |name| look_up(name).filter(|value| !value.is_empty());
        let password = told("SEAWALL_PASSWORD").or_else(|| told("REDISCLI_AUTH"))?;
        let user = target.user().map(str::to_owned);
        Some(Self {
            user: user.or_else(|| told("SEAWALL_USER")),
            password: Secret::new(password),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(url: &str, variables: &[(&str, &str)]) -> Option<(Option<String>, String)> {
        let target = Target::parse(url).expect("a URL");
        let look_up = |name: &str| {
            let found = variables.iter().find(|(named, _)| *named == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let login = Login::around(&target, look_up)?;
        Some((login.user, login.password.reveal().to_owned()))
    }

    #[test]
    fn the_environment_has_the_password_that_the_url_has_not() {
        assert_eq!(around("redis://a", &[("REDISCLI_AUTH", "")]), None);
        let cli = ("REDISCLI_AUTH", "one");
        assert_eq!(around("redis://a", &[cli]), Some((None, "one".into())));
        let ours = [cli, ("SEAWALL_PASSWORD", "two"), ("SEAWALL_USER", "app")];
        let app = Some("app".to_owned());
        assert_eq!(around("redis://a", &ours), Some((app, "two".into())));
        let me = Some("me".to_owned());
        assert_eq!(around("redis://me@a", &ours), Some((me, "two".into())));
    }
}
