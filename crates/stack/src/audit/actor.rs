//! Who acts: the user whose process this is.

use std::fs;

use stack_audit::Actor;

/// Names the user as the system's list of users does, else by number. What the environment says is not believed.
pub(crate) fn current() -> Actor {
    let user = rustix::process::getuid().as_raw();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_in(&users, user)
        .and_then(|name| Actor::new(format!("user:{name}")).ok())
        .unwrap_or_else(|| Actor::new(format!("user:{user}")).expect("a number is a short word"))
}

fn name_in(users: &str, user: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(user) && !name.is_empty()).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names_where_the_system_lists_them() {
        let users = "root:x:0:0::/root:/bin/sh\nbroken\nalice:x:1000:1000::/:/bin/sh\n";
        assert_eq!((name_in(users, 1000), name_in(users, 0)), (Some("alice"), Some("root")));
        assert_eq!(name_in(users, 7), None);
        assert!(current().as_str().starts_with("user:"));
    }
}
