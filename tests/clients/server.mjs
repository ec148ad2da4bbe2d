// A server with a real chat model, for clients in JavaScript. `.ci/deep` sets STACK_BINARY and STACK_MODEL.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const START_MS = 120_000;
/** What an answer of thousands of tokens would take many times over. */
const REST_MS = 3_000;

/** Starts `stack serve` with the chat model; returns its address, the model's name, how to stop it, and what waits until it
 * computes nothing. */
export async function serve(...options) {
    const { STACK_BINARY: binary, STACK_MODEL: model } = process.env;
    if (!binary || !model) throw new Error("STACK_BINARY and STACK_MODEL are not set: run `.ci/deep`");
    // The models, the policy and the log of whoever runs this are none of its business.
    const home = mkdtempSync(join(tmpdir(), "stack-"));
    writeFileSync(join(home, "stack.toml"), "[audit]\nenabled = false\n");
    const child = spawn(binary, ["serve", "--port", "0", "-m", model, ...options], {
        env: { ...process.env, STACK_HOME: home },
        stdio: ["ignore", "ignore", "pipe"],
    });
    const url = await new Promise((resolve, reject) => {
        const log = [];
        createInterface({ input: child.stderr }).on("line", (line) => {
            log.push(line);
            const found = line.match(/listening on (http:\/\/\S+)/);
            if (found) resolve(found[1]);
        });
        child.on("exit", () => reject(new Error(`the server did not start: ${log.join("\n")}`)));
    });
    const deadline = Date.now() + START_MS;
    while (!(await fetch(`${url}/ready`)).ok) {
        if (Date.now() > deadline) throw new Error("the server never became ready");
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const list = await (await fetch(`${url}/v1/models`)).json();
    const stop = () =>
        new Promise((resolve) => {
            child.removeAllListeners("exit").on("exit", () => {
                rmSync(home, { recursive: true });
                resolve();
            });
            child.kill();
        });
    return { url, port: new URL(url).port, model: list.data[0].id, stop, rests: () => rests(child.pid) };
}

async function rests(pid) {
    const deadline = Date.now() + REST_MS;
    for (let before = ticks(pid); Date.now() < deadline; ) {
        await new Promise((resolve) => setTimeout(resolve, 300));
        const now = ticks(pid);
        if (now - before < 10) return;
        before = now;
    }
    throw new Error("the server still computes an answer that nobody waits for");
}

/** The processor time that a process has used, in hundredths of a second. */
function ticks(pid) {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").pop().split(" ");
    return Number(fields[11]) + Number(fields[12]);
}
