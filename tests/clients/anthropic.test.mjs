// Anthropic's client for JavaScript, in Node, on a real chat model.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import Anthropic from "@anthropic-ai/sdk";

import { CITY, CLOCK, ENDLESS, HELLO, WEATHER, assertCity } from "./asking.mjs";
import { serve } from "./server.mjs";

const TOOLS = [WEATHER, CLOCK].map(({ parameters, ...tool }) => ({ ...tool, input_schema: parameters }));

let server;
let client;

before(async () => {
    server = await serve();
    client = new Anthropic({ baseURL: server.url, apiKey: "unused", maxRetries: 0 });
});
after(() => server.stop());

/** A request for a few tokens. */
function few(options = {}) {
    return { model: server.model, messages: HELLO, max_tokens: 12, temperature: 0, ...options };
}

function textOf(message) {
    return message.content.map((block) => block.text ?? "").join("");
}

test("models are listed", async () => {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert.deepEqual(names, [server.model]);
    assert.equal((await client.models.retrieve(server.model)).lifecycle, "active");
});

test("a stream is the same answer in pieces", async () => {
    const whole = await client.messages.create(few());
    assert.match(textOf(whole), /Paris/);
    assert.equal(whole.stop_reason, "end_turn");
    assert.ok(whole._request_id);
    const pieces = [];
    const stream = client.messages.stream(few()).on("text", (piece) => pieces.push(piece));
    const message = await stream.finalMessage();
    assert.ok(pieces.length > 2);
    assert.equal(pieces.join(""), textOf(whole));
    assert.deepEqual(message.content, whole.content);
    assert.equal(message.usage.output_tokens, whole.usage.output_tokens);
});

test("limit and stop are named", async () => {
    assert.equal((await client.messages.create(few({ max_tokens: 2 }))).stop_reason, "max_tokens");
    const stopped = await client.messages.create(few({ stop_sequences: ["Paris"] }));
    assert.deepEqual([stopped.stop_reason, stopped.stop_sequence], ["stop_sequence", "Paris"]);
});

for (const choice of [{ type: "any" }, { type: "tool", name: "clock" }]) {
    test(`a call that must happen happens: ${choice.type}`, async () => {
        const tool_choice = { ...choice, disable_parallel_tool_use: true };
        const asked = few({ tools: TOOLS, tool_choice, max_tokens: 160 });
        const whole = await client.messages.create(asked);
        const streamed = await client.messages.stream(asked).finalMessage();
        for (const message of [whole, streamed]) {
            assert.equal(message.stop_reason, "tool_use");
            const [call] = message.content;
            assert.equal(message.content.length, 1);
            assertCity(call.input);
            assert.equal(call.name, choice.name ?? call.name);
        }
        assert.deepEqual(streamed.content[0].input, whole.content[0].input);
    });
}

test("results are read", async () => {
    const messages = [
        ...HELLO,
        { role: "assistant", content: [{ type: "tool_use", id: "t1", name: "weather", input: { city: "Paris" } }] },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "t1", content: "sunny" }] },
    ];
    assert.ok((await client.messages.create(few({ messages, tools: TOOLS }))).content.length);
});

test("an answer follows its schema", async () => {
    const output_config = { format: { type: "json_schema", schema: CITY } };
    assertCity(JSON.parse(textOf(await client.messages.create(few({ output_config, max_tokens: 64 })))));
});

for (const thinking of [{ type: "adaptive" }, { type: "disabled" }, { type: "enabled", budget_tokens: 1024 }]) {
    test(`a model without thinking does not mind: ${thinking.type}`, async () => {
        const message = await client.messages.create(few({ thinking, max_tokens: 2048, stop_sequences: ["."] }));
        assert.deepEqual(new Set(message.content.map((block) => block.type)), new Set(["text"]));
    });
}

test("thinking comes as blocks", async () => {
    const thinker = await serve("--template", new URL("thinking.jinja", import.meta.url).pathname);
    try {
        const client = new Anthropic({ baseURL: thinker.url, apiKey: "unused", maxRetries: 0 });
        const thoughts = [];
        const stream = client.messages.stream(few()).on("thinking", (piece) => thoughts.push(piece));
        const message = await stream.finalMessage();
        assert.deepEqual(message.content.map((block) => block.type), ["thinking"]);
        assert.equal(thoughts.join(""), message.content[0].thinking);
    } finally {
        await thinker.stop();
    }
});

test("tokens are counted", async () => {
    const { input_tokens } = await client.messages.countTokens({ model: server.model, messages: HELLO });
    const { usage } = await client.messages.create(few({ max_tokens: 1 }));
    assert.equal(input_tokens, usage.input_tokens + usage.cache_read_input_tokens);
});

test("errors are typed", async () => {
    await assert.rejects(client.messages.create(few({ max_tokens: 0 })), (error) => {
        assert(error instanceof Anthropic.BadRequestError);
        assert.equal(error.error.error.type, "invalid_request_error");
        return error.requestID === error.error.request_id;
    });
    await assert.rejects(client.messages.create(few({ model: "claude-sonnet-4-5" })), Anthropic.NotFoundError);
    const long = [{ role: "user", content: "walrus ".repeat(9000) }];
    await assert.rejects(client.messages.create(few({ messages: long })), /prompt is too long/);
});

test("a stream that is left ends", async () => {
    const output_config = { format: { type: "json_schema", schema: ENDLESS } };
    const stream = await client.messages.create(few({ output_config, max_tokens: 8000, stream: true }));
    for await (const event of stream) if (event.type === "content_block_delta") break;
    await server.rests();
});

test("both headers are taken", async () => {
    for (const key of [{ apiKey: "k" }, { apiKey: null, authToken: "k" }]) {
        const client = new Anthropic({ baseURL: server.url, maxRetries: 0, ...key });
        assert.ok((await client.messages.create(few({ max_tokens: 1 }))).content.length);
    }
});
