"""What the official Python SDK of OpenAI must be able to do through the gateway."""

import json
import os

import openai

import driver

client = openai.OpenAI(
    base_url=os.environ["BASE"] + "/v1", api_key=os.environ["KEY"], max_retries=0
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


def case_text(model):
    reply = client.chat.completions.create(model=model, messages=HI)
    assert reply.choices[0].message.content == "Grüße 🌍", reply
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.prompt_tokens == 75
    assert reply.usage.prompt_tokens_details.cached_tokens == 64
    assert reply.usage.completion_tokens == 21


def case_stream(model):
    text, finishes, usage = "", [], None
    for chunk in client.chat.completions.create(
        model=model, messages=HI, stream=True, stream_options={"include_usage": True}
    ):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            if choice.finish_reason:
                finishes.append(choice.finish_reason)
        usage = chunk.usage or usage
    assert text == "Grüße 🌍", text
    assert finishes == ["stop"], finishes
    assert usage.total_tokens == 96, usage


def case_tools(model):
    with client.chat.completions.stream(model=model, messages=HI, tools=TOOLS) as stream:
        for _ in stream:
            pass
        message = stream.get_final_completion().choices[0].message
    calls = message.tool_calls
    assert [call.id for call in calls] == ["toolu_a1", "toolu_b2"], calls
    assert [call.function.name for call in calls] == ["get_weather"] * 2
    assert json.loads(calls[0].function.arguments)["city"] == "Oslo"
    assert json.loads(calls[1].function.arguments)["city"] == 'Tromsø "north"'
    history = HI + [
        {
            "role": "assistant",
            "content": message.content,
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {
                        "name": call.function.name,
                        "arguments": call.function.arguments,
                    },
                }
                for call in calls
            ],
        }
    ]
    history += [
        {"role": "tool", "tool_call_id": call.id, "content": "sun"} for call in calls
    ]
    client.chat.completions.create(model=model, messages=history, tools=TOOLS)


def case_rate_limit(model):
    try:
        client.chat.completions.create(model=model, messages=HI)
    except openai.RateLimitError as error:
        assert "slow down" in str(error)
        assert error.response.headers["retry-after"] == "7"
    else:
        raise AssertionError("no error was raised")


def case_overloaded(model):
    try:
        client.chat.completions.create(model=model, messages=HI, stream=True)
    except openai.InternalServerError as error:
        assert "busy" in str(error)
    else:
        raise AssertionError("no error was raised")


def case_cut(model):
    """A stream that broke in the middle must raise, not end as if all were well."""
    seen = ""
    try:
        for chunk in client.chat.completions.create(model=model, messages=HI, stream=True):
            for choice in chunk.choices:
                seen += choice.delta.content or ""
                assert not choice.finish_reason, choice
    except Exception as error:
        assert "Half" in seen, (seen, error)
    else:
        raise AssertionError("the stream ended in silence")


def case_models(model):
    del model
    assert [one.id for one in client.models.list()]


driver.serve(driver.collect_cases(globals()))
