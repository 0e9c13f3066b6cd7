//! Who is let in, who is not, and servers that speak the older protocol.

use seawall::blocking::Client;
use seawall::{Cause, Cmd, Kind, Value};

use crate::fake::Fake;
use crate::ground::{Heard, client, ends, number, server, server_with, until};

/// How many logins the server refused, as its ACL log counts them.
fn refused_logins(server: &seawall_lab::world::Server) -> i64 {
    let log = server.command(&[b"ACL", b"LOG"]).expect("an answer");
    let entries = log.as_array().expect("a list").iter();
    entries
        .filter_map(|entry| entry.as_array()?.get(1)?.as_integer())
        .sum()
}

#[test]
fn a_wrong_password_is_told_at_once_and_tried_once() {
    let server = server_with(&[("requirepass", "right")]);
    for protocol in ["2", "3", "auto"] {
        server
            .command(&[b"ACL", b"LOG", b"RESET"])
            .expect("an answer");
        let client = client(
            server.addr(),
            &format!("password=wrong&protocol={protocol}"),
        );
        let before = number(&server, "stats", "total_connections_received");
        let error = ends("the call", || client.incr("count")).expect_err("a wrong password");
        assert_eq!(
            (error.kind(), error.cause()),
            (Kind::Settings, Cause::AuthFailed),
            "{error}"
        );
        assert!(!error.may_have_run());
        let words = error.server_error().expect("the server's words");
        assert!(words.message.starts_with("WRONGPASS"), "{error}");
        assert!(!error.to_string().contains("wrong\""), "{error}");
        for _ in 0..20 {
            client.incr("count").expect_err("a wrong password");
        }
        assert_eq!(refused_logins(&server), 1, "one try a second, {protocol}");
        let connections = number(&server, "stats", "total_connections_received") - before;
        assert_eq!(connections, 1);
        assert_eq!(client.stats().state.name(), "up", "a mistake is no outage");
    }
}

#[test]
fn many_threads_with_a_wrong_password_do_not_try_it_many_times() {
    let server = server_with(&[("requirepass", "right")]);
    let client = client(server.addr(), "password=wrong&deadline=3s");
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let error = ends("the call", || client.incr("count")).expect_err("wrong");
                assert_eq!(error.cause(), Cause::AuthFailed, "{error}");
            });
        }
    });
    // As many as may be dialled at once.
    assert!(
        refused_logins(&server) <= 4,
        "{} tries",
        refused_logins(&server)
    );
}

#[test]
fn a_missing_password_is_told_as_such() {
    let server = server_with(&[("requirepass", "right")]);
    for protocol in ["2", "3"] {
        let client = client(server.addr(), &format!("protocol={protocol}"));
        let error = ends("the call", || client.incr("count")).expect_err("no password");
        assert_eq!(error.cause(), Cause::AuthRequired, "{protocol}: {error}");
        assert!(!error.may_have_run());
    }
}

#[test]
fn the_right_password_works_in_every_protocol_and_is_shown_nowhere() {
    let server = server_with(&[("requirepass", "right-secret")]);
    for protocol in ["2", "3", "auto"] {
        let client = client(
            server.addr(),
            &format!("password=right-secret&protocol={protocol}"),
        );
        client.ping().expect("an answer");
        assert!(!format!("{client:?} {:?}", client.stats()).contains("right-secret"));
    }
}

#[test]
fn a_password_that_is_changed_under_a_running_client_is_an_outage_until_it_is_changed_back() {
    let server = server_with(&[("requirepass", "old")]);
    let heard = Heard::default();
    let client = heard.client(server.addr(), "password=old&ride_out=50ms");
    client.ping().expect("an answer");
    server.config_set("requirepass", "new").expect("it is set");
    server.client_kill_all().expect("they are killed");
    until("a refusal", || {
        client
            .ping()
            .is_err_and(|error| error.cause() == Cause::AuthFailed)
    });
    until("an outage", || {
        heard.count(&["OutageStarted", "AuthFailed"]) == 1
    });
    server.config_set("requirepass", "old").expect("it is set");
    until("an answer", || client.ping().is_ok());
    assert_eq!(heard.count(&["Recovered"]), 1, "{}", heard.all());
}

