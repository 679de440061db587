//! The destinations that a key can see, as a numbered list, and what is typed to choose one. Pure.
//!
//! Owns how a list reads and how a choice is read. Names need not be unique; ids are.

use crate::fivetran::model::Group;

/// Most that are listed at once; with more, a part of a name narrows them down.
const SHOWN: usize = 20;

/// What was typed before a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice<'a> {
    /// This one.
    One(&'a Group),
    /// Several have this in their names.
    Some(Vec<&'a Group>),
    /// None has.
    None,
}

/// The list, sorted by name.
pub(super) fn listed(groups: &[&Group]) -> String {
    let width = groups.len().min(SHOWN).to_string().len();
    let lines = groups.iter().take(SHOWN).zip(1..);
    let mut text: Vec<_> =
        lines.map(|(Group { id, name }, number)| format!("  {number:>width$}  {name} ({id})")).collect();
    if groups.len() > SHOWN {
        text.push(format!("  and {} more; type a part of a name to find one", groups.len() - SHOWN));
    }
    text.join("\n")
}

/// Reads a choice: a number of the list, an id, or a part of a name. Nothing is the only one there is.
pub(super) fn choice<'a>(groups: &[&'a Group], typed: &str) -> Choice<'a> {
    if let [only] = groups
        && typed.is_empty()
    {
        return Choice::One(only);
    }
    if let Some(group) = groups.iter().find(|group| group.id == typed) {
        return Choice::One(group);
    }
    let numbered = typed.parse::<usize>().ok().filter(|number| (1..=SHOWN).contains(number));
    if let Some(group) = numbered.and_then(|number| groups.get(number - 1)) {
        return Choice::One(group);
    }
    let typed = typed.to_lowercase();
    let mut found: Vec<_> =
        groups.iter().copied().filter(|group| group.name.to_lowercase().contains(&typed)).collect();
    let whole: Vec<_> = found.iter().copied().filter(|group| group.name.to_lowercase() == typed).collect();
    if whole.len() == 1 {
        found = whole;
    }
    match found.as_slice() {
        [] => Choice::None,
        _ if typed.is_empty() => Choice::None,
        [only] => Choice::One(only),
        _ => Choice::Some(found),
    }
}

/// A name that people can type after “to”: small letters, digits and dashes.
pub(super) fn short_name(group: &Group) -> String {
    let mut name = String::new();
    for c in group.name.to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' | '_' => name.push(c),
            _ if !name.is_empty() && !name.ends_with('-') => name.push('-'),
            _ => {}
        }
    }
    let name: String = name.chars().take(LONGEST).collect();
    let name = name.trim_end_matches('-');
    if name.is_empty() { group.id.to_lowercase() } else { name.to_owned() }
}

/// Longest name that is made, well below what the file `CONFIG` takes.
const LONGEST: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(named: &[(&str, &str)]) -> Vec<Group> {
        named.iter().map(|(id, name)| Group { id: (*id).to_owned(), name: (*name).to_owned() }).collect()
    }

    #[test]
    fn one_is_chosen_by_number_id_or_name_and_two_of_a_name_are_told_apart() {
        let all =
            groups(&[("a_b", "Warehouse"), ("c_d", "Warehouse"), ("e_f", "Warehouse EU"), ("g_h", "2")]);
        let all: Vec<_> = all.iter().collect();
        assert_eq!(
            listed(&all),
            "  1  Warehouse (a_b)\n  2  Warehouse (c_d)\n  3  Warehouse EU (e_f)\n  4  2 (g_h)"
        );
        let ids = |typed: &str| match choice(&all, typed) {
            Choice::One(group) => vec![group.id.as_str()],
            Choice::Some(groups) => groups.iter().map(|group| group.id.as_str()).collect(),
            Choice::None => Vec::new(),
        };
        for (typed, chosen) in [
            ("1", &["a_b"][..]),
            ("2", &["c_d"]),
            ("4", &["g_h"]),
            ("c_d", &["c_d"]),
            ("warehouse eu", &["e_f"]),
            ("EU", &["e_f"]),
            ("Warehouse", &["a_b", "c_d", "e_f"]),
            ("5", &[]),
            ("0", &[]),
            ("lake", &[]),
            ("", &[]),
        ] {
            assert_eq!(ids(typed), chosen, "{typed}");
        }
        assert_eq!(choice(&all[..1], ""), Choice::One(all[0]));
    }

    #[test]
    fn a_long_list_is_cut_and_what_is_cut_can_still_be_found() {
        let all: Vec<_> =
            (0..1000).map(|n| Group { id: format!("group_{n}"), name: format!("Customer {n:03}") }).collect();
        let all: Vec<_> = all.iter().collect();
        let text = listed(&all);
        assert_eq!(text.lines().count(), SHOWN + 1);
        assert!(text.ends_with("  and 980 more; type a part of a name to find one"), "{text}");
        assert_eq!(choice(&all, "customer 777"), Choice::One(all[777]));
        assert_eq!(choice(&all, "group_42"), Choice::One(all[42]));
        // A number beyond the list is a part of a name.
        assert_eq!(choice(&all, "999"), Choice::One(all[999]));
    }

    #[test]
    fn a_short_name_can_be_typed() {
        for (name, short) in [
            ("Sandbox Warehouse", "sandbox-warehouse"),
            ("  EU -- (prod)!", "eu-prod"),
            ("Übersee", "bersee"),
            ("倉庫", "a_b"),
            ("", "a_b"),
            ("A very long name of a destination, really", "a-very-long-name-of-a-destinat"),
        ] {
            let group = Group { id: "A_b".to_owned(), name: name.to_owned() };
            assert_eq!(short_name(&group), short, "{name}");
        }
    }
}
