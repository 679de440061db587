//! The arguments of a call to the Web API, as they arrive: JSON, a form, or a query.
//!
//! Owns how they are read and what cannot be, in the words that every method's reference on
//! docs.slack.dev has for it. Pure; must not know any method.

use serde_json::{Map, Value, json};

use crate::wire::Request;

/// "Very long names" are refused; how long is not said.
const LONGEST_NAME: usize = 255;

/// The arguments of a call, or Slack's word for why they cannot be read.
pub(super) fn read(request: &Request) -> Result<Value, &'static str> {
    let mut arguments = match request.method.as_str() {
        "POST" => posted(request)?,
        _ => Map::new(),
    };
    for (name, value) in form_urlencoded::parse(request.query.as_bytes()) {
        // A token in an address stands in every log on the way; new apps cannot send one there:
        // docs.slack.dev, changelog of 2020-11.
        if name != "token" {
            arguments.entry(name.into_owned()).or_insert_with(|| json!(value));
        }
    }
    for name in arguments.keys() {
        if name.contains('[') {
            return Err("invalid_array_arg");
        }
        let usual = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(usual) {
            return Err("invalid_arg_name");
        }
    }
    // Structures may come as text which holds JSON, in forms always.
    for name in ["blocks", "attachments", "view", "metadata", "files"] {
        let decoded = arguments
            .get(name)
            .and_then(Value::as_str)
            .and_then(|text| serde_json::from_str::<Value>(text).ok());
        if let Some(decoded) = decoded {
            arguments.insert(name.to_owned(), decoded);
        }
    }
    Ok(Value::Object(arguments))
}

fn posted(request: &Request) -> Result<Map<String, Value>, &'static str> {
    let content_type = request.header("content-type").to_ascii_lowercase();
    let mut parts = content_type.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let charset = parts.find_map(|part| part.strip_prefix("charset="));
    if charset.is_some_and(|charset| !matches!(charset.trim_matches('"'), "utf-8" | "iso-8859-1")) {
        return Err("invalid_charset");
    }
    match media {
        "" if request.body.is_empty() => Ok(Map::new()),
        "" => Err("missing_post_type"),
        "application/json" => match request.json() {
            None => Err("invalid_json"),
            Some(Value::Null) => Ok(Map::new()),
            // A token comes in the header where the body is JSON.
            Some(Value::Object(mut body)) => {
                body.remove("token");
                Ok(body)
            }
            Some(_) => Err("json_not_object"),
        },
        "application/x-www-form-urlencoded" => {
            let fields = form_urlencoded::parse(&request.body);
            Ok(fields.map(|(name, value)| (name.into_owned(), json!(value))).collect())
        }
        // Files come so, and nothing that this stand-in has a method for.
        "multipart/form-data" | "text/plain" => Ok(Map::new()),
        _ => Err("invalid_post_type"),
    }
}

#[cfg(test)]
mod tests {
    use hyper::body::Bytes;
    use hyper::header::{CONTENT_TYPE, HeaderValue};
    use hyper::{HeaderMap, Method};

    use super::*;

    fn call(content_type: &'static str, body: &'static str, query: &str) -> Result<Value, &'static str> {
        let mut headers = HeaderMap::new();
        if !content_type.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        read(&Request {
            method: Method::POST,
            path: "/api/users.info".to_owned(),
            query: query.to_owned(),
            headers,
            body: Bytes::from(body),
        })
    }

    const FORM: &str = "application/x-www-form-urlencoded";
    const JSON: &str = "application/json";

    #[test]
    fn a_body_is_read_as_its_type_says() {
        let user = json!({ "user": "U1" });
        for content_type in [JSON, "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""] {
            assert_eq!(call(content_type, r#"{"user":"U1"}"#, ""), Ok(user.clone()), "{content_type}");
        }
        assert_eq!(call(FORM, "user=U1", ""), Ok(user.clone()));
        assert_eq!(call("", "", "user=U1"), Ok(user));
        assert_eq!(call("text/plain", r#"{"user":"U1"}"#, ""), Ok(json!({})));
        let view = json!({ "view": { "type": "modal" } });
        assert_eq!(call(FORM, "view=%7B%22type%22%3A%22modal%22%7D", ""), Ok(view));
    }

    #[test]
    fn what_cannot_be_read_has_a_word() {
        for (content_type, body, error) in [
            ("", r#"{"user":"U1"}"#, "missing_post_type"),
            ("application/xml", "<user/>", "invalid_post_type"),
            ("application/json; charset=utf-16", "{}", "invalid_charset"),
            (JSON, "user=U1", "invalid_json"),
            (JSON, "[]", "json_not_object"),
            (FORM, "user[0]=U1", "invalid_array_arg"),
            (FORM, "us-er=U1", "invalid_arg_name"),
        ] {
            assert_eq!(call(content_type, body, ""), Err(error), "{content_type} {body}");
        }
    }

    #[test]
    fn a_token_comes_in_the_header_or_in_a_form() {
        assert_eq!(call(FORM, "token=x", ""), Ok(json!({ "token": "x" })));
        assert_eq!(call(JSON, r#"{"token":"x"}"#, ""), Ok(json!({})));
        assert_eq!(call("", "", "token=x"), Ok(json!({})));
    }
}