#[test]
fn a_user_with_few_rights_is_served_within_them() {
    let server = server_with(&[("user", "app on >secret ~app:* -@all +get +set +incr")]);
    for protocol in ["2", "3"] {
        let login = format!("user=app&password=secret&protocol={protocol}");
        let client = client(server.addr(), &login);
        client.set("app:key", "value").expect("a right of its own");
        let value: String = client.get("app:key").expect("a right of its own");
        assert_eq!(value, "value");
        let error = client.get::<Value>("other").expect_err("not its key");
        assert_eq!(error.cause(), Cause::PermissionDenied, "{error}");
        assert!(!error.may_have_run(), "{error}");
        let error = client
            .call::<Value>(&Cmd::new("DEL").arg("app:key"))
            .expect_err("not its right");
        assert_eq!(
            (error.cause(), error.attempts()),
            (Cause::PermissionDenied, 1),
            "{error}"
        );
        assert_eq!(client.stats().state.name(), "up");
    }
}

#[test]
fn a_user_with_few_rights_recovers_from_an_outage() {
    let server = server_with(&[("user", "app on >secret ~* -@all +get +incr")]);
    let client = client(server.addr(), "user=app&password=secret&ride_out=50ms");
    assert_eq!(client.incr("count").expect("an answer"), 1);
    server.kill9().expect("it is killed");
    until("an outage", || {
        client.stats().state.name() == "down" || client.incr("count").is_ok()
    });
    server.start_again().expect("it starts");
    until("an answer", || client.incr("count").is_ok());
}

#[test]
fn a_database_that_does_not_exist_is_told_at_once() {
    let server = server();
    let client = Client::open(&format!("redis://{}/99", server.addr())).expect("a good URL");
    let before = number(&server, "stats", "total_connections_received");
    let error = ends("the call", || client.incr("count")).expect_err("there are 16");
    assert!(
        error.to_string().contains("DB index is out of range"),
        "{error}"
    );
    assert!(!error.may_have_run());
    for _ in 0..20 {
        client.incr("count").expect_err("there are 16");
    }
    let connections = number(&server, "stats", "total_connections_received") - before;
    assert_eq!(connections, 1);
}

#[test]
fn a_database_that_may_not_be_selected_is_told_at_once() {
    let server = server_with(&[("user", "app on >secret ~* +@all -select")]);
    let url = format!("redis://app:secret@{}/3", server.addr());
    let client = Client::open(&url).expect("a good URL");
    let error = ends("the call", || client.incr("count")).expect_err("no right to select");
    assert_eq!(error.cause(), Cause::PermissionDenied, "{error}");
    assert!(!error.may_have_run());
}

#[test]
fn the_database_and_the_name_are_those_of_the_url_on_every_connection() {
    let server = server();
    let url = format!("redis://{}/5?client_name=till:web-3", server.addr());
    let client = Client::open(&url).expect("a good URL");
    let mut leases: Vec<_> = (0..3)
        .map(|_| client.lease().expect("a connection"))
        .collect();
    for lease in &mut leases {
        lease.send(&Cmd::new("CLIENT INFO")).expect("it is sent");
        let told: String =
            seawall::FromReply::from_reply(lease.recv().expect("a reply")).expect("text");
        assert!(
            told.contains(" db=5 ") && told.contains(" name=till:web-3 "),
            "{told}"
        );
        let id = lease.client_id().expect("HELLO told");
        assert!(told.contains(&format!("id={id} ")), "{told}");
    }
}

