#!/usr/bin/env python3
"""Checks an export of `stack audit export --format json`, without the log and without any code of stack.

    audit_verify.py EXPORT.json [--key ed25519:HEX]

It follows docs/formats/audit.md and shares nothing with the program that wrote the export. Without --key, the export's
own key is believed, which proves that the document is consistent, not who made it.
"""

import argparse
import base64
import hashlib
import json
import struct
import sys
from datetime import datetime, timezone

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PHASES = ["note", "intent", "effect"]
OUTCOMES = [None, "done", "failed", "abandoned", "denied", "ambiguous"]
MAGIC = b"stack/entry/v1\0\0"


class Fault(Exception):
    """The export is not what it says it is."""


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def expect(found, expected, what):
    if found != expected:
        raise Fault(f"{what}: expected {expected!r}, found {found!r}")


def no_duplicates(pairs):
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Fault("a field stands twice")
    return fields


def public_key(text):
    kind, _, digits = text.partition(":")
    expect(kind, "ed25519", "kind of key")
    return bytes.fromhex(digits)


def open_checkpoint(note, log, key):
    """Returns the size and the root that the key signed."""
    text, separator, signatures = note.rpartition("\n\n")
    if not separator:
        raise Fault("the checkpoint has no signature")
    text += "\n"
    name = f"stack-audit/{log}"
    key_id = sha256(name.encode(), b"\x0a\x01", key)[:4]
    signed = False
    for line in signatures.splitlines():
        dash, signer, encoded = line.split(" ")
        expect(dash, "\u2014", "signature line")
        signature = base64.b64decode(encoded, validate=True)
        if signer == name and signature[:4] == key_id:
            try:
                Ed25519PublicKey.from_public_bytes(key).verify(signature[4:], text.encode())
            except InvalidSignature:
                raise Fault("the key did not sign the checkpoint") from None
            signed = True
    if not signed:
        raise Fault("the checkpoint is not signed by the key")
    origin, size, root = text.rstrip("\n").split("\n")
    expect(origin, name, "origin")
    expect(str(int(size)), size, "size")
    return int(size), base64.b64decode(root, validate=True)


def decode(body):
    """Takes the bytes of an entry apart."""
    expect(body[:16], MAGIC, "magic")
    names = "log stream seq prev index kind phase outcome closes wall_ms epoch mono_us tier confinement taint format"
    names = names.split() + ["scrubbed", "policy", "length", "commitment"]
    entry = dict(zip(names, struct.unpack_from(">16s16sQ32sQHBBQQIQBBBBI32sQ32s", body, 16)))
    actor = body[209:]
    expect(body[208], len(actor), "length of the actor")
    entry["actor"] = actor.decode()
    return entry


def stream_name(stream):
    word = stream.rstrip(b"\0")
    allowed = b"abcdefghijklmnopqrstuvwxyz0123456789-"
    if 0 < len(word) < 16 and word[:1].isalpha() and all(byte in allowed for byte in word):
        return word.decode()
    return stream.hex()


