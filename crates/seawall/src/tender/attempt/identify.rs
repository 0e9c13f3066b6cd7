//! Who logs in, asked before anything is dialled where that changes with time.

use seawall_model::{Cause, Endpoint, Moment};

use super::super::resolver::{Answer, Resolver};
use super::{Attempt, Moved, Stage};
use crate::link::handshake::{DialError, Purpose};
use crate::link::keys::Identity;
use crate::link::shared::Link;

/// What a source of credentials answers.
pub(super) type Identified = Result<Identity, Box<str>>;

impl Attempt {
    /// The first stage.
    pub(super) fn set_out(&mut self, link: &Link, resolver: &Resolver, now: Moment) -> Stage {
        if let Some(keys) = &link.dialer.keys {
            self.identity = keys.known(now);
            if self.identity.is_none() {
                let keys = keys.clone();
                return Stage::Identifying {
                    answer: resolver.start("questions for credentials", move || Ok(keys.ask(now))),
                    // It is no part of connecting: a probe, which is given little time, has it besides.
                    until: now + link.dialer.connect_timeout,
                    resolver: resolver.clone(),
                };
            }
        }
        self.head_for(link, resolver, now)
    }

    fn head_for(&mut self, link: &Link, resolver: &Resolver, now: Moment) -> Stage {
        let span = match self.purpose {
            Purpose::Carry => link.dialer.connect_timeout,
            Purpose::Probe(_) | Purpose::Examine => link.dialer.probe_timeout,
        };
        self.deadline = now + span;
        match &link.endpoint {
            Endpoint::Tcp { host, port } => {
                let answer = resolver.look_up(&link.dialer.names, host, *port);
                let known = !link.addresses().last_good().is_empty();
                // Half of the time is kept for the last good address, if there is one.
                let patience = if known { span / 2 } else { span };
                Stage::Resolving {
                    answer,
                    until: now + patience,
                }
            }
            Endpoint::Unix { path } => self.reach_socket_file(path, now),
        }
    }

    /// Takes what the source of credentials answered.
    pub(super) fn identify(
        &mut self,
        link: &Link,
        answer: Answer<Identified>,
        until: Moment,
        resolver: Resolver,
        now: Moment,
    ) -> Moved {
        let why = match answer.take() {
            Some(Ok(Ok(identity))) => {
                self.identity = Some(identity);
                return Moved::To(self.head_for(link, &resolver, now));
            }
            Some(Ok(Err(why))) => why,
            Some(Err(error)) => error.to_string().into(),
            None if now >= until => {
                let ms = now.since(self.began).as_millis();
                format!("it did not answer in {ms} ms").into()
            }
            None => {
                return self.wait(Stage::Identifying {
                    answer,
                    until,
                    resolver,
                });
            }
        };
        let detail = format!("no user name and password are to be had: {why}");
        Moved::Failed(DialError::new(Cause::AuthFailed, detail))
    }
}
