//! RFC 3986 §5: what a client does with a `Location`.

/// The five parts of a URL reference, split as in RFC 3986 appendix B.
struct Parts<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let (text, fragment) = split_off(text, '#');
        let (text, query) = split_off(text, '?');
        let (scheme, text) = match text.split_once(':') {
            Some((scheme, rest)) if !scheme.contains('/') => (Some(scheme), rest),
            _ => (None, text),
        };
        let (authority, path) = match text.strip_prefix("//") {
            Some(rest) => {
                let end = rest.find('/').unwrap_or(rest.len());
                (Some(&rest[..end]), &rest[end..])
            }
            None => (None, text),
        };
        Self { scheme, authority, path, query, fragment }
    }
}

fn split_off(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// Resolves a URL reference against the absolute URL of the request, by the algorithm of RFC 3986 §5.2.
pub fn resolve(base: &str, reference: &str) -> String {
    let base = Parts::of(base);
    let r = Parts::of(reference);
    let (scheme, authority, path, query);
    if r.scheme.is_some() {
        (scheme, authority, path, query) = (r.scheme, r.authority, without_dots(r.path), r.query);
    } else if r.authority.is_some() {
        (scheme, authority, path, query) = (base.scheme, r.authority, without_dots(r.path), r.query);
    } else if r.path.is_empty() {
        (scheme, authority, path, query) =
            (base.scheme, base.authority, base.path.to_owned(), r.query.or(base.query));
    } else if r.path.starts_with('/') {
        (scheme, authority, path, query) = (base.scheme, base.authority, without_dots(r.path), r.query);
    } else {
        let merged = match base.path.rfind('/') {
            Some(end) => format!("{}{}", &base.path[..=end], r.path),
            None => format!("/{}", r.path),
        };
        (scheme, authority, path, query) = (base.scheme, base.authority, without_dots(&merged), r.query);
    }
    let mut url = String::new();
    if let Some(scheme) = scheme {
        url += &format!("{scheme}:");
    }
    if let Some(authority) = authority {
        url += &format!("//{authority}");
    }
    url += &path;
    if let Some(query) = query {
        url += &format!("?{query}");
    }
    if let Some(fragment) = r.fragment {
        url += &format!("#{fragment}");
    }
    url
}

/// §5.2.4: `.` and `..` leave the path.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.split('/').collect();
    for (at, segment) in segments.iter().enumerate() {
        let last = at + 1 == segments.len();
        match *segment {
            "." | ".." => {
                if *segment == ".." && kept.len() > 1 {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    kept.join("/")
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn references_resolve_as_in_the_examples_of_rfc_3986() {
        let base = "http://a/b/c/d;p?q";
        for (reference, url) in [
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q#s"),
            ("g?y#s", "http://a/b/c/g?y#s"),
            (";x", "http://a/b/c/;x"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            ("./../g", "http://a/b/g"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
        ] {
            assert_eq!(resolve(base, reference), url, "{reference:?}");
        }
    }

    #[test]
    fn a_location_keeps_or_loses_the_stage_as_the_rfc_says() {
        let base = "http://host/_aws/execute-api/id/stage/bookings";
        assert_eq!(resolve(base, "bookings/1"), "http://host/_aws/execute-api/id/stage/bookings/1");
        assert_eq!(resolve(base, "/bookings/1"), "http://host/bookings/1");
    }
}
