"""What the tests ask for."""

QUESTION = "Name the capital of France."
HELLO = [{"role": "user", "content": QUESTION}]

# Bounded, so that a small model that cannot find an end is led to one.
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 12}},
    "required": ["city"],
    "additionalProperties": False,
}

# No answer to this ends by itself within minutes.
ENDLESS = {
    "type": "object",
    "properties": {"all": {"type": "array", "items": {"type": "integer"}, "minItems": 4000}},
    "required": ["all"],
    "additionalProperties": False,
}

WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "Says what the weather is.", "parameters": CITY},
}
CLOCK = {
    "type": "function",
    "function": {"name": "clock", "description": "Says what time it is.", "parameters": CITY},
}


def is_city(value) -> bool:
    """Whether a value follows [`CITY`]."""
    return isinstance(value, dict) and list(value) == ["city"] and isinstance(value["city"], str)
