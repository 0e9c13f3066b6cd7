/// A server's run id as records hold it (64-bit FNV-1a): who knows a run id, from INFO or from a log, finds its records.
pub fn run_id_hash(run_id: &str) -> u64 {
    run_id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_that_older_journals_hold() {
        assert_eq!(run_id_hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(run_id_hash("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(run_id_hash("foobar"), 0x8594_4171_f739_67e8);
    }
}
