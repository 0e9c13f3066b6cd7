//! `seawall doctor --audit`: prevention alone.

use std::fs;
use std::net::IpAddr;

use seawall_doctor::Facts;
use seawall_doctor::audit::{self, Audit, Audited, Client, Grade, Host, report};
use seawall_model::{Endpoint, Target};

use crate::{Exit, output};

/// What the client is configured with, out of everything that was said of it. `None`: something cannot be read, which is said.
pub(super) fn client(told: &[String]) -> Option<Client> {
    let mut client = Client::default();
    for words in told {
        let read = if words.contains('=') {
            Client::parse(words)
        } else {
            match fs::read_to_string(words) {
                Ok(text) => Client::parse_toml(&text),
                Err(error) => {
                    output::fail(
                        format_args!(
                            "--client {}: it cannot be read: {error}",
                            output::safe(words)
                        ),
                        "--client timeout=1s,pool=20 or --client seawall.toml",
                    );
                    return None;
                }
            }
        };
        match read {
            Ok(more) => client = client.or(more),
            Err(misreads) => {
                output::fail(
                    format_args!("--client {}: {misreads}", output::safe(words)),
                    "--client timeout=1s,connect_timeout=1s,max_idle=60s,keepalive=60s,pool=20,processes=8",
                );
                return None;
            }
        }
    }
    Some(client)
}

/// In which form an audit is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    /// With what the look cost.
    TextAndLoad,
    Json,
}

/// Audits, and tells.
pub(super) fn run(facts: Facts, client: Client, sources: &[String], form: Form) -> Exit {
    let host = here(&facts, sources);
    let audit = audit::audit(Audited {
        facts,
        client,
        host,
    });
    if audit.passed.is_empty() && audit.remarks.is_empty() {
        output::fail(
            "nothing was looked at that an audit grades",
            "give the URL of a server, or what INFO and CONFIG GET answered, or --client",
        );
        return Exit::Unable;
    }
    let mut told = match form {
        Form::Json => format!("{:#}", report::json(&audit)),
        Form::Text | Form::TextAndLoad => report::text(&audit),
    };
    if form == Form::TextAndLoad {
        told.push_str(&seawall_doctor::report::load(&audit.costs));
    }
    let written = output::out(told.trim_end());
    if let Err(error) = written {
        output::fail(format_args!("the audit could not be written: {error}"), "");
        return Exit::Unable;
    }
    exit(&audit)
}

fn exit(audit: &Audit) -> Exit {
    match audit.grade() {
        Grade::A => Exit::Well,
        Grade::B | Grade::C => Exit::Risk,
        Grade::D | Grade::F => Exit::Short,
    }
}

/// This host, if a server that was given runs on it.
fn here(facts: &Facts, sources: &[String]) -> Option<Host> {
    let local = sources
        .iter()
        .filter(|source| source.contains("://"))
        .filter_map(|source| Target::parse(source).ok())
        .find(is_local)?;
    let name = local.endpoint().to_string();
    let look = facts.looks.iter().find(|look| *look.source == *name)?;
    let pid = look.number("process_id").filter(|pid| is_server(*pid));
    Some(Host::read(pid))
}

fn is_local(target: &Target) -> bool {
    match target.endpoint() {
        Endpoint::Unix { .. } => true,
        Endpoint::Tcp { host, .. } => {
            let address = host.parse::<IpAddr>();
            &**host == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
    }
}

/// A port of this host may lead into a container, whose processes have other numbers there.
fn is_server(pid: u64) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm"))
        .is_ok_and(|name| name.contains("redis") || name.contains("valkey"))
}
