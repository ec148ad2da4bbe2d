// The official client in pages of a browser. The pages come from a small server of their own, under several names that
// the browser finds on this machine: what it may do is decided by their origins alone.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

import { serve } from "./server.mjs";

const LIBRARY = new URL(".", import.meta.resolve("openai"));
const NAMES = ["app.test", "evil.test", "rebound.test"];

let pages;
let server;
let browser;

before(async () => {
    pages = createServer(servePage).listen(0, "127.0.0.1");
    await new Promise((resolve) => pages.on("listening", resolve));
    server = await serve("--cors", `http://app.test:${pages.address().port}`);
    const rules = NAMES.map((name) => `MAP ${name} 127.0.0.1`).join(",");
    browser = await chromium.launch({
        executablePath: process.env.STACK_CHROMIUM ?? "/usr/bin/chromium",
        args: ["--no-sandbox", `--host-resolver-rules=${rules}`],
    });
});
after(async () => {
    await browser?.close();
    await server?.stop();
    pages.close();
});

/** Hands out an empty page, and the client's own files. */
async function servePage(request, response) {
    if (request.url === "/") {
        return response.setHeader("content-type", "text/html").end("<!doctype html><title>page</title>");
    }
    const file = new URL(`.${new URL(request.url, "http://page").pathname.replace(/^\/openai/, "")}`, LIBRARY);
    const inside = file.href.startsWith(LIBRARY.href) && file.pathname.endsWith(".mjs");
    const text = inside && (await readFile(fileURLToPath(file)).catch(() => undefined));
    if (!text) return response.writeHead(404).end();
    return response.setHeader("content-type", "text/javascript").end(text);
}

/** Runs `act` in a page of `host`, with the client's constructor, and with the server's address and model. */
async function inPage(host, act) {
    const page = await browser.newPage();
    try {
        await page.goto(`http://${host}:${pages.address().port}/`);
        const source = `(async ({ url, model }) => {
            const { default: OpenAI } = await import("/openai/index.mjs");
            const options = { baseURL: url + "/v1", apiKey: "unused", dangerouslyAllowBrowser: true, maxRetries: 0 };
            const client = new OpenAI(options);
            return await (${act})({ OpenAI, client, url, model });
        })(${JSON.stringify({ url: server.url, model: server.model })})`;
        return await page.evaluate(source);
    } finally {
        await page.close();
    }
}

const useEverything = async ({ OpenAI, client, url, model }) => {
    const messages = [{ role: "user", content: "Name the capital of France." }];
    const usual = { model, messages, max_tokens: 12, temperature: 0 };
    const names = (await client.models.list()).data.map((model) => model.id);
    const whole = await client.chat.completions.create(usual).withResponse();
    let streamed = "";
    for await (const chunk of await client.chat.completions.create({ ...usual, stream: true })) {
        streamed += chunk.choices[0]?.delta.content ?? "";
    }
    const left = await client.chat.completions.create({ ...usual, max_tokens: 500, stream: true });
    for await (const _ of left) break;
    const plain = await client.completions.create({ model, prompt: "The capital of France is", max_tokens: 4 });
    const { data } = await client.embeddings.create({ model, input: "a dog" });
    const ignored = await client.chat.completions.create({ ...usual, max_tokens: 1, user: "me" }).withResponse();
    const status = (asked) => asked.then(() => 200, (error) => error.status ?? `${error}`);
    return {
        names,
        text: whole.data.choices[0].message.content,
        requestId: whole.request_id,
        streamed,
        plain: plain.choices[0].text,
        dimensions: data[0].embedding.length,
        ignored: ignored.response.headers.get("x-stack-ignored"),
        health: (await fetch(`${url}/health`)).status,
        errors: [
            await status(client.chat.completions.create({ ...usual, model: "gpt-4o" })),
            await status(client.chat.completions.create({ ...usual, temperature: -1 })),
            await status(client.chat.completions.create({ ...usual, response_format: { type: "xml" } })),
            await status(client.responses.create({ model, input: "Hi", max_output_tokens: 2 })),
            await status(client.responses.retrieve("resp_1")),
            await status(client.models.delete(model)),
            await status(client.post("/chat/completions", { body: { messages: "x".repeat(17 << 20) } })),
        ],
        notFound: await client.models.retrieve("gpt-4o").catch((error) => error instanceof OpenAI.NotFoundError),
    };
};

