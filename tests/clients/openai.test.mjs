// The official client for JavaScript, in Node, on a real chat model.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import OpenAI from "openai";

import { CITY, CLOCK, ENDLESS, HELLO, QUESTION, WEATHER, assertCity } from "./asking.mjs";
import { serve } from "./server.mjs";

const TOOLS = [WEATHER, CLOCK].map((tool) => ({ type: "function", function: tool }));

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
    return assert.rejects(asked, (error) => error instanceof OpenAI.BadRequestError && error.param.startsWith(param));
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
    const json_schema = { name: "all", schema: ENDLESS };
    const stream = await ask({ response_format: { type: "json_schema", json_schema }, max_tokens: 8000, stream: true });
    for await (const _ of stream) break;
    assert.ok(stream.controller.signal.aborted);
    await server.rests();
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
        test(`tools that the template does not show are listed: strict ${strict}, parallel ${parallel}`, async () => {
            const tools = [{ type: "function", function: { ...WEATHER, strict } }];
            const asked = ask({ tools, tool_choice: "auto", parallel_tool_calls: parallel });
            const { data, response } = await asked.withResponse();
            assert.ok(data.choices[0].message.content);
            assert.ok(response.headers.get("x-stack-ignored").split(", ").includes("tools"));
        });
    }
}

for (const tool_choice of ["required", { type: "function", function: { name: "clock" } }]) {
    test(`a call that must happen happens: ${tool_choice.type ?? tool_choice}`, async () => {
        const asked = { tools: TOOLS, tool_choice, parallel_tool_calls: false, max_tokens: 160 };
        const [whole] = (await ask(asked)).choices;
        const options = { model: server.model, messages: HELLO, temperature: 0, ...asked };
        const [streamed] = (await client.chat.completions.stream(options).finalChatCompletion()).choices;
        for (const { message, finish_reason } of [whole, streamed]) {
            assert.equal(finish_reason, "tool_calls");
            const [call] = message.tool_calls;
            assertCity(JSON.parse(call.function.arguments));
            assert.equal(call.function.name, tool_choice.function?.name ?? call.function.name);
        }
        assert.equal(streamed.message.tool_calls[0].function.arguments, whole.message.tool_calls[0].function.arguments);
    });
}

test("an answer follows its schema", async () => {
    const json_schema = { name: "city", strict: true, schema: CITY };
    const answer = await ask({ response_format: { type: "json_schema", json_schema }, max_tokens: 64 });
    assertCity(JSON.parse(answer.choices[0].message.content));
});

test("what cannot be promised is refused by name", async () => {
    const schema = { type: "array", uniqueItems: true };
    await refused(ask({ response_format: { type: "json_schema", json_schema: { name: "x", schema } } }), "response_format");
    const tools = [{ type: "function", function: { name: "f", parameters: schema } }];
    await refused(ask({ tools, tool_choice: "required" }), "tools[0]");
    await refused(ask({ tool_choice: "required" }), "tool_choice");
});

test("tokens come with their probabilities", async () => {
    const [{ logprobs, message }] = (await ask({ logprobs: true, top_logprobs: 2 })).choices;
    assert.equal(logprobs.content.map((one) => one.token).join(""), message.content);
    assert.ok(logprobs.content.every((one) => one.logprob <= 0 && one.top_logprobs.length === 2));
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

test("responses: a stream is the same answer in pieces", async () => {
    const asked = { model: server.model, input: QUESTION, max_output_tokens: 16, temperature: 0 };
    const whole = await client.responses.create(asked);
    assert.match(whole.output_text, /Paris/);
    assert.equal(whole.status, "completed");
    const pieces = [];
    const stream = client.responses.stream(asked).on("response.output_text.delta", ({ delta }) => pieces.push(delta));
    const final = await stream.finalResponse();
    assert.ok(pieces.length > 2);
    assert.equal(pieces.join(""), whole.output_text);
    assert.equal(final.output_text, whole.output_text);
});

test("responses: a call that must happen happens, and its result is read", async () => {
    const tools = [WEATHER, CLOCK].map((tool) => ({ type: "function", strict: true, ...tool }));
    const asked = { model: server.model, tools, max_output_tokens: 160, temperature: 0 };
    const first = await client.responses.create({
        ...asked,
        input: QUESTION,
        tool_choice: { type: "function", name: "clock" },
    });
    const [call] = first.output;
    assertCity(JSON.parse(call.arguments));
    const result = { type: "function_call_output", call_id: call.call_id, output: "noon" };
    assert.ok((await client.responses.create({ ...asked, input: [...HELLO, ...first.output, result] })).output.length);
});

test("responses: an answer follows its schema", async () => {
    const text = { format: { type: "json_schema", name: "city", schema: CITY, strict: true } };
    const asked = { model: server.model, input: QUESTION, text, max_output_tokens: 64, temperature: 0 };
    assertCity(JSON.parse((await client.responses.create(asked)).output_text));
});

test("responses: what would have to be stored is refused by name", async () => {
    const asked = { model: server.model, input: QUESTION };
    await refused(client.responses.create({ ...asked, previous_response_id: "resp_1" }), "previous_response_id");
    await refused(client.responses.create({ ...asked, background: true }), "background");
});

test("responses: a stream that is left ends", async () => {
    const text = { format: { type: "json_schema", name: "all", schema: ENDLESS } };
    const asked = { model: server.model, input: QUESTION, text, max_output_tokens: 8000, stream: true };
    for await (const event of await client.responses.create(asked)) if (event.type === "response.output_text.delta") break;
    await server.rests();
});
