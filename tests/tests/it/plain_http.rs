//! The server as a program sees it that has no client library: HTTP over a plain socket.

use serde_json::Value;

use crate::server::Server;

#[test]
fn server_answers_without_any_client_library() {
    let server = Server::start(&[]);

    let health = server.get("/health").expect("health answers");
    assert_eq!(health.status, 200);

    let request =
        r#"{"messages": [{"role": "user", "content": "Tell me a story about a dog."}], "max_tokens": 24}"#;
    let reply = server.post("/v1/chat/completions", request).expect("chat answers");
    assert_eq!(reply.status, 200, "{}", reply.body);
    let reply: Value = serde_json::from_str(&reply.body).expect("the reply is JSON");
    let text = reply["choices"][0]["message"]["content"].as_str().expect("the answer is text");
    assert!(!text.trim().is_empty());

    let stream = r#"{"prompt": "Once upon a time", "max_tokens": 8, "stream": true}"#;
    let stream = server.post("/v1/completions", stream).expect("completions stream");
    assert_eq!(stream.status, 200, "{}", stream.body);
    assert!(stream.body.contains("data: {"), "{}", stream.body);
    assert!(stream.body.contains("data: [DONE]"), "{}", stream.body);

    let refused = server.post("/v1/chat/completions", "{not JSON").expect("a refusal is an answer");
    assert_eq!(refused.status, 400);
    let refused: Value = serde_json::from_str(&refused.body).expect("the refusal is JSON");
    assert_eq!(refused["error"]["type"], "invalid_request_error");
}