def check_readable(row, entry):
    """What is written out for readers must be what the bytes say."""
    expect(row["index"], entry["index"], "index")
    expect(row["seq"], entry["seq"], "seq")
    expect(row["stream"], stream_name(entry["stream"]), "stream")
    expect(row["actor"], entry["actor"], "actor")
    expect(row["phase"], PHASES[entry["phase"]], "phase")
    expect(row.get("outcome"), OUTCOMES[entry["outcome"]], "outcome")
    at = datetime.fromtimestamp(entry["wall_ms"] // 1000, timezone.utc)
    expect(row["at"], at.strftime("%Y-%m-%dT%H:%M:%SZ"), "time")


def check_payload(row, entry):
    there = [name for name in ("payload", "erased", "withheld") if name in row]
    if entry["format"] == 0:
        expect((there, entry["length"], entry["commitment"]), ([], 0, bytes(32)), "payload")
        return "none"
    if there != ["payload"]:
        expect((len(there), row.get(there[0] if there else "")), (1, True), "payload, or why it is not here")
        return there[0]
    payload = row["payload"]
    if "text" in payload:
        content = payload["text"].encode()
    else:
        content = base64.b64decode(payload["base64"], validate=True)
    expect(len(content), entry["length"], "length of the payload")
    salt = bytes.fromhex(payload["salt"])
    expect(len(salt), 32, "length of the salt")
    expect(sha256(b"stack/payload/v1", salt, content), entry["commitment"], "commitment")
    return "payload"


def check_inclusion(leaf, index, size, proof, root):
    """RFC 9162, 2.1.3.2."""
    if index >= size:
        raise Fault(f"entry {index} is not among the {size} of the checkpoint")
    at, last, node = index, size - 1, leaf
    for step in proof:
        if last == 0:
            raise Fault("the inclusion proof is too long")
        if at & 1 or at == last:
            node = sha256(b"\1", step, node)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            node = sha256(b"\1", node, step)
        at, last = at >> 1, last >> 1
    expect((last, node.hex()), (0, root.hex()), "root of the inclusion proof")


def verify(document, key=None):
    """Returns how many entries there are, and of how many the payload is here."""
    expect(document["format"], "stack-audit/v1", "format")
    log = bytes.fromhex(document["log"])
    if key is not None:
        expect(document["key"], key, "key")
    size, root = open_checkpoint(document["checkpoint"], document["log"], public_key(document["key"]))
    heads, opened, payloads, previous = {}, {}, 0, -1
    for row in document["entries"]:
        try:
            body = base64.b64decode(row["body"], validate=True)
            entry = decode(body)
            leaf = sha256(b"\0", body)
            expect(row["hash"], leaf.hex(), "hash")
            expect(entry["log"], log, "log")
            if entry["index"] <= previous:
                raise Fault("entries are not in the order of the log")
            previous = entry["index"]
            stream = entry["stream"]
            seq, head = heads.get(stream, (0, sha256(b"stack/stream/v1\0", log, stream)))
            expect(entry["seq"], seq + 1, "seq")
            expect(entry["prev"], head, "link to the entry before")
            heads[stream] = (entry["seq"], leaf)
            if entry["phase"] == 1:
                opened[stream, entry["seq"]] = entry["kind"]
            if entry["phase"] == 2:
                expect(opened.pop((stream, entry["closes"]), None), entry["kind"], "intent of the effect")
            check_readable(row, entry)
            payloads += check_payload(row, entry) == "payload"
            proof = [base64.b64decode(step, validate=True) for step in row["proof"]]
            check_inclusion(leaf, entry["index"], size, proof, root)
        except Fault as fault:
            raise Fault(f"entry {row.get('index')}: {fault}") from None
    summaries = {row["stream"]: row for row in document["streams"]}
    expect(set(summaries), {stream_name(stream) for stream in heads}, "streams")
    for stream, (seq, _) in heads.items():
        summary = summaries[stream_name(stream)]
        expect((summary["first"], summary["last"], summary["entries"]), (1, seq, seq), "length of the stream")
    return len(document["entries"]), payloads


def main():
    parser = argparse.ArgumentParser(description="Checks an export of the audit log.")
    parser.add_argument("export")
    parser.add_argument("--key", help="the key that the log must be signed with, ed25519:HEX")
    arguments = parser.parse_args()
    try:
        with open(arguments.export, encoding="utf-8") as file:
            document = json.load(file, object_pairs_hook=no_duplicates)
        entries, payloads = verify(document, arguments.key)
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    except (Fault, ValueError, KeyError, TypeError, IndexError, AttributeError, struct.error) as fault:
        print(f"not what was written: {fault}", file=sys.stderr)
        return 5
    print(f"verified: {entries} entries, {payloads} payloads")
    return 0


if __name__ == "__main__":
    sys.exit(main())
