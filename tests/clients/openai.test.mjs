// The official client for JavaScript, in Node, on a real chat model.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import OpenAI from "openai";

import { serve } from "./server.mjs";

const HELLO = [{ role: "user", content: "Name the capital of France." }];
const WEATHER = {
    name: "weather",
    description: "Says what the weather is.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false },
};

let server;
let client;

before(async () => {
    server = await serve();
    client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "unused", maxRetries: 0 });
});
after(() => server.stop());

/** Asks for a few tokens, greedily. */
function ask(options = {}) {
    const usual = { model: server.model, messages: HELLO, max_tokens: 12, temperature: 0 };
    return client.chat.completions.create({ ...usual, ...options });
}

function refused(asked, param) {
    return assert.rejects(asked, (error) => error instanceof OpenAI.BadRequestError && error.param === param);
}

test("models are listed, and what helps is said of others", async () => {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert.deepEqual(names, [server.model]);
    assert.equal((await client.models.retrieve(server.model)).id, server.model);
    await assert.rejects(ask({ model: "gpt-4o" }), (error) => {
        assert(error instanceof OpenAI.NotFoundError);
        for (const part of ["gpt-4o", server.model, "--alias", "--any-model"]) assert(error.message.includes(part));
        return true;
    });
});

test("a stream is the same answer in pieces", async () => {
    const whole = await ask();
    assert.match(whole.choices[0].message.content, /Paris/);
    assert.ok(whole._request_id);
    const stream = await ask({ stream: true, stream_options: { include_usage: true } });
    let text = "";
    let usage;
    for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? "";
        usage = chunk.usage ?? usage;
    }
    assert.equal(text, whole.choices[0].message.content);
    assert.deepEqual(usage.completion_tokens, whole.usage.completion_tokens);
});

test("the stream helper collects the answer", async () => {
    const stream = client.chat.completions.stream({ model: server.model, messages: HELLO, max_tokens: 8, temperature: 0 });
    assert.ok((await stream.finalChatCompletion()).choices[0].message.content);
});

test("a stream that is left ends", async () => {
    const stream = await ask({ stream: true, max_tokens: 500 });
    for await (const _ of stream) break;
    assert.ok(stream.controller.signal.aborted);
});

test("seed and stop decide", async () => {
    const drawn = { temperature: 1, seed: 7 };
    const [one, again] = [await ask(drawn), await ask(drawn)];
    assert.equal(one.choices[0].message.content, again.choices[0].message.content);
    const stopped = await ask({ stop: ["Paris"] });
    assert.equal(stopped.choices[0].finish_reason, "stop");
    assert.doesNotMatch(stopped.choices[0].message.content, /Paris/);
    assert.equal((await ask({ max_tokens: -1, stop: ["."] })).choices[0].finish_reason, "stop");
});

for (const strict of [false, true]) {
    for (const parallel of [false, true]) {
        test(`tools are answered as text and listed: strict ${strict}, parallel ${parallel}`, async () => {
            const tools = [{ type: "function", function: { ...WEATHER, strict } }];
            const asked = ask({ tools, tool_choice: "auto", parallel_tool_calls: parallel });
            const { data, response } = await asked.withResponse();
            assert.ok(data.choices[0].message.content);
            assert.ok(response.headers.get("x-stack-ignored").split(", ").includes("tools"));
        });
    }
}

test("what cannot be promised is refused by name", async () => {
    const tools = [{ type: "function", function: WEATHER }];
    await refused(ask({ tools, tool_choice: "required" }), "tool_choice");
    await refused(ask({ response_format: { type: "json_object" } }), "response_format");
    const schema = { name: "capital", strict: true, schema: WEATHER.parameters };
    await refused(ask({ response_format: { type: "json_schema", json_schema: schema } }), "response_format");
});

test("no content beside a tool call is no text", async () => {
    const tokens = async (content) => {
        const call = { id: "c1", type: "function", function: { name: "weather", arguments: '{"city": "Paris"}' } };
        const messages = [
            ...HELLO,
            { role: "assistant", content, tool_calls: [call] },
            { role: "tool", tool_call_id: "c1", content: "sunny" },
        ];
        return (await ask({ messages, max_tokens: 1 })).usage.prompt_tokens;
    };
    assert.equal(await tokens(null), await tokens(""));
});

test("a developer is heard", async () => {
    const answer = async (role) => {
        const messages = [{ role, content: "Answer every question in French." }, ...HELLO];
        return (await ask({ messages, max_tokens: 24 })).choices[0].message.content;
    };
    assert.equal(await answer("developer"), await answer("system"));
});

test("embeddings", async () => {
    const { data } = await client.embeddings.create({ model: server.model, input: ["a dog", "a cat"] });
    assert.equal(data.length, 2);
    assert.ok(Math.abs(Math.hypot(...data[0].embedding) - 1) < 1e-3);
});
