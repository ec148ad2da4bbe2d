"""What a fixed seed costs: eight clients at once, and a long prompt a second time, each with and without.

    target/release/stack serve -m MODEL --port 8084 &
    python3 benches/seed-cost.py http://127.0.0.1:8084

Only the standard library is used. Rounds with and without alternate; medians are printed. The answers with a seed are
compared with those that the same requests get alone.
"""

import json
import statistics
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

CLIENTS = 8
ROUNDS = 5
TOKENS = 64
LONG_WORDS = 1500


def complete(url: str, prompt: str, tokens: int, seed: int | None) -> dict:
    body = {"prompt": prompt, "max_tokens": tokens, "ignore_eos": True, "temperature": 0.8}
    if seed is not None:
        body["seed"] = seed
    request = urllib.request.Request(
        f"{url}/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=600) as reply:
        return json.load(reply)


def many(url: str, round_number: int, seeded: bool) -> tuple[float, list[str]]:
    """Tokens per second of all clients together, and their answers."""
    ask = lambda client: complete(
        url, f"Client {client} tells story {round_number}:", TOKENS, client if seeded else None
    )
    start = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        replies = list(pool.map(ask, range(CLIENTS)))
    seconds = time.monotonic() - start
    return CLIENTS * TOKENS / seconds, [reply["choices"][0]["text"] for reply in replies]


def again(url: str, round_number: int, seeded: bool) -> tuple[float, int, int]:
    """Seconds, cached tokens and prompt tokens of a long prompt that was answered just before."""
    prompt = f"Round {round_number}, {seeded}:" + " word" * LONG_WORDS
    seed = 1 if seeded else None
    complete(url, prompt, 1, seed)
    start = time.monotonic()
    usage = complete(url, prompt, 1, seed)["usage"]
    return time.monotonic() - start, usage["prompt_tokens_details"]["cached_tokens"], usage["prompt_tokens"]


def main() -> None:
    url = sys.argv[1].rstrip("/")
    rates, repeats = {False: [], True: []}, {False: [], True: []}
    for round_number in range(ROUNDS):
        for seeded in [False, True] if round_number % 2 == 0 else [True, False]:
            rate, texts = many(url, round_number, seeded)
            rates[seeded].append(rate)
            repeats[seeded].append(again(url, round_number, seeded))
            if seeded and round_number == 0:
                alone = [
                    complete(url, f"Client {client} tells story 0:", TOKENS, client)["choices"][0]["text"]
                    for client in range(CLIENTS)
                ]
                assert texts == alone, "an answer with a seed depends on what else runs"
    for seeded in [False, True]:
        seconds = statistics.median(entry[0] for entry in repeats[seeded])
        cached, prompt = repeats[seeded][-1][1:]
        print(
            f"{'with' if seeded else 'without'} seed: {statistics.median(rates[seeded]):.0f} tokens/s for {CLIENTS} "
            f"clients; {prompt} prompt tokens again in {seconds:.3f} s, {cached} of them cached"
        )
    print(f"ratio {statistics.median(rates[True]) / statistics.median(rates[False]):.3f}")


if __name__ == "__main__":
    main()
