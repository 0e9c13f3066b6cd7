//! Plain text to a port of TLS.

use seawall_doctor::Code;
use seawall_lab::world::{Authority, Bearer, Clients, Server, Tls, Validity};

use crate::case::{Case, Trouble};

pub(super) const CASE: Case = Case {
    name: "plain-on-tls",
    story: "the application speaks plain text to a port of TLS",
    truth: &[Code(108)],
    act: |bed| {
        if !bed.binary().speaks_tls() {
            return Err(Trouble::LeftOut(
                "this server was built without TLS".to_owned(),
            ));
        }
        let authority = Authority::new()?;
        let certificate =
            authority.sign("server", &["127.0.0.1"], Bearer::Server, Validity::Now)?;
        let tls = Tls {
            authority: &authority,
            certificate: &certificate,
            clients: Clients::Anybody,
        };
        let server = Server::start_with_tls(bed.binary(), &[], &tls)?;
        let addr = server.tls_addr().unwrap_or_else(|| server.addr());
        let plain = bed.replace(server);
        bed.look();
        for _ in 0..4 {
            bed.client().at(addr).call(&["PING"]);
        }
        bed.keep((plain, authority));
        Ok(())
    },
    ..Case::PLAIN
};
