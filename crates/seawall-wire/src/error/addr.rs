/// Splits the address of a redirect at its last colon: the host, and the port.
///
/// The host is `None` where the server sent none or `?`: it then means the host that was asked
/// (`cluster-preferred-endpoint-type unknown-endpoint`). An IPv6 address comes without brackets, as servers send it.
/// `None` if there is no port.
pub fn split_addr(addr: &str) -> Option<(Option<&str>, u16)> {
    let (host, port) = addr.rsplit_once(':')?;
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    Some((
        Some(host).filter(|host| !host.is_empty() && *host != "?"),
        port.parse().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_split_at_their_last_colon() {
        assert_eq!(
            split_addr("127.0.0.1:6381"),
            Some((Some("127.0.0.1"), 6381))
        );
        assert_eq!(
            split_addr("2001:db8::7:6379"),
            Some((Some("2001:db8::7"), 6379))
        );
        assert_eq!(
            split_addr("[2001:db8::7]:6379"),
            Some((Some("2001:db8::7"), 6379))
        );
        assert_eq!(split_addr(":6379"), Some((None, 6379)));
        assert_eq!(split_addr("?:6379"), Some((None, 6379)));
        assert_eq!(split_addr("host"), None);
        assert_eq!(split_addr("host:99999"), None);
    }
}
