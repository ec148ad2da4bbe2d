// The AI SDK, with its packages for OpenAI (responses and chat), for Anthropic, and for servers that speak as OpenAI does.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, Output, embedMany, generateText, jsonSchema, streamText, tool } from "ai";

import { CITY, ENDLESS, QUESTION, assertCity } from "./asking.mjs";
import { serve } from "./server.mjs";

const TOOLS = {
    weather: tool({ description: "Says what the weather is.", inputSchema: jsonSchema(CITY) }),
    clock: tool({ description: "Says what time it is.", inputSchema: jsonSchema(CITY) }),
};

let server;
let thinker;

before(async () => {
    server = await serve();
    thinker = await serve("--template", new URL("thinking.jinja", import.meta.url).pathname);
});
after(() => Promise.all([server.stop(), thinker.stop()]));

const KINDS = {
    responses: ({ url, model }) => createOpenAI({ baseURL: `${url}/v1`, apiKey: "unused" })(model),
    chat: ({ url, model }) => createOpenAI({ baseURL: `${url}/v1`, apiKey: "unused" }).chat(model),
    messages: ({ url, model }) => createAnthropic({ baseURL: `${url}/v1`, apiKey: "unused" })(model),
    compatible: ({ url, model }) =>
        createOpenAICompatible({ name: "stack", baseURL: `${url}/v1`, includeUsage: true, supportsStructuredOutputs: true })(
            model,
        ),
};

for (const [kind, make] of Object.entries(KINDS)) {
    const few = (options = {}) => ({
        model: make(server),
        prompt: QUESTION,
        maxOutputTokens: 16,
        temperature: 0,
        maxRetries: 0,
        ...options,
    });

    test(`${kind}: an answer and its stream`, async () => {
        const { text, usage, finishReason } = await generateText(few());
        assert.match(text, /Paris/);
        assert.equal(finishReason, "stop");
        assert.ok(usage.inputTokens > 0 && usage.outputTokens > 0);
        const stream = streamText(few());
        const pieces = [];
        for await (const piece of stream.textStream) pieces.push(piece);
        assert.ok(pieces.length > 2);
        assert.equal(pieces.join(""), text);
        assert.deepEqual((await stream.usage).outputTokens, usage.outputTokens);
    });

    test(`${kind}: the limit is named`, async () => {
        assert.equal((await generateText(few({ maxOutputTokens: 2 }))).finishReason, "length");
    });

    for (const toolChoice of ["required", { type: "tool", toolName: "clock" }]) {
        test(`${kind}: a call that must happen happens: ${toolChoice.type ?? toolChoice}`, async () => {
            const asked = few({ tools: TOOLS, toolChoice, maxOutputTokens: 300 });
            const { toolCalls } = await generateText(asked);
            assertCity(toolCalls[0].input);
            assert.equal(toolCalls[0].toolName, toolChoice.toolName ?? toolCalls[0].toolName);
            const streamed = await streamText(asked).toolCalls;
            assert.deepEqual(streamed[0].input, toolCalls[0].input);
        });
    }

    test(`${kind}: results are read`, async () => {
        const call = { type: "tool-call", toolCallId: "c1", toolName: "weather", input: { city: "Paris" } };
        const output = { type: "text", value: "sunny" };
        const messages = [
            { role: "user", content: QUESTION },
            { role: "assistant", content: [call] },
            { role: "tool", content: [{ type: "tool-result", toolCallId: "c1", toolName: "weather", output }] },
        ];
        const { text, toolCalls } = await generateText(few({ prompt: undefined, messages, tools: TOOLS }));
        assert.ok(text || toolCalls.length);
    });

    test(`${kind}: an answer follows its schema`, async () => {
        const { output } = await generateText(few({ output: Output.object({ schema: jsonSchema(CITY) }), maxOutputTokens: 160 }));
        assertCity(output);
    });

    test(`${kind}: thinking comes apart`, async () => {
        const openai = { forceReasoning: true, reasoningSummary: "auto" };
        const asked = few({ model: make(thinker), temperature: undefined, seed: 3, providerOptions: { openai } });
        const { text, reasoningText } = await generateText(asked);
        assert.equal(text, "");
        // The package for OpenAI looks for no thinking in chat completions, where OpenAI sends none.
        if (kind === "chat") return;
        assert.ok(reasoningText);
        const stream = streamText(asked);
        await stream.consumeStream();
        assert.ok(await stream.reasoningText);
    });

    test(`${kind}: errors are typed`, async () => {
        await assert.rejects(generateText(few({ prompt: "walrus ".repeat(9000) })), (error) => {
            assert(APICallError.isInstance(error));
            assert.equal(error.statusCode, 400);
            // The message is the server's, so its shape was understood.
            assert.match(error.message, /tokens/);
            return true;
        });
    });

    test(`${kind}: a stream that is left ends`, async () => {
        const leave = new AbortController();
        const stream = streamText(
            few({
                output: Output.object({ schema: jsonSchema(ENDLESS) }),
                maxOutputTokens: 8000,
                abortSignal: leave.signal,
                onError: () => {},
            }),
        );
        for await (const _ of stream.textStream) break;
        leave.abort();
        await server.rests();
    });
}

test("vectors", async () => {
    const model = createOpenAI({ baseURL: `${server.url}/v1`, apiKey: "unused" }).embedding(server.model);
    const { embeddings } = await embedMany({ model, values: ["a dog", "a cat"] });
    assert.equal(embeddings.length, 2);
});

test("responses: a conversation goes on by reference where responses are stored, and by value elsewhere", async () => {
    const storing = await serve("--stored-responses", "8");
    const turns = async (at, options) => {
        const few = { model: KINDS.responses(at), maxOutputTokens: 16, temperature: 0, maxRetries: 0, ...options };
        const asked = { role: "user", content: QUESTION };
        const first = await generateText({ ...few, messages: [asked] });
        return generateText({ ...few, messages: [asked, ...first.response.messages, asked] });
    };
    try {
        const byReference = await turns(storing, {});
        const byValue = await turns(server, { providerOptions: { openai: { store: false } } });
        assert.equal(byReference.text, byValue.text);
        await assert.rejects(turns(server, {}), /--stored-responses/);
    } finally {
        await storing.stop();
    }
});