for (const host of ["localhost", "127.0.0.1", "app.test"]) {
    test(`a page of ${host} uses everything and sees every error`, async () => {
        const seen = await inPage(host, useEverything);
        assert.deepEqual(seen.names, [server.model]);
        assert.match(seen.text, /Paris/);
        assert.equal(seen.streamed, seen.text);
        assert.ok(seen.plain);
        assert.ok(seen.dimensions > 100);
        assert.match(seen.requestId, /^[0-9a-f]{32}$/);
        assert.equal(seen.ignored, "user");
        assert.equal(seen.health, 200);
        assert.deepEqual(seen.errors, [404, 400, 400, 200, 404, 405, 413]);
        assert.equal(seen.notFound, true);
    });
}

/** What a page sees that may see nothing, and whether what it sent without asking was answered. */
const tryEverything = async ({ client, url, model }) => {
    const failed = (asked) => asked.then(() => "seen", (error) => error.name);
    const body = JSON.stringify({ model, messages: [{ role: "user", content: "Hi" }], max_tokens: 1 });
    return {
        client: await client.models.list().then(() => "seen", (error) => error.constructor.name),
        reads: await failed(fetch(`${url}/v1/models`)),
        metrics: await failed(fetch(`${url}/metrics`)),
        preflighted: await failed(
            fetch(`${url}/v1/chat/completions`, { method: "POST", headers: { "content-type": "application/json" }, body }),
        ),
        simple: await failed(fetch(`${url}/v1/chat/completions`, { method: "POST", body })),
        blind: await fetch(`${url}/v1/chat/completions`, { method: "POST", mode: "no-cors", body }).then((r) => r.type),
    };
};

const NOTHING = { client: "APIConnectionError", reads: "TypeError", metrics: "TypeError", preflighted: "TypeError" };

async function answered() {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const line = text.match(/^stack_requests_total\{route="\/v1\/chat\/completions",status="200"\} (\d+)/m);
    return Number(line?.[1] ?? 0);
}

test("a page of another origin sees nothing and makes nothing happen", async () => {
    const before = await answered();
    const seen = await inPage("evil.test", tryEverything);
    assert.deepEqual(seen, { ...NOTHING, simple: "TypeError", blind: "opaque" });
    assert.equal(await answered(), before);
});

test("a page without an origin sees nothing", async () => {
    const before = await answered();
    const page = await browser.newPage();
    await page.goto(`http://localhost:${pages.address().port}/`);
    const origin = await page.evaluate(async (url) => {
        const frame = document.createElement("iframe");
        frame.sandbox = "allow-scripts";
        const script = `
            const seen = (path, options) => fetch("${url}" + path, options).then(() => "seen", () => "nothing");
            const body = '{"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}';
            Promise.all([seen("/v1/models"), seen("/v1/chat/completions", { method: "POST", body })])
                .then((both) => parent.postMessage([self.origin, ...both], "*"));`;
        frame.srcdoc = `<script>${script}</script>`;
        const message = new Promise((resolve) => addEventListener("message", (event) => resolve(event.data)));
        document.body.append(frame);
        return message;
    }, server.url);
    await page.close();
    assert.deepEqual(origin, ["null", "nothing", "nothing"]);
    assert.equal(await answered(), before);
});

test("a name that is made to resolve to this machine is refused", async () => {
    const page = await browser.newPage();
    const reply = await page.goto(`http://rebound.test:${server.port}/v1/models`);
    assert.equal(reply.status(), 403);
    await page.close();
});
