use seawall_model::settings::{TABLE, reference_markdown};

#[test]
fn the_reference_page_describes_every_setting() {
    let page = reference_markdown();
    for setting in TABLE {
        assert!(page.contains(&format!("\n## {}\n", setting.name)));
        assert!(page.contains(&format!("`{}`", setting.env)));
        for (alias, _) in setting.aliases {
            assert!(page.contains(&format!("`{alias}`")));
        }
    }
    assert!(page.ends_with('\n') && !page.ends_with("\n\n"));
    assert!(page.lines().all(|line| line.trim_end() == line));
}

#[test]
fn a_setting_reads_well_on_the_page() {
    let page = reference_markdown();
    let section = page
        .split("\n## ")
        .find(|section| section.starts_with("deadline\n"))
        .unwrap();
    insta::assert_snapshot!(section);
}
