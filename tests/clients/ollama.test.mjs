// Ollama's client for JavaScript, in Node, on a real chat model.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Ollama } from "ollama";

import { CITY, CLOCK, ENDLESS, HELLO, QUESTION, WEATHER, assertCity } from "./asking.mjs";
import { serve } from "./server.mjs";

const TOOLS = [WEATHER, CLOCK].map((tool) => ({ type: "function", function: tool }));
const GREEDY = { temperature: 0, num_predict: 12 };

let server;
let client;

before(async () => {
    server = await serve();
    client = new Ollama({ host: server.url });
});
after(() => server.stop());

/** Asks for a few tokens, greedily. */
function ask(options = {}) {
    return client.chat({ model: server.model, messages: HELLO, options: GREEDY, ...options });
}

async function collect(stream, text) {
    const pieces = [];
    for await (const piece of stream) pieces.push(text(piece));
    return pieces;
}

test("models are listed", async () => {
    assert.deepEqual((await client.list()).models.map((model) => model.model), [server.model]);
    assert.deepEqual((await client.ps()).models.map((model) => model.model), [server.model]);
    assert.ok((await client.show({ model: server.model })).capabilities.includes("completion"));
    await assert.rejects(client.show({ model: "llama3" }), (error) => error.status_code === 404 && /llama3/.test(error.message));
});

test("a stream is the same answer in pieces", async () => {
    const whole = await ask();
    assert.match(whole.message.content, /Paris/);
    const pieces = await collect(await ask({ stream: true }), (piece) => piece.message.content);
    assert.ok(pieces.length > 2);
    assert.equal(pieces.join(""), whole.message.content);
});

test("a prompt is continued", async () => {
    const asked = { model: server.model, prompt: QUESTION, options: GREEDY };
    const { response } = await client.generate(asked);
    assert.match(response, /Paris/);
    const pieces = await collect(await client.generate({ ...asked, stream: true }), (piece) => piece.response);
    assert.equal(pieces.join(""), response);
});

test("limit and stop decide", async () => {
    assert.equal((await ask({ options: { ...GREEDY, num_predict: 2 } })).done_reason, "length");
    assert.doesNotMatch((await ask({ options: { ...GREEDY, stop: ["Paris"] } })).message.content, /Paris/);
});

test("tools are offered, and results read", async () => {
    const { message } = await ask({ tools: TOOLS });
    assert.ok(message.content || message.tool_calls);
    const call = { function: { name: "weather", arguments: { city: "Paris" } } };
    const messages = [
        ...HELLO,
        { role: "assistant", content: "", tool_calls: [call] },
        { role: "tool", tool_name: "weather", content: "sunny" },
    ];
    assert.ok((await ask({ messages, tools: TOOLS })).message);
});

test("an answer follows its schema", async () => {
    const { message } = await ask({ format: CITY, options: { ...GREEDY, num_predict: 64 } });
    assertCity(JSON.parse(message.content));
});

for (const think of [true, false, "high"]) {
    test(`a model without thinking does not mind: ${think}`, async () => {
        const { message } = await ask({ think });
        assert.ok(message.content && !message.thinking);
    });
}

test("errors are typed", async () => {
    const refused = (asked, status, text) =>
        assert.rejects(asked, (error) => error.status_code === status && text.test(error.message));
    await refused(ask({ model: "llama3" }), 404, /llama3/);
    await refused(ask({ options: { temperature: -1 } }), 400, /temperature/);
    await refused(ask({ messages: [{ role: "user", content: "walrus ".repeat(9000) }], stream: true }), 400, /context/);
    await refused(client.pull({ model: "llama3" }), 404, /route/);
});

test("vectors", async () => {
    const { embeddings } = await client.embed({ model: server.model, input: ["a dog", "a cat"] });
    assert.equal(embeddings.length, 2);
    assert.ok(Math.abs(Math.hypot(...embeddings[0]) - 1) < 1e-3);
});

test("a stream that is left ends", async () => {
    const stream = await ask({ format: ENDLESS, options: { num_predict: 8000 }, stream: true });
    for await (const _ of stream) break;
    stream.abort();
    await server.rests();
});
