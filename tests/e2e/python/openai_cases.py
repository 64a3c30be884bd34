"""What the official Python SDK of OpenAI must be able to do through the gateway: Chat."""

import json
import os

import openai

import driver

# Strict: a member of a wrong type raises.
client = openai.OpenAI(
    base_url=os.environ["BASE"] + "/v1",
    api_key=os.environ["KEY"],
    max_retries=0,
    _strict_response_validation=True,
)
HI = [{"role": "user", "content": "Hi"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


def read(model, **more):
    """Reads a stream: text, thoughts, finish reasons, usage."""
    text, thoughts, finishes, usage = "", "", [], None
    for chunk in client.chat.completions.create(
        model=model,
        messages=HI,
        stream=True,
        stream_options={"include_usage": True},
        **more,
    ):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            thoughts += getattr(choice.delta, "reasoning_content", None) or ""
            if choice.finish_reason:
                finishes.append(choice.finish_reason)
        usage = chunk.usage or usage
    return text, thoughts, finishes, usage


def case_text(model):
    reply = client.chat.completions.create(model=model, messages=HI)
    assert reply.choices[0].message.content == driver.TEXT, reply
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.prompt_tokens == 75
    assert reply.usage.completion_tokens == 21


def case_stream(model):
    text, _, finishes, usage = read(model)
    assert text == driver.TEXT, text
    assert finishes == ["stop"], finishes
    assert usage.total_tokens == 96, usage


def case_call(model):
    reply = client.chat.completions.create(model=model, messages=HI, tools=TOOLS)
    choice = reply.choices[0]
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls
    assert json.loads(call.function.arguments)["day"] == 9007199254740993, call


def case_tools(model):
    with client.chat.completions.stream(model=model, messages=HI, tools=TOOLS) as stream:
        for _ in stream:
            pass
        message = stream.get_final_completion().choices[0].message
    calls = message.tool_calls
    assert len({call.id for call in calls}) == 2, calls
    assert [call.function.name for call in calls] == ["get_weather"] * 2
    assert json.loads(calls[0].function.arguments)["city"] == "Oslo"
    assert json.loads(calls[1].function.arguments)["city"] == 'Tromsø "north"'
    history = HI + [message.to_dict()]
    history += [
        {"role": "tool", "tool_call_id": call.id, "content": "sun"} for call in calls
    ]
    client.chat.completions.create(model=model, messages=history, tools=TOOLS)


def case_thinking(model):
    reply = client.chat.completions.create(
        model=model, messages=HI, reasoning_effort="high"
    )
    message = reply.choices[0].message
    assert message.content == "Aha", message
    assert message.reasoning_content == "Let me think.", message


def case_thinking_stream(model):
    text, thoughts, _, _ = read(model, reasoning_effort="high")
    assert (text, thoughts) == ("Aha", "Let me think."), (text, thoughts)


def case_rate_limit(model):
    driver.must_raise(
        lambda: client.chat.completions.create(model=model, messages=HI),
        openai.RateLimitError,
        "slow down",
    )


def case_rate_limit_stream(model):
    driver.must_raise(lambda: read(model), openai.RateLimitError, "slow down")


def case_broken(model):
    driver.must_raise(lambda: read(model), openai.APIError, "Overloaded")


def case_cut(model):
    driver.must_raise(lambda: read(model), openai.APIError, "upstream")


def case_models(model):
    ids = [one.id for one in client.models.list()]
    assert model.split(":", 1)[1] in ids, ids


driver.serve(driver.collect_cases(globals()))
