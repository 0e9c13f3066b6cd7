//! Changes of settings of real servers, and taking them back.

use seawall_doctor::mend::record::{self, Cabinet, State};
use seawall_doctor::mend::{self, Change, Hand, Mended, Trouble, Unmended};
use seawall_lab::world::Server;

use super::{GUARD, now, server, target};

fn hand(server: &Server) -> Hand {
    Hand::reach(&target(server, ""), GUARD).expect("it answers")
}

fn change(setting: &str, to: &str) -> Change {
    Change::new(setting, to).expect("the doctor may change it")
}

fn changed(server: &Server, setting: &str, to: &str, cabinet: &Cabinet) -> String {
    match mend::apply(&mut hand(server), &change(setting, to), cabinet, now()) {
        Ok(Mended::Changed { id, .. }) => id,
        other => panic!("{setting}: {other:?}"),
    }
}

fn is(server: &Server, setting: &str) -> String {
    server
        .config_get(setting)
        .expect("it answers")
        .expect("it knows it")
}

#[test]
fn a_change_is_recorded_made_read_back_and_taken_back_once() {
    let server = server(&[("timeout", "300")]);
    let folder = tempfile::tempdir().expect("a folder");
    let cabinet = Cabinet::at(folder.path());
    let id = changed(&server, "timeout", "0", &cabinet);
    assert_eq!(is(&server, "timeout"), "0");
    let mut record = cabinet.find(&id).expect("it is there");
    assert_eq!((&*record.old, record.state), ("300", State::Applied));
    let again = mend::apply(&mut hand(&server), &change("timeout", "0"), &cabinet, now());
    assert!(matches!(again, Ok(Mended::AlreadySo)), "{again:?}");
    let back = mend::undo(&mut hand(&server), &mut record, &cabinet);
    assert_eq!(back.expect("it can be taken back"), "300");
    assert_eq!(is(&server, "timeout"), "300");
    let twice = mend::undo(&mut hand(&server), &mut record, &cabinet);
    assert!(matches!(twice, Err(Unmended::Undone(_))), "{twice:?}");
}

#[test]
fn the_limit_of_one_class_of_clients_leaves_those_of_others_alone() {
    let server = server(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let cabinet = Cabinet::at(folder.path());
    let before = is(&server, "client-output-buffer-limit");
    let setting = "client-output-buffer-limit";
    let id = changed(&server, setting, "pubsub 64mb 16mb 120", &cabinet);
    server
        .config_set(setting, "normal 100000000 0 0")
        .expect("somebody sets another class");
    let mut record = cabinet.find(&id).expect("it is there");
    mend::undo(&mut hand(&server), &mut record, &cabinet).expect("it can be taken back");
    let after = is(&server, setting);
    assert_eq!(
        after,
        before.replace("normal 0 0 0", "normal 100000000 0 0")
    );
}

#[test]
fn what_somebody_else_has_changed_since_is_left_alone() {
    let server = server(&[("timeout", "300")]);
    let folder = tempfile::tempdir().expect("a folder");
    let cabinet = Cabinet::at(folder.path());
    let id = changed(&server, "timeout", "0", &cabinet);
    server.config_set("timeout", "77").expect("it is set");
    let mut record = cabinet.find(&id).expect("it is there");
    let refused = mend::undo(&mut hand(&server), &mut record, &cabinet)
        .expect_err("it is somebody else's value");
    assert!(refused.to_string().contains("somebody else"), "{refused}");
    assert_eq!(is(&server, "timeout"), "77");
}

/// As a kill leaves it, after the change and before the record says so.
fn begun(server: &Server, cabinet: &Cabinet) -> record::Record {
    let id = changed(server, "timeout", "0", cabinet);
    let mut record = cabinet.find(&id).expect("it is there");
    record.state = State::Begun;
    record.set = None;
    cabinet.update(&record).expect("it is written");
    cabinet.find("last").expect("it is there")
}

#[test]
fn a_kill_between_record_and_change_or_after_it_can_be_taken_back() {
    let server = server(&[("timeout", "300")]);
    let folder = tempfile::tempdir().expect("a folder");
    let cabinet = Cabinet::at(folder.path());
    let mut record = begun(&server, &cabinet);
    let back = mend::undo(&mut hand(&server), &mut record, &cabinet).expect("it was changed");
    assert_eq!((&*back, &*is(&server, "timeout")), ("300", "300"));

    let mut record = begun(&server, &cabinet);
    server
        .config_set("timeout", "300")
        .expect("it is as it was");
    let back = mend::undo(&mut hand(&server), &mut record, &cabinet).expect("it was not changed");
    assert_eq!((&*back, record.state), ("300", State::Undone));
}

#[test]
fn without_a_record_nothing_is_changed() {
    let server = server(&[("timeout", "300")]);
    let file = tempfile::NamedTempFile::new().expect("a file");
    let cabinet = Cabinet::at(&file.path().join("no directory can be made below a file"));
    let refused = mend::apply(&mut hand(&server), &change("timeout", "0"), &cabinet, now())
        .expect_err("there is no place for the record");
    assert!(matches!(refused, Unmended::Record(_)), "{refused}");
    assert_eq!(is(&server, "timeout"), "300");
}

#[test]
fn what_would_do_harm_and_what_the_server_refuses_is_not_changed() {
    let server = server(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let cabinet = Cabinet::at(folder.path());
    let small = change("maxmemory", "1000");
    let harm = mend::apply(&mut hand(&server), &small, &cabinet, now());
    assert!(matches!(harm, Err(Unmended::Harm(_))), "{harm:?}");
    let wrong = change("hz", "many");
    let refused = mend::apply(&mut hand(&server), &wrong, &cabinet, now());
    let Err(Unmended::Server(Trouble::Refused { .. })) = refused else {
        panic!("{refused:?}");
    };
    let last = cabinet.find("last");
    assert!(matches!(last, Err(record::Trouble::Empty(_))), "{last:?}");
}

#[test]
fn a_renamed_config_and_one_that_the_acl_refuses_are_clear_lines() {
    let renamed = server(&[("rename-command", "CONFIG \"\"")]);
    let forbidden = server(&[("user", "default on nopass ~* +@all -config|set")]);
    for (server, word) in [(renamed, "ERR"), (forbidden, "NOPERM")] {
        let folder = tempfile::tempdir().expect("a folder");
        let cabinet = Cabinet::at(folder.path());
        let refused = mend::apply(&mut hand(&server), &change("timeout", "5"), &cabinet, now())
            .expect_err("it is refused");
        let text = refused.to_string();
        assert!(
            text.contains("refuses CONFIG") && text.contains(word),
            "{text}"
        );
        assert!(matches!(
            cabinet.find("last"),
            Err(record::Trouble::Empty(_))
        ));
    }
}

#[test]
fn another_server_at_another_address_is_not_changed_back() {
    let one = server(&[("timeout", "300")]);
    let other = server(&[("timeout", "0")]);
    let folder = tempfile::tempdir().expect("a folder");
    let cabinet = Cabinet::at(folder.path());
    let id = changed(&one, "timeout", "0", &cabinet);
    let mut record = cabinet.find(&id).expect("it is there");
    let refused =
        mend::undo(&mut hand(&other), &mut record, &cabinet).expect_err("it is another server");
    assert!(matches!(refused, Unmended::Another(..)), "{refused}");
    assert_eq!(is(&other, "timeout"), "0");
}
