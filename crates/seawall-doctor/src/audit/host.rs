//! The host, where the server runs on this one: what the kernel allows it.

use std::fs;
use std::path::Path;

/// What this host allows. What cannot be read is not judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// `vm.overcommit_memory`.
    pub overcommit: Option<u64>,
    /// Transparent huge pages are on for everybody.
    pub huge_pages_always: Option<bool>,
    /// `net.core.somaxconn`.
    pub somaxconn: Option<u64>,
    /// How many files the server may open.
    pub open_files: Option<u64>,
}

impl Host {
    /// Reads what this host says; of the server's process too, if its id is known.
    pub fn read(server: Option<u64>) -> Self {
        Self::below(Path::new("/"), server)
    }

    fn below(root: &Path, server: Option<u64>) -> Self {
        let text = |path: &str| fs::read_to_string(root.join(path)).ok();
        let number = |path: &str| text(path)?.trim().parse().ok();
        Self {
            overcommit: number("proc/sys/vm/overcommit_memory"),
            huge_pages_always: text("sys/kernel/mm/transparent_hugepage/enabled")
                .map(|words| words.contains("[always]")),
            somaxconn: number("proc/sys/net/core/somaxconn"),
            open_files: server
                .and_then(|pid| text(&format!("proc/{pid}/limits")))
                .and_then(|limits| open_files(&limits)),
        }
    }
}

/// `Max open files            1024                 524288               files`
fn open_files(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read_and_what_is_not_there_is_not_judged() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
            fs::write(path, text).expect("it is written");
        };
        write("proc/sys/vm/overcommit_memory", "0\n");
        write(
            "sys/kernel/mm/transparent_hugepage/enabled",
            "[always] madvise never\n",
        );
        write(
            "proc/77/limits",
            "Limit  Soft Limit\nMax open files            1024                 524288               files\n",
        );
        let host = Host::below(root.path(), Some(77));
        assert_eq!(host.overcommit, Some(0));
        assert_eq!(host.huge_pages_always, Some(true));
        assert_eq!(host.somaxconn, None);
        assert_eq!(host.open_files, Some(1_024));
        assert_eq!(
            open_files("Max open files unlimited unlimited files"),
            Some(u64::MAX)
        );
    }
}
