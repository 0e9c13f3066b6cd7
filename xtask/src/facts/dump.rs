//! Asking a server of its commands.

use std::collections::BTreeMap;
use std::path::Path;

use super::pin::{Begin, Command, Dump, Find, Pin, ServerLine, Spec};
use super::resp::{Connection, Reply};
use super::server::Server;
use crate::task::{self, Outcome};

const USAGE: &str = "usage: cargo xtask facts dump [--redis PATH] [--valkey PATH]";

/// Remakes the pins of the servers whose binaries are given.
pub(super) fn run(arguments: &[String]) -> task::Result {
    let (pairs, rest) = arguments.as_chunks::<2>();
    if pairs.is_empty() || !rest.is_empty() {
        return Err(USAGE.into());
    }
    let root = task::root();
    for [option, binary] in pairs {
        let pin = Pin::ALL
            .iter()
            .find(|pin| option.strip_prefix("--") == Some(pin.server))
            .ok_or_else(|| format!("there is no option {option:?}\n\n{USAGE}"))?;
        let dump = ask(pin, Path::new(binary))?;
        std::fs::write(root.join(pin.path), dump.to_text()?)
            .map_err(|error| format!("{}: {error}", pin.path))?;
        let count = dump.commands.len();
        println!("{}: {count} commands of {}", pin.path, dump.server.version);
    }
    Ok(Outcome::Well)
}

fn ask(pin: &Pin, binary: &Path) -> task::Result<Dump> {
    let server = Server::start(binary, &[])?;
    let mut connection = server.connect()?;
    let version = version(&mut connection, pin)?;
    let line = version.split('.').take(2).collect::<Vec<_>>().join(".");
    if line != pin.release {
        let (server, release, path) = (pin.server, pin.release, pin.path);
        let binary = binary.display();
        return Err(format!("{binary} is {server} {version}, and {path} pins {release}").into());
    }
    let listed = connection.call(&["COMMAND"])?;
    let documented = connection.call(&["COMMAND", "DOCS"])?;
    let mut commands = BTreeMap::new();
    for entry in listed.elements() {
        take(entry, &documented, &mut commands)?;
    }
    let server = ServerLine {
        server: pin.server.to_owned(),
        version,
    };
    Ok(Dump { server, commands })
}

fn version(connection: &mut Connection, pin: &Pin) -> task::Result<String> {
    let info = connection.call(&["INFO", "server"])?;
    info.text()
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix(pin.version_field)?.strip_prefix(':'))
        .map(ToOwned::to_owned)
        .ok_or_else(|| format!("INFO has no {}: is it {}?", pin.version_field, pin.server).into())
}

/// Takes one entry of COMMAND and its subcommands; `documented` is the map that has its documentation.
fn take(
    entry: &Reply,
    documented: &Reply,
    commands: &mut BTreeMap<String, Command>,
) -> task::Result<()> {
    let [
        name,
        arity,
        flags,
        first,
        last,
        step,
        acl,
        tips,
        specs,
        subcommands,
    ] = entry.elements()
    else {
        return Err(format!("an entry of COMMAND has not ten elements: {entry:?}").into());
    };
    let key = name.text().ok_or("an entry of COMMAND has no name")?;
    let name = key.replace('|', " ");
    let number = |reply: &Reply| {
        let number = reply.number();
        number.ok_or_else(|| format!("{name}: {reply:?} is no number"))
    };
    let documentation = documented
        .field(key)
        .ok_or_else(|| format!("{name}: COMMAND DOCS has nothing"))?;
    let about = |field: &str| {
        let text = documentation.field(field).and_then(Reply::text);
        text.unwrap_or_default().to_owned()
    };
    let specs = specs
        .elements()
        .iter()
        .map(|spec| self::spec(spec).ok_or_else(|| format!("{name}: unknown form: {spec:?}")))
        .collect::<Result<_, _>>()?;
    let command = Command {
        arity: number(arity)?,
        flags: flags.sorted_texts(),
        keys: [number(first)?, number(last)?, number(step)?],
        acl: acl.sorted_texts(),
        tips: tips.sorted_texts(),
        specs,
        group: about("group"),
        since: about("since"),
        name: name.clone(),
    };
    commands.insert(name, command);
    let nothing = Reply::Null;
    let documented = documentation.field("subcommands").unwrap_or(&nothing);
    for subcommand in subcommands.elements() {
        take(subcommand, documented, commands)?;
    }
    Ok(())
}

fn spec(reply: &Reply) -> Option<Spec> {
    let begin = reply.field("begin_search")?;
    let find = reply.field("find_keys")?;
    let number = |reply: &Reply, field: &str| reply.field("spec")?.field(field)?.number();
    let begin = match begin.field("type")?.text()? {
        "index" => Begin::Index(number(begin, "index")?),
        "keyword" => {
            let word = begin.field("spec")?.field("keyword")?.text()?;
            Begin::Keyword(word.to_owned(), number(begin, "startfrom")?)
        }
        "unknown" => Begin::Unknown,
        _ => return None,
    };
    let find = match find.field("type")?.text()? {
        "range" => Find::Range(
            number(find, "lastkey")?,
            number(find, "keystep")?,
            number(find, "limit")?,
        ),
        "keynum" => Find::Keynum(
            number(find, "keynumidx")?,
            number(find, "firstkey")?,
            number(find, "keystep")?,
        ),
        "unknown" => Find::Unknown,
        _ => return None,
    };
    let flags = reply.field("flags")?.sorted_texts();
    Some(Spec { flags, begin, find })
}
