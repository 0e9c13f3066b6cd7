//! TLS to a port of plain text.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use seawall_doctor::Code;

use crate::case::{Case, Trouble};

pub(super) const CASE: Case = Case {
    name: "tls-on-plain",
    story: "the application speaks TLS to a port of plain text",
    truth: &[Code(109), Code(102)],
    act: |bed| {
        for _ in 0..3 {
            let mut client = bed.client();
            if client.send_bytes(&hello()?) {
                client.await_handshake();
            }
        }
        bed.look_now_at(&format!("rediss://{}", bed.server().addr()));
        Ok(())
    },
    ..Case::PLAIN
};

/// What a TLS client says first.
fn hello() -> Result<Vec<u8>, Trouble> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("cache.internal").map_err(std::io::Error::other)?;
    let mut client =
        ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?;
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes)?;
    // A line feed in its random bytes would end a command: the server would then answer at once.
    bytes.retain(|byte| *byte != b'\n' && *byte != 0);
    Ok(bytes)
}
