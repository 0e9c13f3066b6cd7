//! The settings that choose between words.

use crate::words::words;

words! {
    /// What may be sent again after it may have run (setting `replay`).
    pub enum ReplayLimit {
        /// Only commands that change nothing.
        Reads = 1, "reads";
        /// Reads, and plain overwrites (SET, MSET, SETEX) whose key was not written since by this client.
        ReadsAndOverwrites = 2, "reads+overwrites";
        /// These, and commands that leave the same state when they run twice, though their reply differs (DEL, SADD,
        /// HSET, ZADD, EXPIREAT).
        SameState = 3, "same-state";
    }
}

words! {
    /// Which protocol to speak (setting `protocol`).
    pub enum ProtocolChoice {
        /// RESP3 where the server knows HELLO, else RESP2.
        Auto = 1, "auto";
        /// RESP2, without asking for more.
        Resp2 = 2, "2";
        /// RESP3; a server that does not speak it is an error.
        Resp3 = 3, "3";
    }
}

words! {
    /// Whether the server may be asked how it is configured (setting `server_hints`).
    pub enum ServerHints {
        /// Ask, except with the application's user on a managed service: there, refused CONFIGs count as ACL denials.
        Auto = 1, "auto";
        /// Always ask.
        On = 2, "on";
        /// Never ask.
        Off = 3, "off";
    }
}

words! {
    /// Whether the server's certificate must be signed by a trusted authority (setting `tls_verify`).
    pub enum TlsVerify {
        /// It must.
        Required = 1, "required";
        /// Any certificate will do: the line is encrypted, but nobody knows to whom.
        Nothing = 2, "none";
    }
}

words! {
    /// Whether the server's certificate must carry the host's name (setting `tls_check_name`).
    pub enum NameCheck {
        /// It must.
        On = 1, "on";
        /// The name in it does not matter.
        Off = 2, "off";
    }
}