#[test]
fn a_server_that_does_not_know_hello_is_spoken_to_in_the_older_protocol() {
    let server = server_with(&[
        ("rename-command", "HELLO \"\""),
        ("requirepass", "right-secret"),
    ]);
    let url = format!("redis://:right-secret@{}/2?client_name=here", server.addr());
    let client = Client::open(&url).expect("a good URL");
    let told: String = client.call(&Cmd::new("CLIENT INFO")).expect("an answer");
    assert!(
        told.contains(" db=2 ") && told.contains(" name=here "),
        "{told}"
    );
    let map: std::collections::HashMap<String, i64> = {
        client
            .call::<i64>(&Cmd::new("HSET").args(["hash", "one", "1"]))
            .expect("an answer");
        client
            .call(&Cmd::new("HGETALL").arg("hash"))
            .expect("an answer")
    };
    assert_eq!(map["one"], 1);
    assert!(client.stats().run_id.is_some());
    let wrong = client_of(&server, "auto", "wrong-secret");
    let error = ends("the call", || wrong.ping()).expect_err("a wrong password");
    assert_eq!(error.cause(), Cause::AuthFailed, "{error}");
}

fn client_of(server: &seawall_lab::world::Server, protocol: &str, password: &str) -> Client {
    client(
        server.addr(),
        &format!("protocol={protocol}&password={password}"),
    )
}

#[test]
fn a_server_that_quotes_the_greeting_back_shows_no_password_in_errors_and_events() {
    let renamed = [
        ("rename-command", "HELLO \"\""),
        ("requirepass", "right-secret"),
    ];
    let server = server_with(&renamed);
    // The laboratory itself needs AUTH, so that a server without it is played.
    let without_auth = Fake::start(|mut peer| {
        while let Some(words) = peer.request() {
            let arguments = words[1..].join("' '");
            let name = &words[0];
            peer.say(format!(
                "-ERR unknown command '{name}', with args beginning with: '{arguments}' \r\n"
            ));
        }
    });
    for (addr, protocol) in [(server.addr(), "3"), (without_auth.addr(), "2")] {
        let heard = Heard::default();
        let options = format!("password=right-secret&protocol={protocol}");
        let client = heard.client(addr, &options);
        let error = ends("the call", || client.ping()).expect_err("it knows no such command");
        let shown = format!("{error} {error:?} {}", heard.all());
        assert!(shown.contains("unknown command"), "{shown}");
        assert!(!shown.contains("right-secret"), "{shown}");
    }
}

#[test]
fn a_unix_socket_is_as_good_as_a_port() {
    let dir = std::env::temp_dir().join(format!("seawall-it-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let path = dir.join("redis.sock");
    let server = server_with(&[("unixsocket", &path.display().to_string())]);
    let client = Client::open(&format!("unix://{}", path.display())).expect("a good URL");
    let heard = client.within(std::time::Duration::from_secs(3));
    heard.set("key", vec![b'x'; 1 << 20]).expect("an answer");
    let value: Vec<u8> = heard.get("key").expect("an answer");
    assert_eq!(value.len(), 1 << 20);
    assert_eq!(
        client
            .call::<i64>(&Cmd::new("EXISTS").arg("key"))
            .expect("an answer"),
        1
    );
    server.freeze().expect("it stops");
    let hurried = client.within(std::time::Duration::from_millis(400));
    let error = ends("the write", || hurried.set("big", vec![b'x'; 8 << 20])).expect_err("frozen");
    assert!(!error.may_have_run(), "{error}");
    server.thaw().expect("it goes on");
    until("an answer", || client.ping().is_ok());
    assert_eq!(client.get::<Value>("big").expect("an answer"), Value::Null);
    server.kill9().expect("it is killed");
    let error = ends("the call", || client.ping()).expect_err("nobody is there");
    assert_eq!(error.cause(), Cause::ConnectionRefused, "{error}");
    drop(server);
    std::fs::remove_dir_all(&dir).expect("the directory goes");
}
