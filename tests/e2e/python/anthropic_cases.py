"""What the official Python SDK of Anthropic must be able to do through the gateway."""

import os

import anthropic

import driver

# Strict: a member of a wrong type raises.
client = anthropic.Anthropic(
    base_url=os.environ["BASE"],
    api_key=os.environ["KEY"],
    max_retries=0,
    _strict_response_validation=True,
)
HI = [{"role": "user", "content": "Hi"}]
TOOLS = [
    {
        "name": "get_weather",
        "input_schema": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    }
]
THINKING = {"type": "enabled", "budget_tokens": 5000}


def ask(model, **more):
    return client.messages.create(
        **{"model": model, "max_tokens": 1000, "messages": HI, **more}
    )


def read(model, **more):
    with client.messages.stream(
        **{"model": model, "max_tokens": 1000, "messages": HI, **more}
    ) as stream:
        for _ in stream:
            pass
        return stream.get_final_message()


def parts(message):
    text = "".join(block.text for block in message.content if block.type == "text")
    thoughts = "".join(
        block.thinking for block in message.content if block.type == "thinking"
    )
    return text, thoughts


def inclusive(usage):
    return usage.input_tokens + (usage.cache_read_input_tokens or 0)


def case_text(model):
    reply = ask(model)
    assert parts(reply) == (driver.TEXT, ""), reply
    assert reply.stop_reason == "end_turn"
    assert inclusive(reply.usage) == 75, reply.usage
    assert reply.usage.output_tokens == 21


def case_stream(model):
    final = read(model)
    assert parts(final) == (driver.TEXT, ""), final
    assert final.stop_reason == "end_turn"
    assert inclusive(final.usage) == 75, final.usage
    assert final.usage.output_tokens == 21, final.usage


def case_call(model):
    reply = ask(model, tools=TOOLS)
    assert reply.stop_reason == "tool_use"
    (call,) = [block for block in reply.content if block.type == "tool_use"]
    assert call.input["day"] == 9007199254740993, call


def case_tools(model):
    final = read(model, tools=TOOLS)
    calls = [block for block in final.content if block.type == "tool_use"]
    assert len({call.id for call in calls}) == 2, calls
    assert calls[0].input["city"] == "Oslo"
    assert calls[1].input["city"] == 'Tromsø "north"'
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": "sun"} for call in calls
    ]
    history = HI + [
        {"role": "assistant", "content": final.content},
        {"role": "user", "content": results},
    ]
    ask(model, tools=TOOLS, messages=history)


def case_thinking(model):
    reply = ask(model, thinking=THINKING, max_tokens=8000)
    assert parts(reply) == ("Aha", "Let me think."), reply


def case_thinking_stream(model):
    reply = read(model, thinking=THINKING, max_tokens=8000)
    assert parts(reply) == ("Aha", "Let me think."), reply


def case_rate_limit(model):
    driver.must_raise(lambda: ask(model), anthropic.RateLimitError, "slow down")


def case_rate_limit_stream(model):
    driver.must_raise(lambda: read(model), anthropic.RateLimitError, "slow down")


def case_broken(model):
    driver.must_raise(lambda: read(model), anthropic.APIError, "Overloaded")


def case_cut(model):
    driver.must_raise(lambda: read(model), anthropic.APIError, "upstream")


def case_models(model):
    ids = [one.id for one in client.models.list()]
    assert model.split(":", 1)[1] in ids, ids


driver.serve(driver.collect_cases(globals()))
