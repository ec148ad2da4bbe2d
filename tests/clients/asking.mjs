// What the tests ask for.

import assert from "node:assert/strict";

export const QUESTION = "Name the capital of France.";
export const HELLO = [{ role: "user", content: QUESTION }];

/** Bounded, so that a small model that cannot find an end is led to one. */
export const CITY = {
    type: "object",
    properties: { city: { type: "string", maxLength: 12 } },
    required: ["city"],
    additionalProperties: false,
};

/** No answer to this ends by itself within minutes. */
export const ENDLESS = {
    type: "object",
    properties: { all: { type: "array", items: { type: "integer" }, minItems: 4000 } },
    required: ["all"],
    additionalProperties: false,
};

export const WEATHER = { name: "weather", description: "Says what the weather is.", parameters: CITY };
export const CLOCK = { name: "clock", description: "Says what time it is.", parameters: CITY };

export function assertCity(value) {
    assert.deepEqual(Object.keys(value), ["city"]);
    assert.equal(typeof value.city, "string");
}
