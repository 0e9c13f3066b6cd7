use crate::world::certificates::{Authority, Certificate};

/// How a server speaks TLS.
#[derive(Clone, Copy, Debug)]
pub struct Tls<'a> {
    /// Who signed for it, and signs for its clients.
    pub authority: &'a Authority,
    /// The certificate that it shows.
    pub certificate: &'a Certificate,
    /// What it asks of its clients: `tls-auth-clients`.
    pub clients: Clients,
}

/// What a server asks of its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clients {
    /// Nothing.
    Anybody,
    /// A certificate of the authority's.
    Certified,
}

impl Tls<'_> {
    /// The lines for its settings file.
    pub(super) fn config(&self, port: u16) -> Vec<(&'static str, String)> {
        let path = |path: &std::path::Path| format!("\"{}\"", path.display());
        let clients = match self.clients {
            Clients::Anybody => "no",
            Clients::Certified => "yes",
        };
        vec![
            ("tls-port", port.to_string()),
            ("tls-cert-file", path(&self.certificate.certificate)),
            ("tls-key-file", path(&self.certificate.key)),
            ("tls-ca-cert-file", path(&self.authority.certificate())),
            ("tls-auth-clients", clients.to_owned()),
        ]
    }
}
